"""Runs Python in a process of its own, where sys.modules starts empty."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.support.layers import TESTS

REPOSITORY = TESTS.parent
_SEPARATOR = "\x1e"


def run_python(code: str, *args: str, env: Mapping[str, str] | None = None) -> Any:
    """Run *code* with the project's folders on the path and return what it gave to ``answer()``.

    ``answer(value)`` is defined for the code; the value travels as JSON, whatever else is printed.

    :raises AssertionError: the process failed; the message holds its error output.
    """
    prelude = (
        "import json as _json, sys as _sys\n"
        f"def answer(value): _sys.stdout.write({_SEPARATOR!r} + _json.dumps(value) + '\\n')\n"
    )
    path = os.pathsep.join(str(REPOSITORY / name) for name in ("include", "plugins", "."))
    done = subprocess.run(
        [sys.executable, "-c", prelude + code, *args],
        env={**os.environ, "PYTHONPATH": path, **(env or {})},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode != 0 or _SEPARATOR not in done.stdout:
        raise AssertionError(f"exit status {done.returncode}\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.rpartition(_SEPARATOR)[2])
