"""Source and target databases: PostgreSQL instances of their own."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from heavylift.errors import ConflictError, ServerUnavailableError
from sandbox import tools
from sandbox.accounts import Account, unprivileged
from sandbox.http import NotReadyError
from sandbox.model import Connection, Launch, Place, Server
from sandbox.pg_programs import Programs, find

USER = "heavylift"
ELSEWHERE = "elsewhere"
FEATURES = "features"

# Logical decoding with head room for several slots. A killed server loses nothing without fsync,
# only a crash of the whole machine would; a throw-away database need not survive that.
_SETTINGS = {
    "wal_level": "logical",
    "max_wal_senders": "20",
    "max_replication_slots": "40",
    "max_slot_wal_keep_size": "2GB",
    "max_worker_processes": "16",
    "max_connections": "80",
    "shared_buffers": "64MB",
    "fsync": "off",
    "full_page_writes": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "unix_socket_directories": "",
}


def server(name: str, title: str, database: str, fill: Callable[[Place, str], None] | None = None) -> Server:
    """Return one PostgreSQL instance with one database.

    :param fill: called with the database's libpq-style address once the database exists.
    """
    return Server(
        name=name,
        title=f"{title} (PostgreSQL)",
        ports=("sql",),
        launch=_launch,
        probe=_probe,
        connection=partial(_connection, database),
        secrets=lambda: {"password": secrets.token_urlsafe(24)},
        prepare=_prepare,
        settle=partial(_settle, database, fill),
        scheme="postgresql",
    )


def folder(place: Place, account: Account) -> Path:
    """Return where an instance lives: in the sandbox, or, if its user cannot get there, beside it.

    The second case is a checkout under a home that only root can enter.
    """
    place.home.mkdir(parents=True, exist_ok=True)
    if account.may("-x", place.home):
        return place.home
    note = place.home / ELSEWHERE
    if note.exists():
        return Path(note.read_text())
    made = Path(tempfile.mkdtemp(prefix=f"heavylift-{place.name}-", dir="/var/tmp"))
    made.chmod(0o711)
    note.write_text(str(made))
    return made


def _context(place: Place) -> tuple[Account, Path, Programs]:
    account = unprivileged()
    home = folder(place, account)
    return account, home, find(account, home)


def _prepare(place: Place) -> None:
    account, home, programs = _context(place)
    made = home / "data" / "PG_VERSION"
    if not made.exists():
        _initdb(place, account, home, programs)
    version = made.read_text().strip()
    if version != str(programs.major):
        raise ConflictError(
            f"starting {place.name}",
            got=f"data of PostgreSQL {version}",
            expected=f"data of PostgreSQL {programs.major}, which is installed",
            state="nothing was started; the data is untouched",
            remedy="throw the sandbox's data away with ./dev down --clean",
            code="9032",
        )


def _initdb(place: Place, account: Account, home: Path, programs: Programs) -> None:
    with tempfile.TemporaryDirectory(prefix="new-", dir=home) as name:
        area = Path(name)
        keyfile = area / "key"
        keyfile.touch(mode=0o600)
        keyfile.write_text(place.secrets["password"])
        account.own(area)
        account.own(keyfile)
        argv = [
            programs["initdb"],
            *("-D", str(area / "data"), "-U", USER, "-A", "scram-sha-256", f"--pwfile={keyfile}"),
            *("-E", "UTF8", "--no-locale", "--no-sync"),
        ]
        _as_account(account, argv, area)
        shutil.rmtree(home / "data", ignore_errors=True)
        os.rename(area / "data", home / "data")


def _as_account(account: Account, argv: list[str], cwd: Path) -> None:
    uid, gid = account.ids or (None, None)
    done = subprocess.run(
        argv,
        cwd=cwd,
        user=uid,
        group=gid,
        extra_groups=[] if account.ids else None,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
    )
    if done.returncode != 0:
        raise ServerUnavailableError(
            "making a database cluster",
            got=f"exit status {done.returncode} of initdb run as {account.name}\n{tools.tail(done.stderr)}\n",
            state="nothing was started, nothing half-made is kept",
            remedy="mend what initdb names and run the command again",
            code="9033",
        )


def _launch(place: Place) -> Launch:
    account, home, programs = _context(place)
    argv = [
        programs["postgres"],
        *("-D", str(home / "data"), "-h", "127.0.0.1", "-p", str(place.ports["sql"])),
        *(part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")),
    ]
    # SIGINT is PostgreSQL's fast shutdown; on SIGTERM it would wait for its clients to leave.
    return Launch(
        place.name,
        argv,
        str(place.log),
        str(home / "data"),
        env={"LC_ALL": "C"},
        stop_signal=int(signal.SIGINT),
        grace=20.0,
        user=account.ids,
    )


def _probe(place: Place) -> None:
    import psycopg

    try:
        with psycopg.connect(_login(place), connect_timeout=3) as session:
            session.execute("SELECT 1")
    except psycopg.OperationalError as error:
        raise NotReadyError(str(error).strip().splitlines()[-1]) from error


def address(place: Place, database: str) -> str:
    """Return a database's URL with its password in it; not to be shown."""
    return f"postgresql://{USER}:{place.secrets['password']}@127.0.0.1:{place.ports['sql']}/{database}"


def let_write(address: str, role: str, password: str) -> None:
    """Make a role that may read and write every table of a database, and those made later; safe to repeat."""
    import psycopg
    from psycopg import sql

    name, rights = sql.Identifier(role), sql.SQL("SELECT, INSERT, UPDATE, DELETE")
    with psycopg.connect(address) as session:
        if session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
            session.execute(sql.SQL("CREATE ROLE {}").format(name))
        session.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(password)))
        for kind, allowed in (("TABLES", rights), ("SEQUENCES", sql.SQL("USAGE, SELECT"))):
            what = sql.SQL(kind)
            session.execute(sql.SQL("GRANT {} ON ALL {} IN SCHEMA public TO {}").format(allowed, what, name))
            session.execute(
                sql.SQL("ALTER DEFAULT PRIVILEGES GRANT {} ON {} TO {}").format(allowed, what, name)
            )


def _settle(database: str, fill: Callable[[Place, str], None] | None, place: Place) -> None:
    _create_database(database, place)
    if fill is not None:
        fill(place, address(place, database))


def _create_database(database: str, place: Place) -> None:
    import psycopg
    from psycopg import sql

    with psycopg.connect(_login(place), autocommit=True) as session:
        found = session.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
        if found.fetchone() is None:
            session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))


def _login(place: Place) -> str:
    from psycopg.conninfo import make_conninfo

    return make_conninfo(
        host="127.0.0.1",
        port=place.ports["sql"],
        user=USER,
        password=place.secrets["password"],
        dbname="postgres",
    )


def _connection(database: str, place: Place) -> Connection:
    return {
        "conn_type": "postgres",
        "host": "127.0.0.1",
        "port": place.ports["sql"],
        "login": USER,
        "password": place.secrets["password"],
        "schema": database,
    }
