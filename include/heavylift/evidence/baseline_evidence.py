"""The newest baseline of an endpoint, in whichever run it was measured."""

from __future__ import annotations

from heavylift.evidence.baseline_records import EndpointBaseline, baseline_path
from heavylift.evidence.numbered import PathOf
from heavylift.evidence.records import RunKey
from heavylift.evidence.run_evidence import Kept, read_latest
from heavylift.evidence.runs import list_runs
from heavylift.evidence.store import EvidenceStore

_PHASE = "assess"


async def newest_baseline(
    store: EvidenceStore, migration: str, connection: str
) -> Kept[EndpointBaseline] | None:
    """Return the baseline of an endpoint that was measured last, or None.

    :raises AuditError: a record is damaged.
    """
    newest: Kept[EndpointBaseline] | None = None
    for seen in await list_runs(store, migration, _PHASE):
        kept = await read_latest(store, _path_of(seen.key, connection), EndpointBaseline)
        if kept and (newest is None or kept.record.measured_at > newest.record.measured_at):
            newest = kept
    return newest


def _path_of(run: RunKey, connection: str) -> PathOf:
    return lambda number: baseline_path(run, connection, number)
