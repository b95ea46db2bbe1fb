"""Finding MariaDB's programs: the machine's own, else Debian's packages, unpacked and not installed.

No package index for Python has this server. Debian's and Ubuntu's tools fetch their packages without root,
and unpack them anywhere; other systems need MariaDB installed by their own means.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from heavylift.errors import UnsupportedError
from sandbox import tools
from sandbox.accounts import Account
from sandbox.paths import TOOLS_DIR

_PACKAGES = ("mariadb-server-core", "mariadb-client", "libaio1", "liburing2")
"""What runs the server and writes its schema down; all else that they need is on any Debian or Ubuntu."""
_SYSTEM = (
    "usr/sbin",
    "usr/libexec",
    "usr/local/sbin",
    "opt/homebrew/opt/mariadb/bin",
    "usr/local/opt/mariadb/bin",
)
_OLDEST = (10, 5)
"""From here on the log tells the names of columns."""
_SCRIPTS = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")


@dataclass(frozen=True)
class Programs:
    """``mariadbd``, and the folders that belong to it.

    :param root: where packages were unpacked; ``/`` for the machine's own.
    """

    binary: Path
    share: Path
    root: Path

    @property
    def server(self) -> list[str]:
        """Return the command, without anybody's settings files."""
        return [str(self.binary), "--no-defaults", f"--lc-messages-dir={self.share}"]

    @property
    def clients(self) -> Path:
        """Return the folder of ``mariadb-dump`` and the other clients."""
        return self.root / "usr" / "bin" if self.root != Path("/") else self.binary.parent.parent / "bin"

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that the server needs."""
        found = {"LC_ALL": "C", "PATH": os.environ.get("PATH", "")}
        libraries = [str(folder) for folder in self.root.glob("usr/lib/*-linux-gnu")]
        if self.root != Path("/") and libraries:
            found["LD_LIBRARY_PATH"] = os.pathsep.join(libraries)
        return found

    def system_tables(self) -> str:
        """Return the statements that make the server's own tables."""
        texts = [(self.share / name).read_text() for name in _SCRIPTS]
        # Accounts are ours: nobody else is to get in.
        return "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n" + "\n".join(texts)


def find(account: Account, spare: Path) -> Programs:
    """Return programs that the account may run; Debian's packages are unpacked below ``spare``.

    :raises UnsupportedError: this machine has none, and no means to fetch Debian's.
    """
    for folder in _folders():
        found = _inspect(folder, Path("/"))
        if found is not None and account.may("-x", found.binary):
            return found
    home = spare / "programs"
    if not (home / "usr" / "sbin" / "mariadbd").exists():
        _unpack(home)
    unpacked = _inspect(home / "usr" / "sbin", home)
    if unpacked is None:
        raise _none("packages whose server does not run here")
    return unpacked


def _folders() -> Iterator[Path]:
    on_path = shutil.which("mariadbd")
    if on_path:
        yield Path(on_path).resolve().parent
    for place in _SYSTEM:
        yield Path("/") / place


def _inspect(folder: Path, root: Path) -> Programs | None:
    binary = folder / "mariadbd"
    shares = [folder.parent / "share" / name for name in ("mysql", "mariadb")]
    share = next((each for each in shares if (each / _SCRIPTS[0]).exists()), None)
    if not binary.exists() or share is None:
        return None
    found = Programs(binary, share, root)
    try:
        shown = subprocess.run(
            [str(binary), "--version"],
            env=found.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"(\d+)\.(\d+)\.\d+-MariaDB", shown)
    return found if version and (int(version[1]), int(version[2])) >= _OLDEST else None


def _unpack(home: Path) -> None:
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg")
    if apt is None or dpkg is None:
        raise _none("no mariadbd, and neither apt-get nor dpkg to fetch one")
    with tools.one_at_a_time("mariadb"):
        store = TOOLS_DIR / "mariadb"
        if not all(list(store.glob(f"{each}_*.deb")) for each in _PACKAGES[:2]):
            _fetch(apt, store)
        with tempfile.TemporaryDirectory(prefix="new-", dir=home.parent) as name:
            for package in sorted(store.glob("*.deb")):
                tools.install("unpacking MariaDB", [dpkg, "-x", str(package), name])
            Path(name).chmod(0o755)
            shutil.rmtree(home, ignore_errors=True)
            shutil.copytree(name, home, symlinks=True)


def _fetch(apt: str, store: Path) -> None:
    """Fetch the packages; as root, bring the lists up to date first, which a fresh image lacks."""
    with tempfile.TemporaryDirectory(prefix="mariadb-", dir=TOOLS_DIR) as name:
        try:
            _download(apt, Path(name))
        except UnsupportedError:
            if os.geteuid() != 0:
                raise
            tools.install("updating the lists of packages", [apt, "update"])
            _download(apt, Path(name))
        store.mkdir(exist_ok=True)
        for package in Path(name).glob("*.deb"):
            shutil.move(package, store / package.name)


def _download(apt: str, folder: Path) -> None:
    # Newer releases call libaio1 by another name, and need one of the two only.
    needed = [*_PACKAGES[:2], *(each for each in _PACKAGES[2:] if not _is_there(each))]
    done = subprocess.run(
        [apt, "download", *needed], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode != 0:
        raise _none(f"no mariadbd, and apt-get could not fetch one: {tools.tail(done.stderr, 3)}")


def _is_there(package: str) -> bool:
    """Tell whether a library's package is installed."""
    done = subprocess.run(["dpkg", "-s", package], capture_output=True, check=False)
    return done.returncode == 0


def _none(got: str) -> UnsupportedError:
    return UnsupportedError(
        "starting MariaDB",
        got=got,
        expected="mariadbd 10.5 or newer",
        state="nothing was started",
        remedy="install it (Debian, Ubuntu: apt install mariadb-server-core; macOS: brew install mariadb)",
        code="9036",
    )
