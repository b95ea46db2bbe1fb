"""What each platform would have done: a rule and a series become states, minute by minute."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from heavylift.alerts.model import Missing, Rule
from heavylift.alerts.series import Series

MAX_EVALUATIONS = 500_000


class State(StrEnum):
    """Of an alert."""

    OK = "ok"
    ALARM = "alarm"
    NO_DATA = "no_data"


@dataclass(frozen=True)
class Change:
    """A state and when it began."""

    at: float
    state: State


Evaluate = Callable[[float, State], State]
"""A moment and the state before it → the state."""


def moments(series: Series, every: float, tail: float) -> Iterator[float]:
    """Return when a series is looked at: until its last sample has left every window."""
    begin, end = series.looked_at
    first = math.floor(begin / every) * every
    count = int((end + tail - first) / every) + 2
    return (first + every * each for each in range(min(count, MAX_EVALUATIONS)))


def changes(series: Series, every: float, tail: float, evaluate: Evaluate, state: State) -> list[Change]:
    """Return the states of a replay, each where it began."""
    found: list[Change] = []
    for at in moments(series, every, tail):
        state = evaluate(at, state)
        if not found or found[-1].state is not state:
            found.append(Change(at, state))
    return found


def cloudwatch(rule: Rule, series: Series, tail: float) -> list[Change]:
    """Replay an alarm as CloudWatch documents it: "Configuring how CloudWatch alarms treat missing data".

    It looks at more windows than the alarm has periods. Where at least that many have samples, the newest of
    them count, and missing ones do not; otherwise as few missing ones as needed are put in. It looks every
    minute, at windows that end then.
    """

    def evaluate(at: float, before: State) -> State:
        windows = [_bad(rule, series, at, each) for each in range(rule.windows + rule.extra)]
        return judge(rule, windows, before)

    return changes(series, rule.every, tail, evaluate, State.NO_DATA)


def judge(rule: Rule, windows: list[bool | None], before: State) -> State:
    """Return an alarm's state for windows, the newest first: bad, good, or missing.

    Where the documentation says only that the alarm does not begin (few windows, all of them bad and young),
    an alarm that treats missing data as missing is taken to be off.
    """
    real = [each for each in windows if each is not None]
    bad = sum(real[: rule.windows])
    if bad >= rule.needed:
        return State.ALARM
    filled = rule.windows - len(real)
    if filled <= 0:
        return State.OK
    if rule.missing is Missing.GOOD:
        return State.OK
    if rule.missing is Missing.BAD:
        return State.ALARM if bad + filled >= rule.needed else State.OK
    if bad < len(real):  # At least one is good, and the bad ones are too few.
        return State.OK
    if rule.missing is Missing.KEEP:
        return before
    if not real:
        return State.NO_DATA
    oldest = max(each for each, window in enumerate(windows) if window)
    return State.ALARM if oldest + 1 >= rule.needed else State.OK


def _bad(rule: Rule, series: Series, at: float, back: int) -> bool | None:
    end = at - back * rule.step
    value = rule.value(series.window(end - rule.period, end, at))
    return None if value is None else rule.comparison.holds(value, rule.threshold)


def google_threshold(rule: Rule, series: Series, tail: float) -> list[Change]:
    """Replay a threshold as Google documents it: "Behavior of metric-based alerting policies".

    Every minute the last alignment period becomes one value; the condition is met when all values of the
    retest window are bad, and no longer with the first good one. Nothing is missing before the first sample:
    without a time series there is nothing to evaluate. An incident that closes by itself after days without
    data is not replayed.
    """
    since: list[float | None] = [None]
    retest = (rule.windows - 1) * rule.step

    def evaluate(at: float, before: State) -> State:
        # An alignment period has its end, and not its start.
        edge = 1e-6
        value = rule.value(series.window(at - rule.period + edge, at + edge, at))
        if value is None and rule.missing in (Missing.KEEP, Missing.UNKNOWN):
            since[0] = since[0] if before is State.ALARM else None
            return before
        if value is None:
            bad = rule.missing is Missing.BAD and at >= series.first
        else:
            bad = rule.comparison.holds(value, rule.threshold)
        if not bad:
            since[0] = None
            return State.OK
        begun = since[0] if since[0] is not None else at
        since[0] = begun
        return State.ALARM if at - begun >= retest else State.OK

    return changes(series, 60, tail, evaluate, State.OK)


HEALTHY = 3
"""Checks in a row without the condition after which Azure resolves a metric alert."""


def azure_metric(rule: Rule, series: Series, tail: float) -> list[Change]:
    """Replay a metric alert with a static threshold: on at the first bad check, off after three others.

    A window without samples is no check: the state stays.
    """
    quiet = [0]

    def evaluate(at: float, before: State) -> State:
        value = rule.value(series.window(at - rule.period, at, at))
        if value is None:
            return before
        quiet[0] = 0 if rule.comparison.holds(value, rule.threshold) else quiet[0] + 1
        if quiet[0] == 0:
            return State.ALARM
        return State.ALARM if before is State.ALARM and quiet[0] < HEALTHY else State.OK

    return changes(series, rule.every, tail, evaluate, State.OK)


def azure_query(rule: Rule, series: Series, tail: float) -> list[Change]:
    """Replay a log search alert: so many of the last evaluations bad. One without rows is a good one.

    Off as soon as too few of them are bad (a time without the condition is not asked for).
    """
    seen: list[bool] = []

    def evaluate(at: float, before: State) -> State:
        value = rule.value(series.window(at - rule.period, at, at))
        seen.append(value is not None and rule.comparison.holds(value, rule.threshold))
        return State.ALARM if sum(seen[-rule.windows :]) >= rule.needed else State.OK

    return changes(series, rule.every, tail, evaluate, State.OK)
