"""Has checkov look at generated files: no check fails, or the file says why it does not hold."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from heavylift.errors import HeavyliftError, NotFoundError, ServerUnavailableError

BINARY_VARIABLE = "HEAVYLIFT_CHECKOV"
_RESULT = "results_json.json"
_MOST_SAID = 800


@dataclass(frozen=True)
class Failed:
    """A check that failed.

    :param severity: as the scanner knows it; empty offline.
    """

    check: str
    name: str
    resource: str
    where: str
    severity: str = ""


@dataclass(frozen=True)
class Scanned:
    """What a scan found.

    :param skipped: checks that the files themselves explain away.
    """

    passed: int
    skipped: int
    failed: tuple[Failed, ...]


def scan(folder: Path, *, seconds: float = 1800.0) -> Scanned:
    """Scan all files below ``folder``; the network is not used.

    :raises NotFoundError: there is no checkov.
    :raises HeavyliftError: it did not come to a result.
    """
    binary = os.environ.get(BINARY_VARIABLE) or shutil.which("checkov")
    if binary is None or not os.access(binary, os.X_OK):
        raise NotFoundError(
            "looking for checkov",
            got=repr(binary) if binary else "none on the path",
            expected="checkov 3.3 or newer, in an environment of its own",
            state="nothing was touched",
            remedy=f"install it apart (python -m venv, pip install checkov) and name it in {BINARY_VARIABLE}",
            code="7924",
        )
    with tempfile.TemporaryDirectory(prefix="heavylift-scan-") as out:
        argv = [
            binary,
            "-d",
            str(folder),
            "--framework",
            "terraform",
            "--skip-download",
            "--compact",
            "--quiet",
        ]
        argv += ["-o", "json", "--output-file-path", out]
        said = _run(argv, out, seconds)
        path = Path(out, _RESULT)
        if not path.exists():
            raise HeavyliftError(
                f"scanning {folder}",
                got=said or "no result",
                expected="a result",
                state="nothing was changed",
                remedy="run checkov by hand in that folder and mend what it says",
                code="7925",
            )
        return _read(path)


def _run(argv: list[str], home: str, seconds: float) -> str:
    # Not the user's own environment: it may hold keys of clouds and of the scanner's maker.
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": home, "LANG": "C.UTF-8"}
    try:
        done = subprocess.run(  # noqa: S603  (no shell; arguments are ours)
            argv, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ServerUnavailableError(
            f"scanning {argv[2]}",
            got=f"no end within {seconds:.0f} s",
            expected="an end",
            state="nothing was changed",
            remedy="scan root by root",
            code="7926",
        ) from error
    return " ".join(done.stderr.split())[-_MOST_SAID:]


def _read(path: Path) -> Scanned:
    document = json.loads(path.read_text())
    parts = document if isinstance(document, list) else [document]
    # Of a folder without any resource there are counts alone.
    results = [part["results"] for part in parts if "results" in part]
    failed = [
        Failed(
            each["check_id"],
            each["check_name"],
            each["resource"],
            f"{each['file_path'].lstrip('/')}:{each['file_line_range'][0]}",
            each.get("severity") or "",
        )
        for result in results
        for each in result["failed_checks"]
    ]
    return Scanned(
        sum(part["summary"]["passed"] for part in parts if "summary" in part),
        sum(part["summary"]["skipped"] for part in parts if "summary" in part),
        tuple(sorted(failed, key=lambda each: (each.check, each.resource))),
    )
