"""``./dev docs``: the documentation as HTML, every link, anchor and picture of it checked on the way."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox import tools
from sandbox.paths import REPO

PINS = REPO / "sandbox" / "requirements-docs.txt"
DOCS = REPO / "docs"
OUTPUT = REPO / "build" / "docs"
EXTERNAL_OUTPUT = REPO / "build" / "docs-external"


def build(
    source: Path, output: Path, builder: str = "html", *, quiet: bool = True
) -> subprocess.CompletedProcess[str]:
    """Build the pages of ``source`` by the settings of ``docs/conf.py``; a warning is an error.

    Sphinx and what it needs are installed once for each checkout, into an environment of their own: 130 MB.
    What has not changed since the last build is kept.

    :param builder: ``html``, which reaches no network, or ``linkcheck``, which asks every address outside.
    :raises ServerUnavailableError: the installer failed.
    """
    program = tools.environment("docs", PINS) / "sphinx-build"
    argv = [str(program), "-b", builder, "-c", str(DOCS), "-n", "-W", "--keep-going"]
    return subprocess.run(
        [*argv, *(["-q"] if quiet else []), str(source), str(output)],
        env={**os.environ, "PYTHONPATH": "", "PYTHONWARNINGS": "", "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Build the pages, or with ``--external`` ask every address outside; 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="./dev docs", description=__doc__)
    parser.add_argument(
        "--external", action="store_true", help="ask every address outside instead; needs a network"
    )
    external = parser.parse_args(argv).external
    output = EXTERNAL_OUTPUT if external else OUTPUT
    print("Asking every address outside" if external else "Building the documentation", flush=True)
    done = build(DOCS, output, "linkcheck" if external else "html")
    sys.stdout.write(done.stdout)
    if done.returncode:
        print("dev: what is wrong is told above; nothing else was changed.", file=sys.stderr)
        return 1
    print("Every address answers." if external else f"Read it: {output / 'index.html'}")
    return 0
