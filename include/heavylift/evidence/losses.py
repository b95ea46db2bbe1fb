"""How far databases and streams were carried back from a target, by the records of those who did it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from heavylift.errors import NotFoundError
from heavylift.evidence.database_evidence import read_database
from heavylift.evidence.loss_records import Loss
from heavylift.evidence.records import RunKey
from heavylift.evidence.runs import list_runs
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.stream_evidence import read_stream_evidence
from heavylift.evidence.switch_evidence import latest_switch

_STREAM = "stream "
_REGISTRY = "registry "
_REVERSE = "reverse"
_NAMED = 8


async def losses_of(store: EvidenceStore, migration: str, names: Sequence[str]) -> tuple[Loss, ...]:
    """Return what each of ``names`` loses; streams are ``stream NAME``, registries ``registry NAME``.

    :raises NotFoundError: the workload was never switched: nothing was written on the target.
    """
    kept = await latest_switch(store, migration, arrived=True, goal="target")
    if kept is None:
        raise NotFoundError(
            f"counting what {migration} would lose without its target",
            got="no switch that came to an end",
            expected="a workload that was switched to the target",
            state="nothing was touched",
            remedy="it is on the source still: heavylift cutover status",
            code="9652",
        )
    since = kept.record.ended_at
    runs = {
        phase: [seen.key for seen in await list_runs(store, migration, phase)][::-1]
        for phase in ("sync", "registry")
    }
    return tuple(
        [
            await _loss(store, name, runs["registry" if name.startswith(_REGISTRY) else "sync"], since)
            for name in sorted(names)
        ]
    )


async def _loss(store: EvidenceStore, name: str, runs: Sequence[RunKey], since: datetime) -> Loss:
    if name.startswith(_STREAM):
        return await _of_stream(store, name, runs, since)
    for run in runs:
        # A followed registry keeps its rounds as a database's.
        kept = (await read_database(store, run, name.replace(_REGISTRY, "registry-", 1))).sync
        if kept is None or kept.record.ended_at <= since or kept.record.direction != _REVERSE:
            continue
        record = kept.record
        behind = f", then {record.lag_bytes:,} bytes of log behind" if record.lag_bytes else ""
        return Loss(
            subject=name,
            carried_until=record.ended_at,
            position=record.applied_position,
            at_least=record.lag_bytes,
            since=since,
            detail=f"everything committed on the target after {record.applied_position}, carried back"
            f" {_at(record.ended_at)}{behind}",
        )
    return _nothing_carried(name, since)


async def _of_stream(store: EvidenceStore, name: str, runs: Sequence[RunKey], since: datetime) -> Loss:
    for run in runs:
        kept = (await read_stream_evidence(store, run, name.removeprefix(_STREAM))).mirror
        if kept is None or kept.record.ended_at <= since:
            continue
        record = kept.record
        ends = [f"{each.topic}[{each.partition}]@{each.mirrored_to}" for each in record.lag]
        position = " ".join(ends[:_NAMED])
        return Loss(
            subject=name,
            carried_until=record.ended_at,
            position=position,
            at_least=record.lag_records,
            unit="records",
            since=since,
            detail=f"every record of the target from {position or 'its end'} on, mirrored back"
            f" {_at(record.ended_at)}; {record.lag_records:,} of them were there then",
        )
    return _nothing_carried(name, since)


def _nothing_carried(name: str, since: datetime) -> Loss:
    detail = f"everything written on the target since the switch {_at(since)}: nothing was carried back"
    unit = "records" if name.startswith(_STREAM) else "bytes of log"
    return Loss.model_validate({"subject": name, "since": since, "unit": unit, "detail": detail})


def _at(moment: datetime) -> str:
    return f"at {moment:%Y-%m-%d %H:%M:%S} UTC"
