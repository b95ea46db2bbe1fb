"""What a lane is meant to reach, and whether it did."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.measure import Found, Sample

_LABELS = {
    "cpu_seconds": "client CPU",
    "wall_seconds": "wall time",
    "peak_mib": "peak memory",
}
_UNITS = {"wall_seconds": " s", "cpu_seconds": " s", "peak_mib": " MiB"}


@dataclass(frozen=True)
class Goal:
    """An upper bound on one of our figures.

    :param figure: a field of Sample, or one of its extra figures.
    :param peers: the figure is a ratio to the best of these, run by run; none: it is itself.
    :param of: the tool of ours whose figure it is; empty: that of the lane.
    """

    figure: str
    at_most: float
    peers: tuple[str, ...] = ()
    of: str = ""


@dataclass(frozen=True)
class Verdict:
    """A goal beside what was measured; ``value`` is None where there is nothing to judge."""

    goal: Goal
    value: float | None
    missing: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """Return ``met``, ``missed`` or ``no figure``."""
        if self.value is None:
            return "no figure"
        return "met" if self.value <= self.goal.at_most else "missed"

    def text(self) -> str:
        """Return the line for people."""
        label = _LABELS.get(self.goal.figure, self.goal.figure.replace("_", " "))
        unit = "x" if self.goal.peers else _UNITS.get(self.goal.figure, "")
        digits = 2 if self.goal.peers or self.goal.figure == "wall_seconds" else 0
        got = "-" if self.value is None else f"{self.value:.{digits}f}{unit}"
        limit = f"{self.goal.at_most:.{digits}f}{unit}"
        return f"{label:<16}{got:>11}  goal <= {limit:<10}{self.word:<10}{self._beside()}".rstrip()

    def _beside(self) -> str:
        if not self.goal.peers:
            return ""
        names = [name for name in self.goal.peers if name not in self.missing]
        whose = f"of {self.goal.of} " if self.goal.of else ""
        text = f"{whose}beside {'the better of ' if len(names) > 1 else ''}{', '.join(names) or 'nobody'}"
        return f"{text} (without {', '.join(self.missing)})" if self.missing else text

    def as_json(self) -> dict[str, Any]:
        """Return the verdict for the file of figures."""
        return {
            "figure": self.goal.figure,
            "of": self.goal.of,
            "peers": list(self.goal.peers),
            "at_most": self.goal.at_most,
            "value": self.value,
            "peers_without_figure": list(self.missing),
            "verdict": self.word,
        }


def judge(goals: Sequence[Goal], found: Found, base: str) -> list[Verdict]:
    """Return a verdict for each goal, of ``base`` unless it names another tool of ours."""
    return [_judge(goal, found, goal.of or base) for goal in goals]


def _judge(goal: Goal, found: Found, base: str) -> Verdict:
    missing = tuple(name for name in goal.peers if not found.complete(name))
    ours = found.complete(base)
    if not ours:
        return Verdict(goal, None, missing)
    if not goal.peers:
        return Verdict(goal, statistics.median(figure(sample, goal.figure) for sample in ours))
    theirs = [samples for name in goal.peers if (samples := found.complete(name))]
    if not theirs:
        return Verdict(goal, None, missing)
    ratios = [
        figure(mine, goal.figure) / min(figure(sample, goal.figure) for sample in run)
        for mine, *run in zip(ours, *theirs, strict=True)
    ]
    return Verdict(goal, statistics.median(ratios), missing)


def figure(sample: Sample, name: str) -> float:
    """Return one of a sample's own or extra figures."""
    return float(sample.extra[name] if name in sample.extra else getattr(sample, name))
