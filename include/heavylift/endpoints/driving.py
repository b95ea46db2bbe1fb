"""Brings an endpoint to what is wanted, or to nothing: looks, does the next thing, looks again.

Nothing is remembered between two calls but what this run has begun: whatever was killed goes on from what
the product shows.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from heavylift.endpoints.ports import Seen, ServingPort, Thing, WantedEndpoint
from heavylift.errors import ConflictError, HeavyliftError, IncompleteError, PermanentError, ThrottledError
from heavylift.evidence.endpoint_records import ThingRow

_QUOTA = re.compile(
    r"quota|ResourceLimitExceeded|RESOURCE_EXHAUSTED|OutOfCapacity|InsufficientCapacity|SkuNotAvailable|^8:",
    re.IGNORECASE,
)
_MOST_LOOKS = 8
"""How often a thing that was just begun may still be absent: what is made shows after a moment."""
_SECONDS = 0.25
_SHOWN = 8
Key = tuple[str, str]


@dataclass
class Progress:
    """How far an endpoint has come.

    :param begun: things that this run has had made, changed or removed, or has seen under way.
    :param waits_for: what is under way; None where nothing is.
    """

    wanted: WantedEndpoint
    begun: set[Key] = field(default_factory=set)
    before: dict[Key, Seen] = field(default_factory=dict)
    after: dict[Key, Seen] = field(default_factory=dict)
    things: list[Thing] = field(default_factory=list)
    waits_for: Thing | None = None

    @property
    def rows(self) -> list[ThingRow]:
        """What became of each thing."""
        return [
            ThingRow(
                endpoint=self.wanted.name,
                kind=thing.kind,
                name=thing.name,
                before=self.before[thing.key].state,
                after=self.after.get(thing.key, self.before[thing.key]).state,
                begun=thing.key in self.begun,
                differs=self.before[thing.key].differs,
            )
            for thing in self.things
        ]


async def look_at(port: ServingPort, wanted: WantedEndpoint) -> Progress:
    """Look at everything that an endpoint consists of; changes nothing.

    What is to be removed has all that is ours, also what the spec does not name any more.
    """
    things = await port.things(wanted)
    if wanted.leaving:
        known = {thing.key for thing in things}
        more = [thing for thing in await port.leftovers(wanted) if thing.key not in known]
        things = _ordered([*things, *more])
    found = Progress(wanted, things=things)
    for thing in found.things:
        found.before[thing.key] = found.after[thing.key] = await port.see(wanted, thing)
    return found


async def bring_up(port: ServingPort, wanted: WantedEndpoint, begun: Iterable[Key] = ()) -> Progress:
    """Do all that can be done now; what takes long is left under way, and told.

    Idempotency: what is there as wanted is left alone; the rest is made by its own name. Call it again when
    ``waits_for`` has come to an end.

    :param begun: of the call before, in the same run.
    :raises ConflictError: something of somebody else's has a name that is needed, or what is there is of
        other content; nothing was changed.
    :raises IncompleteError: the product has not made a thing; what is made stays and is found again.
    """
    found = await look_at(port, wanted)
    found.begun |= set(begun)
    refuse_conflicts(found)
    for thing in found.things:
        seen = await _made(port, found, thing)
        found.after[thing.key] = seen
        if seen.state == "under_way":
            found.begun.add(thing.key)
            found.waits_for = thing
            break
    return found


async def take_down(port: ServingPort, wanted: WantedEndpoint, begun: Iterable[Key] = ()) -> Progress:
    """Remove what is ours, the last thing first; leaves all else, and tells it.

    Idempotency: what is gone is found gone.

    :raises IncompleteError: the product did not remove a thing.
    """
    found = await look_at(port, wanted)
    found.begun |= set(begun)
    for thing in reversed(found.things):
        seen = await _removed(port, found, thing)
        found.after[thing.key] = seen
        if seen.state == "under_way":
            found.begun.add(thing.key)
            found.waits_for = thing
            break
    return found


def _ordered(things: Sequence[Thing]) -> list[Thing]:
    order = ("model", "environment", "configuration", "endpoint", "deployment", "traffic")
    return sorted(things, key=lambda thing: order.index(thing.kind))


async def _made(port: ServingPort, found: Progress, thing: Thing) -> Seen:
    for number in range(_MOST_LOOKS):
        if number > 1:
            await asyncio.sleep(_SECONDS * 2**number)
        seen = await port.see(found.wanted, thing)
        found.after[thing.key] = seen
        if seen.state in {"ready", "under_way"}:
            return seen
        if seen.state in {"foreign", "different"}:
            refuse_conflicts(found)
        if seen.state == "failed" and thing.key in found.begun:
            raise _failed(port, found, thing, seen.detail)
        # Sent again where it does not show yet: by its own name it is refused, or the same.
        try:
            await port.make(found.wanted, thing)
        except HeavyliftError as error:
            raise _translated(port, found, thing, error) from error
        found.begun.add(thing.key)
    raise _failed(port, found, thing, "it was accepted, and is not there")


async def _removed(port: ServingPort, found: Progress, thing: Thing) -> Seen:
    kept = thing.kind == "endpoint" and found.wanted.existing
    for number in range(_MOST_LOOKS):
        seen = await port.see(found.wanted, thing)
        if seen.state in {"absent", "under_way"}:
            return seen
        if kept or seen.state == "foreign" or thing.kind == "traffic":
            # The split ends with the deployments that it names.
            return Seen("kept" if thing.kind != "traffic" else "absent")
        if number > 1:
            await asyncio.sleep(_SECONDS * 2**number)
        try:
            await port.remove(found.wanted, thing)
        except HeavyliftError as error:
            raise _translated(port, found, thing, error) from error
        found.begun.add(thing.key)
    raise _failed(port, found, thing, "its removal was accepted, and it is still there")


def conflicts_in(found: Progress) -> list[str]:
    """Return what stands in the way, in words."""
    words = []
    for thing in found.things:
        seen = found.after.get(thing.key) or found.before[thing.key]
        name = f"{thing.kind} {thing.name}"
        if seen.state == "foreign":
            words.append(f"{name} is there and is not this migration's")
        elif seen.state == "different":
            words.append(f"{name} is there with another {', '.join(seen.differs[:_SHOWN])}")
    return words


def refuse_conflicts(found: Progress) -> None:
    """Do nothing where nothing stands in the way.

    :raises ConflictError: something of somebody else's, or of other content.
    """
    words = conflicts_in(found)
    if words:
        raise ConflictError(
            f"bringing up endpoint {found.wanted.name}",
            got="; ".join(words[:_SHOWN]),
            expected="free names, or exactly what the spec says",
            state="what is there was not touched",
            remedy="give the endpoint or the deployment another name (a deployment is never changed in"
            " place), or set what differs back",
            code="9289",
        )


def _translated(port: ServingPort, found: Progress, thing: Thing, error: HeavyliftError) -> HeavyliftError:
    """Return the error of a quota where the product spoke of one, else the error itself."""
    spoken = isinstance(error, PermanentError | ThrottledError) and _QUOTA.search(error.got)
    return _failed(port, found, thing, error.got) if spoken else error


def _failed(port: ServingPort, found: Progress, thing: Thing, detail: str) -> HeavyliftError:
    done = [f"{each.kind} {each.name}" for each in found.things if found.after[each.key].state == "ready"]
    state = f"made and kept: {', '.join(done) or 'nothing'}; it is found again, and nothing is made twice"
    what = f"{thing.kind} {thing.name} of endpoint {found.wanted.name} on {port.product}"
    machines = {
        each.machine: each.min_replicas
        for each in found.wanted.deployments
        if thing.kind in {"endpoint", "traffic"} or each.name == thing.name
    }
    needed = ", ".join(f"{number} × {machine}" for machine, number in machines.items())
    if _QUOTA.search(detail):
        return IncompleteError(
            what,
            got=detail,
            expected=f"quota in {found.wanted.location} for {needed}",
            state=state,
            remedy=f"have the quota that the answer names raised in {found.wanted.location} (heavylift quotas"
            " SPEC tells what is granted), or choose another machine; then run again, or clear this task",
            code="9290",
        )
    return IncompleteError(
        what,
        got=detail or "no reason given",
        expected="a thing that is ready, or gone",
        state=state,
        remedy="mend what the answer or the container's log names, then run again, or clear this task",
        code="9291",
    )
