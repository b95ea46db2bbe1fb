"""Series that try a rule hard: beside the threshold, spikes, flapping, late points, gaps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from heavylift.alerts.model import Aggregation, Comparison, Rule
from heavylift.alerts.series import Sample, Series

GOOD, BAD, EDGE, NONE = "o", "x", "=", "-"
MAX_ORDER = 6
PER_WINDOW = 5
MAX_COUNTED = 100
START = 1_699_999_200.0
"""A whole hour, so that every window of a rule begins where its platform's would."""


@dataclass(frozen=True)
class Trial:
    """A named series.

    :param missing: it has gaps.
    """

    name: str
    series: Series
    missing: bool


def trials(rule: Rule) -> Iterator[Trial]:
    """Return series for a rule, in its metric's unit; none for one that counts thousands of samples."""
    if rule.formula is not None:
        from heavylift.alerts.formula_trials import formula_trials

        yield from formula_trials(rule, rule.formula)
        return
    if rule.aggregation is Aggregation.COUNT and abs(rule.threshold) > MAX_COUNTED:
        return
    wide = rule.windows + rule.extra
    calm, storm = GOOD * (wide + 2), BAD * (wide + 2)
    words = {
        "never bad": calm,
        "bad and good again": calm + storm + calm,
        "exactly the threshold": calm + EDGE * (wide + 2) + calm,
        "flapping": (GOOD + BAD) * (wide + 2),
        "one spike": calm + BAD + calm,
        "bad from the start": storm,
    }
    for length in range(2, rule.windows + 2):
        words[f"{length} bad windows"] = calm + BAD * length + calm
    for length in range(1, wide + 3):
        words[f"a gap of {length} while good"] = calm + NONE * length + calm
        words[f"a gap of {length} while bad"] = calm + storm + NONE * length + storm + calm
        words[f"bad, then a gap of {length}, then good"] = calm + storm + NONE * length + calm
        words[f"good, then a gap of {length}, then bad"] = calm + NONE * length + storm + calm
    words["data that end while bad"] = calm + storm
    words["data that end while good"] = calm
    order = min(MAX_ORDER, wide)
    words[f"every order of {order} windows"] = calm + _every_word(order) + calm
    for name, word in words.items():
        yield Trial(name, series(rule, word), NONE in word or "data that end" in name)
    late = _late(rule, calm + storm + calm)
    yield Trial("points that come late", late, True)


def series(rule: Rule, word: str) -> Series:
    """Return samples that make a rule's windows good, bad, equal to the threshold, or empty, one by one."""
    found: list[Sample] = []
    count = _per_window(rule)
    for index, letter in enumerate(word):
        start = START + index * rule.period
        each = _values(rule, letter, count)
        gap = rule.period / max(1, len(each))
        # In the middle of their time: none lies on the border of two windows.
        times = [start + gap * (number + 0.5) for number in range(len(each))]
        found += [Sample(at, value, at) for at, value in zip(times, each, strict=True)]
    return Series(found)


def _per_window(rule: Rule) -> int:
    if rule.aggregation is Aggregation.COUNT:
        return math.ceil(abs(rule.threshold)) + 1
    return max(1, min(PER_WINDOW, rule.period // 60))


def _values(rule: Rule, letter: str, count: int) -> list[float]:
    if letter == NONE:
        return []
    step = max(abs(rule.threshold) / 128, 2.0**-20)
    up = rule.comparison in (Comparison.GT, Comparison.GE)
    away = step if (letter == BAD) == up else -step
    if rule.aggregation is Aggregation.COUNT:
        whole = math.floor(rule.threshold)
        if letter != EDGE:
            whole += 1 if away > 0 else -1
        return [1.0] * max(1, whole)
    value = rule.threshold + (0.0 if letter == EDGE else away)
    return [value / count if rule.aggregation is Aggregation.SUM else value] * count


def _late(rule: Rule, word: str) -> Series:
    found = series(rule, word).samples
    return Series(
        [Sample(each.at, each.value, each.at + rule.period * (index % 3)) for index, each in enumerate(found)]
    )


def _every_word(order: int) -> str:
    """Return a de Bruijn sequence: each word of that length over good, bad and missing is somewhere in it."""
    letters, sequence = (GOOD, BAD, NONE), []
    word = [0] * (3 * order)

    def grow(at: int, period: int) -> None:
        if at > order:
            if order % period == 0:
                sequence.extend(word[1 : period + 1])
            return
        word[at] = word[at - period]
        grow(at + 1, period)
        for each in range(word[at - period] + 1, 3):
            word[at] = each
            grow(at + 1, at)

    grow(1, 1)
    found = "".join(letters[each] for each in sequence)
    return found + found[: order - 1]
