"""What ``heavylift registry`` does with a registry that is followed: sync, follow, verify, switch, end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn

from heavylift.cli.acts import note_act
from heavylift.cli.output import ExitStatus, finish, mark_touched, note
from heavylift.cli.registry_following_artifacts import Artifacts, Objects
from heavylift.cli.registry_text import moved, reporter, verified

if TYPE_CHECKING:
    from heavylift.errors import TransientError
    from heavylift.evidence.records import EvidenceRef
    from heavylift.evidence.table_records import StreamStatus, SyncRecord
    from heavylift.fencing import Side
    from heavylift.registry.requests import RegistryRequest


def is_followed(request: RegistryRequest) -> bool:
    """Tell whether a stream keeps the registry's target; changes nothing."""
    from heavylift.aio import run
    from heavylift.mirror import followed

    return run(followed.is_followed(request))


def sync(request: RegistryRequest, objects: Objects, *, as_json: bool) -> NoReturn:
    """Apply what the live side has committed until now, move the artifacts, and end."""
    from heavylift.aio import run
    from heavylift.cli.registry_artifacts import move_artifacts
    from heavylift.mirror import api
    from heavylift.mirror.requests import turned
    from heavylift.tables import wording

    mark_touched()
    record, ref = run(api.sync_following(request, reporter()))
    note_act(request, request.registry, "registry.synced", (ref,), dict(wording.sync_figures(record)))
    back = record.direction == "reverse"
    seen = turned(request) if back else request
    ours, theirs, evidence = objects
    places = (theirs, ours, evidence) if back else objects
    artifacts, passed = move_artifacts(seen, *places)
    finish(
        {"sync": record.model_dump(mode="json"), "artifacts": artifacts},
        text=f"{record.direction}: {wording.sync_line(record)}",
        as_json=as_json,
        status=ExitStatus.DONE if passed and record.caught_up else ExitStatus.FAILED,
    )


def follow(
    request: RegistryRequest,
    objects: Objects,
    *,
    anew: bool,
    for_seconds: float | None,
    artifacts_every: float,
    as_json: bool,
) -> NoReturn:
    """Begin to follow where that was not done, then apply changes as they come.

    Ends with 3 where somebody stops it, with 0 after ``for_seconds``.
    """
    from heavylift.aio import run
    from heavylift.mirror import api

    begun = run(api.begin_following(request, reporter(), anew=anew))
    mark_touched()
    document: dict[str, Any] = {"begun": None}
    if begun is not None:
        record, ref = begun
        figures = {"rows": record.rows, "written": record.written}
        note_act(request, request.registry, "registry.following_begun", (ref,), figures)
        note(moved(record))
        document["begun"] = record.model_dump(mode="json")
    note("following: changes are applied as they come; interrupt to stop")
    rounds, artifacts = Rounds(), Artifacts(request, objects, artifacts_every)
    interrupted = False
    try:
        run(_follow(request, rounds, artifacts, for_seconds))
    except KeyboardInterrupt:
        interrupted = True
    for ref, figures in rounds.records:
        note_act(request, request.registry, "registry.synced", (ref,), figures)
    finish(
        document
        | {"changes": rounds.changes, "direction": rounds.direction, "artifacts": artifacts.document},
        text=f"{rounds.changes:,} changes were applied{'; it is safe to go on later' if interrupted else ''}",
        as_json=as_json,
        status=ExitStatus.INTERRUPTED if interrupted else ExitStatus.DONE,
    )


async def _follow(
    request: RegistryRequest, rounds: Rounds, artifacts: Artifacts, for_seconds: float | None
) -> None:
    from heavylift.mirror import api
    from heavylift.tables.follow import Watching

    watching = Watching(round_done=rounds.done, kept=rounds.kept, trouble=rounds.trouble)
    moving = asyncio.ensure_future(artifacts.keep_moving(lambda: rounds.direction))
    try:
        await api.follow_registry(request, watching, for_seconds=for_seconds)
    finally:
        moving.cancel()
        await asyncio.wait({moving})


class Rounds:
    """What the rounds of a follower came to."""

    def __init__(self) -> None:
        self.changes = 0
        self.direction = "forward"
        self.records: list[tuple[EvidenceRef, dict[str, Any]]] = []

    def done(self, record: SyncRecord) -> None:
        """Take one round."""
        from heavylift.tables import wording

        self.changes += record.changes
        self.direction = record.direction
        if record.changes:
            note(f"{record.direction}: {wording.sync_line(record)}")

    async def kept(self, record: SyncRecord, ref: EvidenceRef) -> None:
        """Take what was written to the evidence store."""
        from heavylift.tables import wording

        self.records.append((ref, {**wording.sync_figures(record), "following": True}))

    def trouble(self, error: TransientError, wait: float) -> None:
        """Take an error that is waited out."""
        note(f"going on in {wait:g} s: {error}")


def verify(request: RegistryRequest, *, as_json: bool) -> NoReturn:
    """Prove a followed registry, and end: with 1 where the sides differ."""
    from heavylift.aio import run
    from heavylift.mirror import api

    mark_touched()
    record, ref = run(api.verify_following(request, reporter()))
    details = {"passed": record.passed, "differences": record.difference_count}
    note_act(request, request.registry, "registry.verified", (ref,), details)
    finish(
        {"verification": record.model_dump(mode="json")},
        text=verified(record),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


def switch(request: RegistryRequest, to: Side, *, within: float, prove: bool, as_json: bool) -> NoReturn:
    """Let clients write to the other side, and end."""
    from heavylift.aio import run
    from heavylift.mirror.switch import switch_registry

    mark_touched()
    record, ref = run(switch_registry(request, to, within_seconds=within, prove=prove, say=note))
    details = {"to": record.to, "epoch": record.epoch, "frozen_seconds": record.frozen_seconds}
    note_act(request, request.registry, "registry.switched", (ref,), details)
    opened = f"is open; neither side was for {record.frozen_seconds:.1f} s"
    what = "was open already" if record.already else opened
    finish(
        {"switch": record.model_dump(mode="json"), "evidence": ref.path},
        text=f"the {record.to} {what}",
        as_json=as_json,
    )


def status(request: RegistryRequest, *, as_json: bool) -> NoReturn:
    """Tell how both directions' streams stand, and end: with 1 where one is invalid, or none is there."""
    from heavylift.aio import run
    from heavylift.mirror import api
    from heavylift.tables import wording

    found: tuple[StreamStatus, ...] = run(api.following_status(request))
    lines = [line for each in found for line in wording.status_lines(each)] or [
        "the registry is not followed"
    ]
    finish(
        {"streams": [each.model_dump(mode="json") for each in found]},
        text="\n".join(lines),
        as_json=as_json,
        status=ExitStatus.FAILED
        if not found or any(each.state == "invalid" for each in found)
        else ExitStatus.DONE,
    )


def end(request: RegistryRequest, *, as_json: bool) -> NoReturn:
    """Give back what the streams hold, and end."""
    from heavylift.aio import run
    from heavylift.mirror import api
    from heavylift.tables import wording

    mark_touched()
    ended = run(api.end_following(request))
    for record, ref in ended:
        details = {"direction": record.direction, "state": record.status.state}
        note_act(request, request.registry, "registry.following_ended", (ref,), details)
    finish(
        {"ended": [record.model_dump(mode="json") for record, _ in ended]},
        text="\n".join(line for record, _ in ended for line in wording.status_lines(record.status)),
        as_json=as_json,
    )
