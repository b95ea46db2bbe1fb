"""What keeps a two-way sync from beginning: a state of other places, too much gone, keys, conflicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from heavylift.errors import ConflictError
from heavylift.evidence.records import Tally
from heavylift.evidence.two_way_records import TwoWayRecord
from heavylift.objects.gone import BRAKE_REMEDY, brake_on
from heavylift.objects.listing import Listing
from heavylift.objects.requests import TransferRequest
from heavylift.objects.two_way.ways import DELETE_SOURCE, DELETE_TARGET, KEEP_BOTH, TO_SOURCE, TO_TARGET, Ways
from heavylift.platforms.ports import ObjectStore

_NAMED = 5


def is_of_places(request: TransferRequest, state: Mapping[str, Any]) -> bool:
    """Tell whether a dataset's state is of the request's places, and not of others that it had before."""
    places = ("source_url", request.source), ("target_url", request.target)
    return all(state.get(name) in {None, str(place.location)} for name, place in places)


def demand_released(
    request: TransferRequest, planned: Mapping[str, Tally], listings: tuple[Listing, Listing]
) -> tuple[str, ...]:
    """Hold the brake where too much has gone from one side; return what somebody has allowed.

    :raises ConflictError: it holds; nothing was touched.
    """
    objections = []
    for act, side, other, listing in (
        (DELETE_TARGET, "source", "target", listings[0]),
        (DELETE_SOURCE, "target", "source", listings[1]),
    ):
        gone = planned.get(act, Tally()).objects
        why = brake_on(gone, listing.total.objects, request.options.delete_brake)
        if why:
            text = why.replace("the source", f"the {side}").replace("from the target", f"from the {other}")
            objections.append(text)
    if objections and not (request.options.allow_many_deletes or request.options.dry_run):
        raise ConflictError(
            f"two-way sync of dataset {request.dataset!r}",
            got="; ".join(objections),
            expected="fewer deletions, or leave to make so many",
            state="nothing was touched on either side",
            remedy=BRAKE_REMEDY,
            code="9702",
        )
    return tuple(objections)


def refuse_unholdable(request: TransferRequest, sides: tuple[ObjectStore, ObjectStore], ways: Ways) -> None:
    """Do nothing where each side can hold the keys that it is to get.

    :raises ConflictError: one cannot; nothing was touched.
    """
    problems: list[str] = []
    prefixes = request.source.location.prefix, request.target.location.prefix
    for way in ways.todo():
        for act, store, prefix in ((TO_SOURCE, sides[0], prefixes[0]), (TO_TARGET, sides[1], prefixes[1])):
            if way.act not in {act, KEEP_BOTH}:
                continue
            problem = store.key_problem(prefix + way.rel)
            if problem:
                problems.append(f"{store.location.url_of(prefix + way.rel)}: {problem}")
    if problems:
        raise ConflictError(
            f"two-way sync of dataset {request.dataset!r}",
            got=f"{len(problems)} keys that the other side cannot hold ({'; '.join(problems[:_NAMED])})",
            expected="keys that both sides can hold",
            state="nothing was touched on either side",
            remedy="rename these objects, or leave them out by exclude",
            code="9703",
        )


def refuse_stopped(request: TransferRequest, record: TwoWayRecord) -> NoReturn:
    """Refuse to go on, as the policy ``stop`` asks.

    :raises ConflictError: always; the record lists the conflicts.
    """
    named = ", ".join(f"{case.key!r} ({case.kind})" for case in record.conflicts[:_NAMED])
    raise ConflictError(
        f"two-way sync of dataset {request.dataset!r}",
        got=f"{record.conflict_count} objects that changed on both sides: {named}",
        expected="changes on one side of each object, for the policy is stop",
        state="nothing was touched on either side; the record lists every conflict",
        remedy="make the two versions equal, or choose another policy: source-wins, target-wins,"
        " newer-wins or keep-both",
        code="9704",
    )
