"""Finding a container registry and skopeo: the machine's own, else Debian's packages, only unpacked.

No package index for Python or Node has either. Debian's and Ubuntu's tools fetch their packages without
root, and unpack them anywhere; other systems need the programs installed by their own means.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from heavylift.errors import UnsupportedError
from sandbox import tools
from sandbox.paths import TOOLS_DIR

_REGISTRY, _SKOPEO = ("docker-registry",), ("skopeo", "libgpgme11", "libassuan0")
"""Packages; what else the programs need is on any Debian or Ubuntu."""


def registry() -> str:
    """Return the path of a container registry, the CNCF's distribution.

    :raises UnsupportedError: this machine has none, and no means to fetch Debian's.
    """
    return _found("docker-registry", _REGISTRY)


def skopeo() -> str:
    """Return the path of skopeo, which copies images, too.

    :raises UnsupportedError: as :func:`registry`.
    """
    return _found("skopeo", _SKOPEO)


def libraries() -> dict[str, str]:
    """Return the variables with which an unpacked program finds its libraries."""
    found = [str(each) for each in TOOLS_DIR.glob("*/programs/usr/lib/*-linux-gnu")]
    return {"LD_LIBRARY_PATH": os.pathsep.join(found)} if found else {}


def _found(program: str, packages: Sequence[str]) -> str:
    own = shutil.which(program)
    if own:
        return own
    home = TOOLS_DIR / program / "programs"
    inside = home / "usr" / "bin" / program
    if not inside.exists():
        _unpack(program, packages, home)
    if not inside.exists():
        raise _none(program, "packages without it")
    return str(inside)


def _unpack(program: str, packages: Sequence[str], home: Path) -> None:
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg")
    if apt is None or dpkg is None:
        raise _none(program, "none, and neither apt-get nor dpkg to fetch one")
    with tools.one_at_a_time(program):
        if home.exists():
            return
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="new-", dir=home.parent) as name:
            new = Path(name)
            _fetch(apt, program, packages, new)
            for package in sorted(new.glob("*.deb")):
                tools.install(f"unpacking {program}", [dpkg, "-x", str(package), str(new / "programs")])
            (new / "programs").replace(home)


def _fetch(apt: str, program: str, packages: Sequence[str], folder: Path) -> None:
    """Fetch the packages; as root, bring the lists up to date first, which a fresh image lacks."""
    try:
        _download(apt, program, packages, folder)
    except UnsupportedError:
        if os.geteuid() != 0:
            raise
        tools.install("updating the lists of packages", [apt, "update"])
        _download(apt, program, packages, folder)


def _download(apt: str, program: str, packages: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        [apt, "download", *packages], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode != 0:
        raise _none(program, f"none, and apt-get could not fetch it: {tools.tail(done.stderr, 3)}")


def _none(program: str, got: str) -> UnsupportedError:
    return UnsupportedError(
        f"finding {program}",
        got=got,
        expected=f"the program {program}",
        state="nothing was started",
        remedy=f"install it (Debian, Ubuntu: apt install {program})",
        code="9174",
    )
