"""What the migration has left behind that proves the target has everything."""

from __future__ import annotations

from heavylift.evidence.numbered import PathOf
from heavylift.evidence.paths import database_path, verification_path
from heavylift.evidence.records import RunKey, VerificationRecord
from heavylift.evidence.run_evidence import Kept, read_all, read_latest
from heavylift.evidence.runs import list_runs
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.stream_paths import stream_verification_path
from heavylift.evidence.stream_records import StreamVerificationRecord
from heavylift.evidence.switch_evidence import CUTOVER_PHASE
from heavylift.evidence.table_records import TableVerificationRecord

_MOVES = ("transfer", "sync")


async def dataset_proof(
    store: EvidenceStore, migration: str, dataset: str
) -> Kept[VerificationRecord] | None:
    """Return the newest verification of a dataset, passed or not, or None."""
    newest: Kept[VerificationRecord] | None = None
    for phase in _MOVES:
        for seen in await list_runs(store, migration, phase):
            if dataset not in seen.datasets:
                continue
            kept = await read_latest(store, _verification(seen.key, dataset), VerificationRecord)
            if kept and (newest is None or kept.record.verified_at > newest.record.verified_at):
                newest = kept
    return newest


async def database_proof(
    store: EvidenceStore, migration: str, database: str
) -> Kept[TableVerificationRecord] | None:
    """Return the comparison of all rows with which the database was switched to the target, or None."""
    for seen in reversed(await list_runs(store, migration, CUTOVER_PHASE)):
        found = await read_all(store, _comparison(seen.key, database), TableVerificationRecord)
        for kept in reversed(found):
            record = kept.record
            if record.passed and record.mode == "frozen" and record.direction == "forward":
                return kept
    return None


async def stream_proof(
    store: EvidenceStore, migration: str, stream: str, source: str
) -> Kept[StreamVerificationRecord] | None:
    """Return the newest passed comparison of a stream with nothing left to mirror, from ``source``, or None.

    :param source: the brokers that are given up.
    """
    newest: Kept[StreamVerificationRecord] | None = None
    for phase in (*_MOVES, CUTOVER_PHASE):
        for seen in await list_runs(store, migration, phase):
            for kept in await read_all(store, _stream(seen.key, stream), StreamVerificationRecord):
                record = kept.record
                if record.source != source or record.newer or not record.passed:
                    continue
                if newest is None or record.verified_at > newest.record.verified_at:
                    newest = kept
    return newest


def _stream(run: RunKey, stream: str) -> PathOf:
    return lambda number: stream_verification_path(run, stream, number)


def _verification(run: RunKey, dataset: str) -> PathOf:
    return lambda number: verification_path(run, dataset, number)


def _comparison(run: RunKey, database: str) -> PathOf:
    return lambda number: database_path(run, database, "verification", number)
