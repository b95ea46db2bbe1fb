"""A MySQL database: a MariaDB instance of its own, with a binary log as the movers need it."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from functools import partial
from pathlib import Path

from heavylift.errors import ServerUnavailableError
from sandbox import tools
from sandbox.accounts import Account, unprivileged
from sandbox.http import NotReadyError
from sandbox.mariadb_programs import Programs, find
from sandbox.model import Connection, Launch, Place, Server
from sandbox.servers.postgres import folder

USER = "heavylift"
DATABASE = "shop"

# A killed server loses nothing that it committed without a sync of each commit; a crash of the whole
# machine may, which a throw-away database need not survive.
_SETTINGS = {
    "log-bin": "mysql-bin",
    "binlog-format": "ROW",
    "binlog-row-image": "FULL",
    "binlog-row-metadata": "FULL",
    "character-set-server": "utf8mb4",
    "innodb-flush-log-at-trx-commit": "2",
    "innodb-buffer-pool-size": "64M",
    "innodb-log-file-size": "32M",
    "performance-schema": "OFF",
    "max-connections": "80",
    "bind-address": "127.0.0.1",
    "default-time-zone": "+00:00",
    "skip-name-resolve": "ON",
}


def server(name: str, title: str, *, number: int = 1) -> Server:
    """Return one MariaDB instance with one database. It starts only where it is asked for by name.

    :param number: the server's own among those that read each other's logs.
    """
    return Server(
        name=name,
        title=f"{title} (MariaDB)",
        ports=("sql",),
        launch=partial(_launch, number=number),
        probe=_probe,
        connection=_connection,
        secrets=lambda: {"password": secrets.token_urlsafe(24)},
        prepare=_prepare,
        scheme="mysql",
        on_request=True,
    )


def clients(name: str, state_dir: Path) -> Path:
    """Return the folder of the programs that talk to a server: ``mariadb-dump`` among them."""
    return _context(Place(name, state_dir, {}))[2].clients


def _context(place: Place) -> tuple[Account, Path, Programs]:
    account = unprivileged()
    home = folder(place, account)
    return account, home, find(account, home)


def _prepare(place: Place) -> None:
    account, home, programs = _context(place)
    if (home / "data" / "heavylift-made").exists():
        return
    area = home / "new"
    shutil.rmtree(area, ignore_errors=True)
    area.mkdir()
    account.own(area)
    _make(place, account, area, programs)
    shutil.rmtree(home / "data", ignore_errors=True)
    (area / "heavylift-made").touch()
    account.own(area / "heavylift-made")
    os.rename(area, home / "data")


def _make(place: Place, account: Account, area: Path, programs: Programs) -> None:
    """Make the server's own tables, and our account, as its own installer does: by feeding it statements."""
    password = place.secrets["password"]
    script = programs.system_tables() + (
        f"\nCREATE DATABASE {DATABASE} CHARACTER SET utf8mb4;\n"
        # The installer's own accounts have no password.
        "DELETE FROM mysql.global_priv WHERE User IN ('root', '');\n"
        "FLUSH PRIVILEGES;\n"
        f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        f"GRANT ALL ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION;\n"
    )
    uid, gid = account.ids or (None, None)
    argv = [
        *programs.server,
        "--bootstrap",
        f"--datadir={area}",
        "--skip-log-bin",
        "--enforce-storage-engine=",
    ]
    argv += ["--innodb-buffer-pool-size=32M", "--loose-skip-ndbcluster", "--max-allowed-packet=8M"]
    done = subprocess.run(
        argv,
        input=script,
        cwd=area,
        user=uid,
        group=gid,
        extra_groups=[] if account.ids else None,
        capture_output=True,
        text=True,
        check=False,
        env=programs.environment,
    )
    if done.returncode != 0:
        raise ServerUnavailableError(
            "making a MariaDB data folder",
            got=f"exit status {done.returncode} of mariadbd, run as {account.name}\n"
            f"{tools.tail(done.stderr)}\n",
            state="nothing was started, nothing half-made is kept",
            remedy="mend what it names and run the command again",
            code="9035",
        )


def _launch(place: Place, *, number: int) -> Launch:
    _account, home, programs = _context(place)
    data = home / "data"
    argv = [
        *programs.server,
        f"--datadir={data}",
        f"--port={place.ports['sql']}",
        f"--socket={data / 'sock'}",
        f"--pid-file={data / 'pid'}",
        f"--server-id={number}",
        *(f"--{name}={value}" for name, value in _SETTINGS.items()),
    ]
    return Launch(
        place.name,
        argv,
        str(place.log),
        str(data),
        env=programs.environment,
        grace=20.0,
        user=unprivileged().ids,
    )


def _probe(place: Place) -> None:
    import pymysql

    try:
        pymysql.connect(**_login(place), connect_timeout=3).close()
    except pymysql.MySQLError as error:
        raise NotReadyError(str(error.args[-1])) from error


def _login(place: Place) -> dict[str, object]:
    return {
        "host": "127.0.0.1",
        "port": place.ports["sql"],
        "user": USER,
        "password": place.secrets["password"],
        "database": DATABASE,
    }


def _connection(place: Place) -> Connection:
    return {
        "conn_type": "mysql",
        "host": "127.0.0.1",
        "port": place.ports["sql"],
        "login": USER,
        "password": place.secrets["password"],
        "schema": DATABASE,
    }
