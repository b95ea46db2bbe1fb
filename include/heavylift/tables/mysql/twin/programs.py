"""The product's own dump program, which knows best how a schema is written down."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.errors import PermanentError, ServerUnavailableError, UnsupportedError
from heavylift.tables.mysql.connect import parameters, where

if TYPE_CHECKING:
    from heavylift.connections import Connection

FOLDER = "HEAVYLIFT_MYSQL_BIN"
"""Environment variable: the folder of ``mariadb-dump`` or ``mysqldump``, where it is an unusual one."""
_PLACES = (
    "usr/bin",
    "usr/local/bin",
    "usr/local/mysql/bin",
    "opt/homebrew/bin",
    "opt/homebrew/opt/*/bin",
)
_GOES_AWAY = ("Can't connect", "Lost connection", "server has gone away", "Too many connections")
_FROM_CONNECTION = {"ssl_ca": "ssl-ca", "ssl_cert": "ssl-cert", "ssl_key": "ssl-key"}


@dataclass(frozen=True)
class DumpProgram:
    """``mariadb-dump`` or ``mysqldump``."""

    path: Path

    def run(self, connection: Connection, arguments: Sequence[str]) -> str:
        """Run the program and return what it writes.

        Login and password go through a file that only this account can read, never through arguments.

        :raises ServerUnavailableError: the server went away.
        :raises PermanentError: the program failed.
        """
        with tempfile.TemporaryDirectory(prefix="heavylift-dump-") as folder:
            settings = Path(folder) / "login.cnf"
            settings.touch(mode=0o600)
            settings.write_text(_settings(connection), encoding="utf-8")
            done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
                [str(self.path), f"--defaults-file={settings}", *arguments],
                capture_output=True,
                check=False,
                stdin=subprocess.DEVNULL,
                env={**{k: os.environ[k] for k in ("PATH", "HOME") if k in os.environ}, "LC_ALL": "C"},
            )
        if done.returncode == 0:
            return done.stdout.decode("utf-8", "surrogateescape")
        said = " / ".join(done.stderr.decode("utf-8", "replace").strip().splitlines()[:3])
        raise _failed(self.path.name, where(connection), said or f"exit status {done.returncode}")


def find_program(*, mariadb: bool) -> DumpProgram:
    """Return the dump program of a product.

    :raises UnsupportedError: this machine has none.
    """
    names = ("mariadb-dump", "mysqldump") if mariadb else ("mysqldump",)
    for name in names:
        for folder in _folders(name):
            if (folder / name).is_file() and (mariadb or not _is_mariadb(folder / name)):
                return DumpProgram(folder / name)
    package = "mariadb-client" if mariadb else "mysql-client"
    raise UnsupportedError(
        f"looking for {names[0]}",
        got="none on this machine",
        expected="the source's own dump program, which writes its schema down",
        state="nothing was touched",
        remedy=f"install the client programs (Debian, Ubuntu: apt install {package}), put them on PATH, or"
        f" name their folder in {FOLDER}",
        code="6473",
    )


def _is_mariadb(program: Path) -> bool:
    """Tell whether a program of MySQL's name is MariaDB's, which writes MySQL's schema otherwise."""
    done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
        [str(program), "--version"], capture_output=True, text=True, check=False, timeout=30
    )
    return "mariadb" in done.stdout.lower()


def _folders(name: str) -> Iterator[Path]:
    named = os.environ.get(FOLDER)
    if named:
        yield Path(named)
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path).parent
    for pattern in _PLACES:
        yield from sorted(Path("/").glob(pattern))


def _settings(connection: Connection) -> str:
    given = parameters(connection)
    lines = [
        "[client]",
        f"host={_quoted(str(given['host']))}",
        f"port={given['port']}",
        "protocol=tcp",
        f"user={_quoted(str(given['user']))}",
        f"password={_quoted(str(given['password']))}",
        "default-character-set=utf8mb4",
    ]
    lines += [f"{name}={_quoted(str(given[key]))}" for key, name in _FROM_CONNECTION.items() if key in given]
    if given.get("ssl_disabled"):
        lines.append("skip-ssl")
    # Some programs verify unless they are told otherwise, and others do not know the word.
    verify = int(bool(given.get("ssl_verify_identity")))
    lines.append(f"loose-ssl-verify-server-cert={verify}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _failed(name: str, at: str, said: str) -> ServerUnavailableError | PermanentError:
    if any(text in said for text in _GOES_AWAY):
        return ServerUnavailableError(
            f"running {name} of {at}",
            got=said,
            expected="an answer of the database server",
            state="nothing was touched by it",
            remedy="wait for the server or the network, then run this again",
            code="6474",
        )
    return PermanentError(
        f"running {name} of {at}",
        got=said,
        expected="the schema, written down",
        state="nothing was touched by it",
        remedy="mend what it says: mostly a missing SHOW VIEW, TRIGGER or EVENT privilege",
        code="6475",
    )
