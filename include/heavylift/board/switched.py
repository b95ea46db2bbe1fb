"""Which side the workload is on, and what the analysis of its canary said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from heavylift.board.listing import Listing
from heavylift.board.reader import Reader
from heavylift.evidence.canary_records import CANARY_FOLDER, CanaryRecord
from heavylift.evidence.parsing import RecordT
from heavylift.evidence.switch_records import (
    SWITCH_FOLDER,
    ReadinessItem,
    ReadinessRecord,
    ShiftRecord,
    SwitchRecord,
    TurnRecord,
    turns_folder,
)

_PHASES = ("cutover", "rollback")


@dataclass(frozen=True)
class Verdict:
    """What the analysis of one step decided.

    :param latency: quantile, source's and target's milliseconds.
    """

    step: str
    verdict: str
    reasons: tuple[str, ...]
    samples: int
    decided_at: datetime
    latency: tuple[tuple[str, float, float], ...]
    path: str


@dataclass(frozen=True)
class SwitchView:
    """How the switching of a workload stands.

    :param writes: the side that takes the applications' writes; ``nobody`` where none is known to.
    :param requests_percent: of the requests, how many the target answers; None where nothing splits them.
    :param epoch: the fencing token of the last turn.
    :param outcome: of the last attempt that had something to do, in words.
    :param open_items: what is not ready yet, by the last look.
    """

    writes: str
    requests_percent: int | None
    epoch: int
    turn: str
    outcome: str = ""
    reason: str = ""
    pause_seconds: float | None = None
    budget_seconds: float | None = None
    at: datetime | None = None
    path: str = ""
    shift_path: str = ""
    readiness_path: str = ""
    open_items: tuple[ReadinessItem, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


async def read_switched(reader: Reader, listing: Listing) -> SwitchView | None:
    """Return how the switch stands, or None where nobody has come near it."""
    runs = [run for run in listing.runs if run.key.phase in _PHASES]
    folders = [run.key.folder for run in runs]
    switches = await newest_of(reader, listing, folders, "switch-", SwitchRecord, "ended_at")
    shift = await newest_of(reader, listing, folders, "shift-", ShiftRecord, "shifted_at")
    ready = await newest_of(reader, listing, folders, "readiness-", ReadinessRecord, "seen_at")
    turn = await reader.last(listing.numbered(turns_folder(listing.migration), ""), TurnRecord)
    verdicts = await _verdicts(reader, listing, folders[-1:])
    if not (switches or shift or ready or turn or verdicts):
        return None
    switch = switches[1] if switches else None
    told = await _attempt(reader, listing, folders[-2:]) or switches
    attempt = told[1] if told else None
    return SwitchView(
        writes=_writes(switch),
        requests_percent=shift[1].after.target_percent if shift else None,
        epoch=turn[1].epoch if turn else switch.epoch if switch else 0,
        turn=f"{turn[1].actor}, towards the {turn[1].goal}" if turn else "",
        outcome=_words(attempt) if attempt else "",
        reason=attempt.reason if attempt else "",
        pause_seconds=attempt.write_pause_seconds if attempt else None,
        budget_seconds=attempt.write_pause_budget_seconds if attempt else None,
        at=attempt.ended_at if attempt else None,
        path=told[0] if told else "",
        shift_path=shift[0] if shift else "",
        readiness_path=ready[0] if ready else "",
        open_items=ready[1].open_items if ready else (),
        verdicts=verdicts,
    )


async def _attempt(reader: Reader, listing: Listing, folders: list[str]) -> tuple[str, SwitchRecord] | None:
    """Return the newest attempt that had something to do: what follows it finds writes where they belong."""
    paths = [path for folder in folders for path in listing.numbered(folder, f"{SWITCH_FOLDER}/switch-")]
    found = [each for each in await reader.records(paths, SwitchRecord) if each[1].outcome != "already"]
    return max(found, key=lambda each: each[1].ended_at, default=None)


def _words(record: SwitchRecord) -> str:
    return {
        "switched": f"writes moved to the {record.goal}",
        "already": f"writes were on the {record.goal} already",
        "returned": "writes went back to where they were",
        "between": "writes are between the sides",
    }[record.outcome]


async def newest_of(
    reader: Reader, listing: Listing, folders: list[str], kind: str, model: type[RecordT], time: str
) -> tuple[str, RecordT] | None:
    """Return the newest record of a kind that runs of a switch have left, with its path, or None.

    :param folders: of the runs; ``time``: the field that tells the record's age.
    """
    paths = [path for folder in folders for path in listing.newest(folder, f"{SWITCH_FOLDER}/{kind}")]
    found = await reader.records(paths, model)
    return max(found, key=lambda each: getattr(each[1], time), default=None)


def _writes(switch: SwitchRecord | None) -> str:
    """Tell the side by how every database stood after the last switch."""
    if switch is None:
        return "source"
    if not switch.after.databases:
        return switch.goal if switch.outcome in ("switched", "already") else "source"
    sides = {
        "both" if (stand.source, stand.target) == ("open", "open")
        else "source" if stand.source == "open"
        else "target" if stand.target == "open"
        else "nobody"
        for stand in switch.after.databases
    }  # fmt: skip
    return sides.pop() if len(sides) == 1 else "partly"


async def _verdicts(reader: Reader, listing: Listing, folders: list[str]) -> tuple[Verdict, ...]:
    paths = [
        path
        for folder in folders
        for path in listing.newest(folder, f"{CANARY_FOLDER}/[^/]+/canary-analysis-")
    ]
    found = [
        Verdict(
            step=record.step,
            verdict=record.verdict,
            reasons=record.reasons,
            samples=record.samples,
            decided_at=record.decided_at,
            latency=tuple(
                (name, value, record.target.quantiles_ms[name])
                for name, value in record.source.quantiles_ms.items()
                if name in record.target.quantiles_ms
            ),
            path=path,
        )
        for path, record in await reader.records(paths, CanaryRecord)
    ]
    return tuple(sorted(found, key=lambda each: each.decided_at))
