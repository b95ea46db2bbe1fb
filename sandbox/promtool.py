"""Finding promtool, Prometheus' own checker of rules: the machine's, else Debian's, unpacked."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from heavylift.errors import UnsupportedError
from sandbox import tools
from sandbox.paths import TOOLS_DIR

_PACKAGE = "prometheus"


def find() -> Path:
    """Return promtool; Debian's package is fetched and unpacked, not installed.

    :raises UnsupportedError: this machine has none, and no means to fetch Debian's.
    """
    there = shutil.which("promtool")
    if there:
        return Path(there)
    home = TOOLS_DIR / "prometheus"
    binary = home / "usr" / "bin" / "promtool"
    with tools.one_at_a_time("prometheus"):
        if not binary.exists():
            _unpack(home)
    return binary


def _unpack(home: Path) -> None:
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg")
    if apt is None or dpkg is None:
        raise _none("no promtool, and neither apt-get nor dpkg to fetch one")
    with tempfile.TemporaryDirectory(prefix="prometheus-", dir=TOOLS_DIR) as name:
        command = [apt, "download", _PACKAGE]
        done = subprocess.run(command, cwd=name, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode != 0:
            raise _none(f"no promtool, and apt-get could not fetch one: {tools.tail(done.stderr, 3)}")
        unpacked = Path(name) / "unpacked"
        for package in Path(name).glob("*.deb"):
            tools.install("unpacking Prometheus", [dpkg, "-x", str(package), str(unpacked)])
        shutil.rmtree(home, ignore_errors=True)
        unpacked.replace(home)


def _none(got: str) -> UnsupportedError:
    return UnsupportedError(
        "finding promtool",
        got=got,
        expected="promtool 2.42 or newer",
        state="nothing was started",
        remedy="install Prometheus (Debian, Ubuntu: apt install prometheus)",
        code="9389",
    )
