"""What a type of the inventory means to a plan, as data: a new type is a row in a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from heavylift.evidence.assess_input import AcceleratorUse

GIB = 2**30
LONGEST_QUEUE_HOURS = 24
"""What a stream keeps for longer is history that somebody reads again, and no mere passage."""

Attributes = Mapping[str, Any]

HELD, MADE_AGAIN = True, False
"""Whether a type holds data of its own that has to be moved, or is made again from its definition."""


@dataclass(frozen=True)
class Row:
    """One type.

    :param service: a capability of service_map.csv, or the platform's own name of the service; where
        empty, the kind decides.
    :param data: :data:`HELD` or :data:`MADE_AGAIN`. What holds data and has no size is of unknown size.
    :param holds: told of single components by their attributes, where the type alone does not tell.
    :param size: its bytes by its attributes, where the inventory has no size; None where they do not tell.
    :param instance: path of its instance types, the first accelerated one counts.
    :param machines: path of their numbers, which add up.
    :param uses: what its groups of equal machines use, where more than instance types tells that.
    :param replicas: how many run at once, where that can be told.
    :param via: the type whose attributes tell instances and numbers, where this one only refers to it.
    :param ends: what its status says once it has done its work for good.
    :param more: further fields of :class:`~heavylift.evidence.assess_input.Component`.
    :param formats: what its artifacts are, by its attributes.
    """

    service: str = ""
    data: bool = MADE_AGAIN
    holds: Callable[[Attributes], bool] | None = None
    size: Callable[[Attributes], int | None] | None = None
    instance: str = ""
    machines: str = ""
    uses: Callable[[Attributes], tuple[AcceleratorUse, ...]] | None = None
    replicas: Callable[[Attributes], int | None] | None = None
    via: str = ""
    ends: frozenset[str] = frozenset()
    more: Callable[[Attributes], Mapping[str, Any]] | None = None
    formats: Callable[[Attributes], tuple[str, ...]] | None = None

    @property
    def reads(self) -> bool:
        """Tell whether anything of it is in the attributes; parsing them takes most of the time."""
        asked = (self.holds, self.size, self.uses, self.replicas, self.more, self.formats)
        return bool(self.instance or self.via or any(asked))


def values_at(path: str, document: Any) -> list[Any]:
    """Return what lies at ``path``: names with dots between them, ``[]`` behind one for each of a list."""
    found = [document]
    for part in path.split("."):
        name, each = part.removesuffix("[]"), part.endswith("[]")
        found = [one[name] for one in found if isinstance(one, Mapping) and one.get(name) is not None]
        if each:
            found = [item for one in found if isinstance(one, list) for item in one]
    return found


def first_at(path: str, document: Any) -> Any:
    """Return the first value at ``path``, or None."""
    return next(iter(values_at(path, document)), None)


def number_at(path: str, document: Any) -> int | None:
    """Return the first value at ``path`` as a whole number, or None where it is none."""
    return number_of(first_at(path, document))


def number_of(value: Any) -> int | None:
    """Return a whole number, also one that Google writes as text; None where it is none."""
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def follows_time(_found: Attributes) -> Mapping[str, Any]:
    """Return what holds of a log: what is new in it is found by its time."""
    return {"sync_key": True}
