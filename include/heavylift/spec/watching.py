"""Which looks the section ``monitor`` of a spec comes to; the DAG is made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from heavylift.spec.model import MigrationSpec
from heavylift.spec.sections_monitor import ConvergenceWatch, CostWatch, GapsWatch, Watch


@dataclass(frozen=True)
class Look:
    """One watched thing on one side.

    :param side: empty for what is looked at on both sides together.
    """

    watch: str
    side: Literal["", "source", "target"] = ""

    @property
    def title(self) -> str:
        """How it is named for people."""
        return f"{self.watch} {self.side}".strip()


def looks_of(spec: MigrationSpec) -> list[Look]:
    """Return the looks of a spec, in its order, the source's before the target's."""
    watches = spec.monitor.watches() if spec.monitor else ()
    return [look for _, _, watch in watches for look in sides_of(watch)]


def sides_of(watch: Watch | ConvergenceWatch | CostWatch) -> Iterator[Look]:
    """Yield the looks of one watched thing."""
    if isinstance(watch, ConvergenceWatch):
        yield Look(watch.name, "target")
    elif isinstance(watch, GapsWatch | CostWatch):
        yield Look(watch.name)
    else:
        if watch.source is not None:
            yield Look(watch.name, "source")
        if watch.target is not None:
            yield Look(watch.name, "target")
