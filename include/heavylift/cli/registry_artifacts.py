"""Moves a registry's artifacts with the mover of objects: each pair of prefixes is a dataset of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavylift.cli.output import note

if TYPE_CHECKING:
    from heavylift.registry.requests import RegistryRequest


def move_artifacts(
    request: RegistryRequest, source_conn: str | None, target_conn: str | None, evidence_conn: str | None
) -> tuple[list[dict[str, Any]], bool]:
    """Copy and verify the artifacts below each prefix; return a document for each, and whether all is well.

    Without connections nothing is moved, and the commands that do are told.
    """
    documents = []
    passed = True
    for source, target in request.options.uris.changing:
        if source_conn is None and target_conn is None:
            note(f"artifacts are not moved; do it with: heavylift objects sync {source} {target} …")
            continue
        document = _move(request, source, target, source_conn, target_conn, evidence_conn)
        documents.append(document)
        passed = passed and document["passed"]
    return documents, passed


def _move(
    request: RegistryRequest,
    source: str,
    target: str,
    source_conn: str | None,
    target_conn: str | None,
    evidence_conn: str | None,
) -> dict[str, Any]:
    from heavylift.aio import run
    from heavylift.cli.copying import copy_shards, processes_for, spread_over
    from heavylift.cli.objects_options import request_of
    from heavylift.cli.processes import in_process
    from heavylift.objects.api import plan_transfer, verify_transfer
    from heavylift.objects.requests import TransferOptions

    migration, url = request.run.migration, request.evidence_url
    made = request_of(
        source, target, source_conn, target_conn, url, evidence_conn, migration, TransferOptions(), "sync"
    )
    transfer = spread_over(made, processes_for(made))
    plan = in_process(lambda _tell: run(plan_transfer(transfer)))
    copied = copy_shards(transfer, plan, wait=True)
    proof = in_process(lambda _tell: run(verify_transfer(transfer)))
    return {
        "source": source,
        "target": target,
        "passed": proof.passed and not copied.errors,
        "plan": plan.model_dump(mode="json", include={"found", "to_copy", "unchanged", "refused"}),
        "errors": [error.attrs() for error in copied.errors],
        "verification": proof.model_dump(mode="json"),
    }
