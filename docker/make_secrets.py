#!/usr/bin/env python3
"""Fills the folder of secrets that docker-compose.yaml reads. Needs nothing but Python 3.11.

``python3 docker/make_secrets.py docker/secrets``

A file that exists is kept, so a second run changes nothing; the URLs are made from the passwords beside
them. To use a database or broker of your own, write its URL file before the first run. Nothing secret is
printed. The folder is closed to other users of this machine; the files in it are readable, because each
container reads its own few under a user id of its own.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o444


def _password() -> str:
    # Hexadecimal: nothing in it needs quoting in a URL, a shell or a configuration file.
    return secrets.token_hex(24)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii")


# In this order: a URL is made from the passwords before it.
MAKERS: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    "postgres_password": lambda _: _password(),
    "postgres_celery_password": lambda _: _password(),
    "redis_password": lambda _: _password(),
    "admin_password": lambda _: _password(),
    "api_secret_key": lambda _: _password(),
    "jwt_secret": lambda _: secrets.token_hex(64),
    "fernet_key": lambda _: _fernet_key(),
    "metadata_database_url": lambda made: (
        f"postgresql+psycopg2://airflow:{made['postgres_password']}@postgres:5432/airflow"
    ),
    "result_backend_url": lambda made: (
        f"db+postgresql+psycopg2://celery:{made['postgres_celery_password']}@postgres:5432/celery"
    ),
    "broker_url": lambda made: f"redis://:{made['redis_password']}@redis:6379/0",
}


def fill(folder: Path) -> list[str]:
    """Create the folder and the files that are missing, and return the names of those it made."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    folder.chmod(FOLDER_MODE)
    known: dict[str, str] = {}
    made: list[str] = []
    for name, maker in MAKERS.items():
        path = folder / name
        if not path.exists():
            _create(path, maker(known))
            made.append(name)
        known[name] = path.read_text(encoding="ascii").strip()
    return made


def _create(path: Path, value: str) -> None:
    # Linked into place when complete: an interrupted run leaves no empty secret behind.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("x", encoding="ascii") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(FILE_MODE)
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Fill the folder named by the one argument; 2 if there is not exactly one."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    made = fill(Path(arguments[0]))
    sys.stdout.write(f"made: {', '.join(made) or 'nothing'}; kept: {len(MAKERS) - len(made)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
