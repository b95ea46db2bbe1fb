"""Whether a translated rule does what the source's does: both replayed over the same series."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from heavylift.alerts.adversary import Trial
from heavylift.alerts.replay import Change, State
from heavylift.alerts.series import Series

Replay = Callable[[Series, float], list[Change]]
"""A series and for how long after it is looked → states."""


@dataclass(frozen=True)
class Verdict:
    """What two rules did over one series.

    :param source: when the source's began to fire and ceased to, in turn; likewise ``target``.
    :param delay: the most that one came after the other, in seconds; ``None`` where their turns differ.
    """

    trial: str
    missing: bool
    source: tuple[float, ...]
    target: tuple[float, ...]
    equal: bool
    delay: float | None
    why: str


def turns(states: list[Change]) -> tuple[float, ...]:
    """Return when an alert began and ceased to fire, in turn."""
    found: list[float] = []
    firing = False
    for change in states:
        if (change.state is State.ALARM) != firing:
            firing = not firing
            found.append(change.at)
    return tuple(found)


def compare(
    source: Replay, target: Replay, scale: float, trials: Iterable[Trial], tail: float, tolerance: float
) -> list[Verdict]:
    """Replay both rules over the same series, each in its own unit.

    :param scale: by what the source's values are multiplied to be the target's.
    :param tolerance: seconds between two turns that count as the same.
    """
    return [
        _judged(each, source(each.series, tail), target(each.series.scaled(scale), tail), tolerance)
        for each in trials
    ]


def _judged(trial: Trial, before: list[Change], after: list[Change], tolerance: float) -> Verdict:
    source, target = turns(before), turns(after)
    if len(source) == len(target):
        delay = max((abs(a - b) for a, b in zip(source, target, strict=True)), default=0.0)
        why = "" if delay <= tolerance else f"they differ by up to {delay / 60:g} minutes"
        return Verdict(trial.name, trial.missing, source, target, delay <= tolerance, delay, why)
    if not target:
        why = "the target's never fires"
    elif not source:
        why = "the source's never fires, the target's does"
    else:
        first = (target[0] - source[0]) / 60
        why = f"the source's changes {len(source)} times, the target's {len(target)}"
        why += f"; the first {first:+g} minutes"
    if trial.missing:
        why += "; the series has gaps, and they treat missing data differently"
    return Verdict(trial.name, trial.missing, source, target, False, None, why)


def explained(verdicts: list[Verdict], tolerance: float) -> str:
    """Return the outcome in a sentence."""
    differing = [each for each in verdicts if not each.equal]
    if not verdicts:
        return "not replayed: no series can try it"
    if not differing:
        worst = max((each.delay or 0.0 for each in verdicts), default=0.0)
        return f"equal on {len(verdicts)} series, to within {worst:g} s (allowed: {tolerance:g} s)"
    gaps = all(each.missing for each in differing)
    delays = [each.delay for each in differing]
    first = differing[0]
    if all(each is not None for each in delays):
        found = f"differs by up to {max(each or 0.0 for each in delays) / 60:g} minutes"
    else:
        found = "differs"
    where = " (only where data are missing)" if gaps else ""
    where += f", first on {first.trial!r}: {first.why}"
    return f"{found} on {len(differing)} of {len(verdicts)} series{where}"
