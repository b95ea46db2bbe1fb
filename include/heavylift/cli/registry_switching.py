"""``heavylift registry switch``, ``status`` and ``end``: what is done with a registry that is followed."""

from __future__ import annotations

from typing import Annotated

import typer

from heavylift.cli import registry_following as following
from heavylift.cli.registry_options import (
    MIGRATION,
    Artifacts,
    Migration,
    Name,
    SourceConn,
    SourceStoreConn,
    TargetConn,
    TargetStoreConn,
    request_of,
)
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn
from heavylift.fencing import Side
from heavylift.spec.vocabulary import Deletes

To = Annotated[Side, typer.Option("--to", help="which side clients may write to afterwards")]
Within = Annotated[float, typer.Option(min=1.0, help="seconds for freezing, and again for draining")]
Prove = Annotated[
    bool, typer.Option("--prove/--no-prove", help="compare both databases while nobody can write")
]


def switch(
    source_conn: SourceConn,
    target_conn: TargetConn,
    to: To,
    source_store_conn: SourceStoreConn = None,
    target_store_conn: TargetStoreConn = None,
    artifacts: Artifacts = None,
    name: Name = None,
    migration: Migration = MIGRATION,
    within: Within = 30.0,
    prove: Prove = True,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Let clients write to the other side of a followed registry (--to target, or source); keep the way back.

    Writes are frozen on the one side, what is left is carried over and proved, then the other side is opened.
    What fails before that opens the first side again. Leading clients there (DNS, a proxy) is yours.
    """
    request = request_of(
        source_conn, target_conn, source_store_conn, target_store_conn, artifacts, name, migration,
        evidence, evidence_conn, deletes=Deletes.PROPAGATE,
    )  # fmt: skip
    following.switch(request, to, within=within, prove=prove, as_json=as_json)


def status(
    source_conn: SourceConn,
    target_conn: TargetConn,
    source_store_conn: SourceStoreConn = None,
    target_store_conn: TargetStoreConn = None,
    artifacts: Artifacts = None,
    name: Name = None,
    migration: Migration = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Tell how a followed registry's streams stand, in both directions; changes nothing."""
    request = request_of(
        source_conn, target_conn, source_store_conn, target_store_conn, artifacts, name, migration,
        evidence, evidence_conn,
    )  # fmt: skip
    following.status(request, as_json=as_json)


def end(
    source_conn: SourceConn,
    target_conn: TargetConn,
    source_store_conn: SourceStoreConn = None,
    target_store_conn: TargetStoreConn = None,
    artifacts: Artifacts = None,
    name: Name = None,
    migration: Migration = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Stop following a registry for good: both databases' slots and publications are given back.

    Rows, notes and the fences of writes stay. Afterwards nothing flows in either direction.
    """
    request = request_of(
        source_conn, target_conn, source_store_conn, target_store_conn, artifacts, name, migration,
        evidence, evidence_conn,
    )  # fmt: skip
    following.end(request, as_json=as_json)
