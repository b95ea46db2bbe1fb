"""Series of several metrics that try a formula hard: good, bad, missing by turns, and divided by nothing."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from heavylift.alerts.adversary import BAD, GOOD, NONE, START, Trial
from heavylift.alerts.formula import Formula, Several, Term
from heavylift.alerts.model import Aggregation, Rule
from heavylift.alerts.series import Sample, Series

ZERO, PART = "0", "?"
"""Letters of a window: all terms are zero; one of them is missing, each in its turn."""
_VALUES = (0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 80.0, 100.0, 400.0, 1000.0)
_MOST = 20_000
_LONG, _RANDOM = 80, 6
Values = dict[str, float | None]


def formula_trials(rule: Rule, formula: Formula) -> Iterator[Trial]:
    """Return series for a rule of a formula; none where no values of its terms make it both good and bad."""
    found = _letters(rule, formula)
    if found is None:
        return
    wide = rule.windows + rule.extra
    calm, storm = GOOD * (wide + 2), BAD * (wide + 2)
    words = {
        "never bad": calm,
        "bad and good again": calm + storm + calm,
        "flapping": (GOOD + BAD) * (wide + 2),
        "one spike": calm + BAD + calm,
        "all terms zero": calm + ZERO * (wide + 2) + storm + ZERO * (wide + 2) + calm,
    }
    for length in range(1, wide + 2):
        words[f"{length} bad windows"] = calm + BAD * length + calm
        words[f"a gap of {length} while bad"] = calm + storm + NONE * length + storm + calm
        words[f"a gap of {length} in one term"] = calm + storm + PART * length + storm + PART * length + calm
    chance = random.Random(1)  # noqa: S311 - it makes series, no secrets.
    for each in range(_RANDOM):
        word = "".join(chance.choices([GOOD, BAD, NONE, ZERO, PART], [5, 5, 2, 1, 2], k=_LONG))
        words[f"random windows {each + 1}"] = calm + word + calm
    for name, word in words.items():
        yield Trial(name, series(rule, formula, word, found), NONE in word or PART in word)


def word_series(rule: Rule, formula: Formula, word: str) -> Several | None:
    """Return samples for windows that are good, bad or missing; None where no values make them."""
    found = _letters(rule, formula)
    return None if found is None else series(rule, formula, word, found)


def _letters(rule: Rule, formula: Formula) -> dict[str, list[Values]] | None:
    names = [name for name, _ in formula.terms]
    found: dict[str, list[Values]] = {GOOD: [], BAD: []}
    for values in itertools.islice(itertools.product(_VALUES, repeat=len(names)), _MOST):
        told: Values = dict(zip(names, values, strict=True))
        value = formula.value(told)
        if value is None or value != value or value == rule.threshold:
            continue
        letter = BAD if rule.comparison.holds(value, rule.threshold) else GOOD
        if len(found[letter]) < _LONG:
            found[letter].append(told)
    if not found[GOOD] or not found[BAD]:
        return None
    found[NONE] = [dict.fromkeys(names)]
    found[ZERO] = [dict.fromkeys(names, 0.0)]
    found[PART] = [{**found[BAD][0], name: None} for name in names]
    return found


def series(rule: Rule, formula: Formula, word: str, letters: dict[str, list[Values]]) -> Several:
    """Return samples of all terms for windows that are told by letters."""
    parts: dict[str, list[Sample]] = {name: [] for name, _ in formula.terms}
    turns = dict.fromkeys(letters, 0)
    for index, letter in enumerate(word):
        choice = letters[letter][turns[letter] % len(letters[letter])]
        turns[letter] += 1
        for name, term in formula.terms:
            value = choice[name]
            if value is not None:
                parts[name] += _samples(term, START + index * rule.period, rule.period, value)
    return Several(formula, {name: Series(each) for name, each in parts.items()})


def _samples(term: Term, start: float, period: int, value: float) -> list[Sample]:
    count = max(1, min(5, period // 60))
    if term.aggregation is Aggregation.COUNT:
        count = int(value)
    each = value / count if term.aggregation is Aggregation.SUM and count else value
    gap = period / max(1, count)
    return [Sample(start + gap * (n + 0.5), each, start + gap * (n + 0.5)) for n in range(count)]
