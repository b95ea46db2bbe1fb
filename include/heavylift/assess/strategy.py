"""How a component's data is switched: big bang, phased, trickle or CDC, and why not another way.

The first way that fits is taken, from the simplest to the one that needs most. In that order the time
until all has moved does not fall, so a faster line or more downtime never makes a move longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from heavylift.assess.carrying import Carrier, changes_per_second
from heavylift.evidence.assess_input import Component, Constraints
from heavylift.evidence.assess_records import Rejected, Route, Strategy
from heavylift.evidence.wording import duration, size

SWITCH_SECONDS = 60.0
"""From the last change to the first request at the target: drain, switch, first look."""

PASS_SECONDS = 900.0
"""How often a trickle passes over the changes when it has caught up."""

LAG_SECONDS = 10.0
"""How far a caught-up CDC is behind."""

RETENTION_FACTOR = 2.0
"""A log must be kept for so many times the snapshot (strategy_rules.csv: airbyte#18573)."""

LISTED_PER_SECOND = 200_000
"""Keys that one listing passes in a second: 200 pages of 1,000."""

_LISTED = {"object storage", "shared file system", "container registry", "model registry"}
"""What can be compared by listing it: a sync key without anybody's doing."""


@dataclass(frozen=True)
class Way:
    """One way, judged. ``against`` is empty where it fits.

    :param elapsed_seconds: None where it never ends.
    """

    strategy: Strategy
    against: str
    elapsed_seconds: float | None
    downtime_seconds: float
    moved_bytes: int
    rpo_seconds: float


@dataclass(frozen=True)
class Choice:
    """The way that was taken, and those that were not."""

    way: Way
    route: Route
    reason: str
    rejected: tuple[Rejected, ...]

    @property
    def syncs(self) -> bool:
        """Whether changes are carried while it is copied."""
        return self.way.strategy in {"trickle", "cdc"}


_REDEPLOY = Choice(
    Way("redeploy", "", 0.0, 0.0, 0, 0.0),
    "none",
    "it has no data of its own: it is made again from its definition",
    (),
)


_UNMEASURED = Choice(
    Way("none", "its size is not known", None, 0.0, 0, 0.0),
    "none",
    "its size is not known: time and cost leave it out",
    (),
)


def choose(component: Component, capability: str, carrier: Carrier, constraints: Constraints) -> Choice:
    """Return how a component's data is carried and switched."""
    if not component.is_measured:
        return _UNMEASURED
    if not component.size_bytes:
        return _REDEPLOY
    limit = downtime_limit(component, constraints)
    ways = _ways(component, capability, carrier, constraints, limit)
    rejected = [Rejected(way=way.strategy, reason=way.against) for way in ways if way.against]
    fitting = next((way for way in ways if not way.against), None)
    shipped, why_not = _shipped(component, carrier, ways)
    if shipped and (fitting is None or (fitting.elapsed_seconds or 0.0) > (shipped.elapsed_seconds or 0.0)):
        return Choice(shipped, "appliance", _shipping(component, carrier, shipped), tuple(rejected))
    if why_not:
        rejected.append(Rejected(way="appliance", reason=why_not))
    if fitting is None:
        reason = f"no way keeps to {_time(limit)} of downtime; see what each lacks"
        stuck = Way("none", reason, None, ways[0].downtime_seconds, component.size_bytes, 0.0)
        return Choice(stuck, "online", reason, tuple(rejected))
    later = [
        Rejected(way=way.strategy, reason=f"{fitting.strategy} fits and is simpler")
        for way in ways[ways.index(fitting) + 1 :]
        if not way.against
    ]
    return Choice(fitting, "online", _reason(fitting, limit), (*rejected, *later))


def downtime_limit(component: Component, constraints: Constraints) -> float:
    """Return how long a component may be down: its own word, at most a wave's."""
    own = component.downtime_seconds
    return constraints.downtime_seconds if own is None else min(own, constraints.downtime_seconds)


def _ways(
    component: Component, capability: str, carrier: Carrier, constraints: Constraints, limit: float
) -> list[Way]:
    copy = carrier.copy_seconds(component)
    frozen = copy + carrier.verify_seconds(component)
    part = frozen / component.partitions
    volume = component.size_bytes
    caught_up = carrier.catch_up_seconds(component)
    changes, rate = changes_per_second(component), carrier.bytes_per_second
    # V / (b - c) at rate b: the passes over the changes send them again.
    again = int(volume * rate / (rate - changes)) if rate > changes else volume
    listing = component.objects / LISTED_PER_SECOND
    trickle = 2 * changes * PASS_SECONDS / rate + listing + SWITCH_SECONDS
    cdc = changes * LAG_SECONDS / rate + SWITCH_SECONDS
    rpo = constraints.rpo_seconds if component.rpo_seconds is None else component.rpo_seconds
    whole = _too_long(frozen, limit, "frozen while it is copied and verified")
    passes = _trickle(component, capability, carrier, trickle, limit, rpo)
    log = _cdc(component, carrier, caught_up, cdc, limit, rpo)
    return [
        Way("big-bang", whole, copy, frozen, volume, 0.0),
        Way("phased", _phased(component, part, limit), copy, part, volume, 0.0),
        Way("trickle", passes, caught_up, trickle, again, PASS_SECONDS),
        Way("cdc", log, caught_up, cdc, again, LAG_SECONDS),
    ]


def _phased(component: Component, part: float, limit: float) -> str:
    if component.partitions < 2:
        return "it has no parts that could be switched one at a time"
    return _too_long(part, limit, f"each of its {component.partitions} parts frozen")


def _trickle(
    component: Component, capability: str, carrier: Carrier, freeze: float, limit: float, rpo: float | None
) -> str:
    listed = component.sync_key is None and capability in _LISTED
    if not component.sync_key and not listed:
        return "no key or time by which changes are found"
    if component.hard_deletes and not listed and not component.objects:
        return "rows are deleted for good, which a sync key does not show"
    if rpo is not None and rpo < PASS_SECONDS:
        return f"a pass every {_time(PASS_SECONDS)} may lose more than the {_time(rpo)} that RPO allows"
    return _converges(component, carrier) or _too_long(freeze, limit, "the last pass")


def _cdc(
    component: Component,
    carrier: Carrier,
    caught_up: float | None,
    freeze: float,
    limit: float,
    rpo: float | None,
) -> str:
    if not component.log_access:
        unknown = component.log_access is None
        return "nobody says it has a log" if unknown else "no access to a log of changes"
    if problem := _converges(component, carrier):
        return problem
    kept = component.log_retention_seconds
    if kept is not None and caught_up is not None and kept < RETENTION_FACTOR * caught_up:
        return (
            f"the log is kept for {_time(kept)}, and {RETENTION_FACTOR:g} times the {_time(caught_up)}"
            " of the copy are needed"
        )
    if rpo is not None and rpo < LAG_SECONDS:
        return f"a lag of {_time(LAG_SECONDS)} may lose more than the {_time(rpo)} that RPO allows"
    return _too_long(freeze, limit, "the last changes")


def _converges(component: Component, carrier: Carrier) -> str:
    changes, rate = changes_per_second(component), carrier.bytes_per_second
    if changes < rate:
        return ""
    return (
        f"catching up never ends: {size(changes)} change in a second, and {carrier.name} carries"
        f" {size(rate)} a second"
    )


def _shipped(component: Component, carrier: Carrier, ways: list[Way]) -> tuple[Way | None, str]:
    """Return the way on devices; else why not, where there are devices."""
    if carrier.devices is None:
        return None, ""
    if not carrier.can_ship(component):
        return None, "below about 40 TB a device is not worth its shipping"
    trip = carrier.device_seconds(component)
    changes, rate = changes_per_second(component), carrier.bytes_per_second
    if not changes:
        return Way("big-bang", "", trip, carrier.verify_seconds(component), 0, 0.0), ""
    # What a trip of weeks leaves behind has to come over the line, by a way that can sync.
    after = next((way for way in ways[2:] if not way.against), None)
    if after is None:
        return None, "nothing carries the changes of the trip afterwards: " + "; ".join(
            f"{way.strategy}: {way.against}" for way in ways[2:]
        )
    backlog = changes * trip
    elapsed = trip + backlog / (rate - changes)
    moved = int(backlog * rate / (rate - changes))
    return Way(after.strategy, "", elapsed, after.downtime_seconds, moved, after.rpo_seconds), ""


def _shipping(component: Component, carrier: Carrier, way: Way) -> str:
    rounds = carrier.rounds(component)
    text = f"{rounds} trip{'s' if rounds > 1 else ''} with devices: {_time(way.elapsed_seconds or 0.0)}"
    online = carrier.copy_seconds(component)
    text += f", the line alone would take {_time(online)}"
    if way.moved_bytes:
        text += f"; {size(way.moved_bytes)} of changes follow over the line ({way.strategy})"
    return text


def _reason(way: Way, limit: float) -> str:
    return (
        f"{_time(way.downtime_seconds)} of downtime of the {_time(limit)} there are,"
        f" all has moved after {_time(way.elapsed_seconds or 0.0)}"
    )


def _too_long(seconds: float, limit: float, what: str) -> str:
    return "" if seconds <= limit else f"{what}: {_time(seconds)}, and {_time(limit)} are allowed"


def _time(seconds: float) -> str:
    return duration(timedelta(seconds=seconds)) if seconds < 1e11 else "thousands of years"
