"""A comparer that shares nothing with Heavylift: namidiff, where ``HEAVYLIFT_NAMIDIFF`` names its program.

It is not among the project's packages: ``python -m venv DIR && DIR/bin/pip install 'namidiff[postgresql]'``.
"""

from __future__ import annotations

import os
import subprocess

from heavylift.connections import Connection

PROGRAM = os.environ.get("HEAVYLIFT_NAMIDIFF", "")


def differences(
    source: Connection, target: Connection, table: str, key: tuple[str, ...], columns: tuple[str, ...]
) -> list[str]:
    """Return the differing rows of a table as namidiff prints them."""
    keys = [part for name in key for part in ("-k", name)]
    others = [part for name in columns for part in ("-c", name)]
    done = subprocess.run(
        [PROGRAM, _url(source), f"public.{table}", _url(target), f"public.{table}", *keys, *others],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line[:2] in {"- ", "+ "}]


def _url(side: Connection) -> str:
    return f"postgresql://{side.login}:{side.password}@{side.host}:{side.port}/{side.schema}"
