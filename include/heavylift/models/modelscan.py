"""Runs modelscan over a model, in an environment of its own; it reads files and loads none.

It says "no issues" of what it has skipped, too. So only files that it lists as scanned count as scanned.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from heavylift.environments import Solver
from heavylift.errors import HeavyliftError

VERSION = "0.8.8"


@dataclass(frozen=True)
class Scanned:
    """What the scanner says.

    :param files: that it has scanned, by path below the model's folder.
    :param issues: path and what was found there.
    :param problem: why it says nothing; empty where it does.
    """

    version: str = ""
    files: frozenset[str] = frozenset()
    issues: tuple[tuple[str, str], ...] = ()
    problem: str = ""


def scan(folder: Path, solver: Solver, *, seconds: float = 600.0) -> Scanned:
    """Scan the files below ``folder``."""
    try:
        interpreter = solver.tool(f"modelscan=={VERSION}", f"{sys.version_info[0]}.{sys.version_info[1]}")
    except HeavyliftError as error:
        return Scanned(problem=f"{error.what}: {error.got} [HL-{error.code}]")
    with tempfile.TemporaryDirectory(prefix="heavylift-scan-") as scratch:
        report = Path(scratch, "report.json")
        argv = [
            str(interpreter.with_name("modelscan")), "-p", str(folder), "-r", "json", "-o", str(report),
            "--show-skipped",
        ]  # fmt: skip
        environment = {"PATH": "/usr/bin:/bin", "HOME": scratch, "LANG": "C.UTF-8", "NO_COLOR": "1"}
        try:
            done = subprocess.run(  # noqa: S603 - a pinned program on a folder of ours
                argv,
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds,
                env=environment,
                cwd=scratch,
            )
        except subprocess.TimeoutExpired:
            return Scanned(problem=f"no end within {seconds:.0f} s")
        if not report.exists():
            return Scanned(problem=" ".join(done.stderr.split())[-300:] or f"it ended with {done.returncode}")
        return read_report(json.loads(report.read_text("utf-8")), folder)


def read_report(report: dict[str, Any], folder: Path) -> Scanned:
    """Return what a report of modelscan says."""
    summary = report.get("summary") or {}
    scanned = (summary.get("scanned") or {}).get("scanned_files") or []
    issues = [
        (
            _inside(str(each.get("source", "")), folder),
            f"{each.get('severity', '')}: {each.get('description', '')}",
        )
        for each in report.get("issues") or []
    ]
    failed = {_inside(str(each.get("source", "")), folder) for each in report.get("errors") or []}
    files = {_inside(str(each), folder) for each in scanned} - failed
    return Scanned(str(summary.get("modelscan_version", VERSION)), frozenset(files), tuple(issues))


def _inside(text: str, folder: Path) -> str:
    """Return a path below the folder; members of archives count to their archive."""
    path = PurePosixPath(text)
    # A file's own name may have a colon, too: then it says nothing of the file before the colon.
    while ":" in path.name and not (folder / path).is_file():
        path = PurePosixPath(str(path).rpartition(":")[0])
    try:
        return str(path.relative_to(folder))
    except ValueError:
        return str(path)
