"""Where the evidence store is: a URL, what the connection says, or a folder here."""

from __future__ import annotations

from pathlib import Path

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, SpecError
from heavylift.locations import Location, parse_location

DEFAULT_FOLDER = "evidence"
_FILE_TYPES = {"file", "fs"}


def evidence_location(url: str | None, connection: Connection | None) -> Location:
    """Return the root of the evidence store; touches nothing.

    The URL wins. Else the connection tells: its extra field ``path`` (a folder, type
    ``file``) or ``evidence_url``. Without either it is ``./evidence``.

    :raises ConnectionConfigError: no URL, and a connection that names no place.
    :raises SpecError: the URL is none.
    """
    if url:
        return parse_location(url)
    if connection is None:
        return _folder(Path(DEFAULT_FOLDER))
    named = connection.text("evidence_url")
    if named:
        return parse_location(named)
    path = connection.text("path")
    if connection.conn_type in _FILE_TYPES:
        return _folder(Path(path or DEFAULT_FOLDER))
    raise ConnectionConfigError(
        f"finding the evidence store of connection {connection.conn_id!r}",
        got=f"type {connection.conn_type} without a URL",
        expected="a URL such as s3://bucket/prefix",
        state="nothing was touched",
        remedy="give --evidence URL, or set the connection's extra field evidence_url",
        code="4002",
    )


def prepare_root(location: Location) -> None:
    """Create the root where it is a local folder; buckets are never created.

    :raises SpecError: no such folder can be made here.
    """
    if location.scheme != "file":
        return
    try:
        Path(location.container).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecError(
            f"making the folder of the evidence store {location}",
            got=error.strerror or type(error).__name__,
            expected="a folder that exists or can be made, and may be written to",
            state="nothing was touched",
            remedy="give --evidence another folder, or correct the connection",
            code="9229",
        ) from error


def _folder(path: Path) -> Location:
    return Location("file", str(path.expanduser().absolute()))
