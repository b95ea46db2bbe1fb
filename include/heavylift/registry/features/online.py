"""Compares what two online stores serve for sampled keys, with times to live and tolerance by type."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from heavylift.registry.features.description import View
from heavylift.registry.features.ports import Key, Served

EVENT_TIME = "event time"
_TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
_SECOND = 1.0


@dataclass
class Parity:
    """What became of sampled keys; each is of exactly one class."""

    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("equal", "different", "missing", "extra", "expired", "absent"), 0
        )
    )
    differences: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)

    @property
    def compared(self) -> int:
        """Keys about which something was concluded."""
        return sum(self.counts[each] for each in ("equal", "different", "missing", "extra"))

    @property
    def wrong(self) -> int:
        """Keys that differ."""
        return sum(self.counts[each] for each in ("different", "missing", "extra"))

    @property
    def bound(self) -> float | None:
        """The largest part of all keys that can differ at 95 % where none of the sample does: 3/n."""
        return 3 / self.compared if self.compared and not self.wrong else None

    @property
    def passed(self) -> bool:
        """Tell whether nothing differs, and something was compared unless all of it is expired."""
        return not self.wrong and (self.compared > 0 or not self.counts["absent"])


@dataclass(frozen=True)
class Sides:
    """What both sides served.

    :param view: as the target can hold it: its types tell the tolerance.
    :param ttls: of source and target, in seconds; 0 for none.
    :param newest: event time of each key's newest row in the source's history.
    :param whole_lists: the target has an empty list where the source has none.
    :param were: types on the source of features that have another one on the target.
    """

    view: View
    ttls: tuple[int, int]
    now: float
    newest: Sequence[float]
    were: Mapping[str, str] = field(default_factory=dict)
    whole_lists: bool = False


def compare_served(
    sides: Sides, keys: Sequence[Key], source: Sequence[Served], target: Sequence[Served]
) -> Parity:
    """Return what became of each key."""
    found = Parity()
    for key, ours, theirs, newest in zip(keys, source, target, sides.newest, strict=True):
        kind, fields = _judged(sides, ours, theirs, newest)
        found.counts[kind] += 1
        if kind in {"different", "missing", "extra"}:
            name = f"{sides.view.name}: {', '.join(str(each) for each in key)}"
            found.differences.append((kind, name, fields))
    return found


def _judged(sides: Sides, ours: Served, theirs: Served, newest: float) -> tuple[str, tuple[str, ...]]:
    # The source tells what is true: an old row on the target excuses nothing where the source has a new one.
    true_at = ours.event_seconds or newest
    if ours.values is not None and theirs.values is not None:
        fields = _changed(sides, ours, theirs)
        if not fields:
            return "equal", ()
        return ("expired", ()) if _is_old(sides, true_at) else ("different", fields)
    if _is_old(sides, true_at):
        return "expired", ()
    if ours.values is None and theirs.values is None:
        return "absent", ()
    return ("missing" if theirs.values is None else "extra"), ()


def _is_old(sides: Sides, at: float) -> bool:
    return any(ttl and at + ttl < sides.now for ttl in sides.ttls)


def _changed(sides: Sides, ours: Served, theirs: Served) -> tuple[str, ...]:
    one: Mapping[str, object] = ours.values or {}
    other: Mapping[str, object] = theirs.values or {}
    fields = []
    for name, each in sides.view.features.items():
        kind = _kind(each.type, sides.were.get(name, ""))
        pair = (one.get(name), other.get(name))
        if sides.whole_lists and kind.startswith("list<"):
            pair = (pair[0] or [], pair[1] or [])
        if not is_same(kind, *pair):
            fields.append(name)
    at = (ours.event_seconds, theirs.event_seconds)
    if at[0] is not None and at[1] is not None and abs(at[0] - at[1]) > _SECOND:
        fields.append(EVENT_TIME)
    return tuple(fields)


def _kind(kind: str, was: str) -> str:
    # A moment is one, in whichever form the target serves it.
    return was if was == "timestamp" else kind


def is_same(kind: str, one: object, other: object) -> bool:
    """Tell whether two values of a type are the same: floats to what their type can tell apart."""
    if one is None or other is None:
        return one is other
    if kind.startswith("list<"):
        return (
            isinstance(one, Sequence)
            and isinstance(other, Sequence)
            and len(one) == len(other)
            and all(is_same(kind[5:-1], *pair) for pair in zip(one, other, strict=True))
        )
    if kind in _TOLERANCE:
        left, right = float(str(one)), float(str(other))
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return math.isclose(left, right, rel_tol=_TOLERANCE[kind])
    if kind.startswith("int"):
        return _number(one) == _number(other)
    if kind == "timestamp":
        return abs(seconds_of(one) - seconds_of(other)) <= _SECOND
    return str(one) == str(other)


def _number(value: object) -> int:
    return int(value) if isinstance(value, bool) else int(str(value))


def seconds_of(value: object) -> float:
    """Return a moment in seconds since 1970, from a number or from text with or without a zone (then UTC)."""
    try:
        return float(str(value))
    except ValueError:
        found = datetime.fromisoformat(str(value))
        return found.replace(tzinfo=found.tzinfo or UTC).timestamp()
