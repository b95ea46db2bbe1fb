"""Which evidence store a command works on: its options, the connection ``evidence``, or ./evidence."""

from __future__ import annotations

import getpass
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.connections import Connection, connection_from_env
from heavylift.errors import NotFoundError

if TYPE_CHECKING:
    from heavylift.evidence.store import EvidenceStore

EVIDENCE = "evidence"
"""The connection that is used where none is named."""

Evidence = Annotated[
    str | None,
    typer.Option(
        "--evidence", metavar="URL", help="Evidence store; default: its connection's, else ./evidence."
    ),
]
EvidenceConn = Annotated[
    str | None,
    typer.Option(
        "--evidence-conn", metavar="ID", help="Connection of the evidence store; default: evidence."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@asynccontextmanager
async def evidence_store(
    url: str | None, conn_id: str | None, *, create: bool = False
) -> AsyncIterator[EvidenceStore]:
    """Open the evidence store that the options name.

    :param create: a missing folder is made; commands that only read leave it missing.
    :raises ConnectionConfigError: the named connection is not set, or is of another kind.
    :raises NotFoundError: a folder that is only read is not there.
    """
    from heavylift.evidence.location import evidence_location
    from heavylift.evidence.store import open_evidence

    connection = evidence_connection(conn_id)
    location = evidence_location(url, connection)
    if not create and location.scheme == "file" and not Path(location.container).is_dir():
        raise NotFoundError(
            f"opening the evidence store {location}",
            got="no such folder",
            expected="a folder with evidence, named by --evidence or by connection evidence",
            state="nothing was read, and nothing was made",
            remedy="name the store with --evidence URL, or export AIRFLOW_CONN_EVIDENCE",
            code="9774",
        )
    async with open_evidence(url, connection, create=create) as store:
        yield store


def evidence_connection(conn_id: str | None) -> Connection | None:
    """Return the named connection, else the one called ``evidence`` where it is set.

    :raises ConnectionConfigError: the named connection is not set.
    """
    known = conn_id is not None or f"AIRFLOW_CONN_{EVIDENCE.upper()}" in os.environ
    return connection_from_env(conn_id or EVIDENCE) if known else None


def shell_actor() -> str:
    """Return how the audit trail names whoever runs a command: ``cli:<user>``."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError, ImportError):
        # A container's user may have no name.
        return f"cli:uid-{os.getuid()}"
