"""Rules for another platform, each replayed against the one that it comes from."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heavylift.alerts import azure, cloudwatch, composite_write, google, prometheus
from heavylift.alerts.adversary import Trial, trials
from heavylift.alerts.comparing import Replay, Verdict, compare, explained
from heavylift.alerts.composite import (
    Composite,
    Parts,
    composite_trials,
    joined,
    of_cloudwatch,
    renamed_parts,
    replayed,
)
from heavylift.alerts.formula import Formula, Several, replaced
from heavylift.alerts.formula import written as written_formula
from heavylift.alerts.metrics import RECORDED, counterpart, factor
from heavylift.alerts.model import Aggregation, Loss, Metric, Platform, Rule
from heavylift.alerts.problems import UntranslatableError, text, unreadable, untranslatable
from heavylift.alerts.queries.model import AllOf
from heavylift.alerts.replay import Change
from heavylift.alerts.replay import cloudwatch as replay_cloudwatch
from heavylift.alerts.series import Series

Written = tuple[dict[str, Any], list[Loss]]


@dataclass(frozen=True)
class Names:
    """The user's names of the target.

    :param metrics: ``namespace/name`` of the source → the target's metric.
    :param labels: ``name=value`` of the source → the target's labels.
    :param scopes: of Azure: ids of the resource that is watched.
    """

    metrics: Mapping[str, Metric] = field(default_factory=dict)
    labels: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Translated:
    """A rule, what it became, and how both behaved.

    :param document: in the target's form.
    :param outcome: in words.
    """

    rule: Rule | Composite
    target: Rule | Composite
    document: dict[str, Any]
    verdicts: list[Verdict]
    outcome: str

    @property
    def equal(self) -> bool:
        """Tell whether both fired and ceased together on every series."""
        return bool(self.verdicts) and all(each.equal for each in self.verdicts)


@dataclass
class Outcome:
    """All rules of a document, translated or listed."""

    translated: list[Translated] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    untranslated: list[Loss] = field(default_factory=list)


READERS: dict[Platform, Callable[[Any], tuple[list[Rule], list[Loss]]]] = {
    Platform.CLOUDWATCH: cloudwatch.read,
    Platform.GOOGLE: google.read,
    Platform.AZURE: azure.read,
    Platform.PROMETHEUS: prometheus.read,
}


def read_mapping(path: Path | None, target: Platform) -> Names:
    """Read the user's names: JSON with ``metrics``, ``labels``, ``scopes``.

    :raises SpecError: it is of another form.
    """
    if path is None:
        return Names()
    what = f"the names in {path}"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or not found.keys() <= {"metrics", "labels", "scopes"}:
            raise unreadable(what, "another document", "metrics, labels, scopes")
        return Names(
            {
                key: Metric(target, each.get("namespace", ""), text(what, each["name"]), each.get("unit", ""))
                for key, each in found.get("metrics", {}).items()
            },
            {
                key: tuple(sorted((name, text(what, value)) for name, value in each.items()))
                for key, each in found.get("labels", {}).items()
            },
            tuple(text(what, each) for each in found.get("scopes", ())),
        )
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, OSError):
        raise unreadable(what, "something odd", "JSON with metrics, labels, scopes") from None


def translate(
    document: Any, source: Platform, target: Platform, names: Names, given: list[Trial] | None = None,
    tolerance: float | None = None,
) -> Outcome:  # fmt: skip
    """Translate all rules of a document, and replay each beside its source.

    :param given: series to replay; default: those made to try each rule.
    :param tolerance: seconds that count as the same; default: the slower of both evaluation intervals.
    :raises SpecError: it is no document of the source.
    """
    rules, lost = READERS[source](document)
    found = Outcome(untranslated=list(lost))
    taken: set[str] = set()
    for rule in rules:
        if rule.name in taken:
            raise unreadable("the source's rules", f"two called {rule.name}", "names that differ")
        taken.add(rule.name)
        try:
            found.translated.append(_one(rule, target, names, found.losses, given, tolerance))
        except UntranslatableError as problem:
            found.untranslated.append(Loss(rule.name, problem.got, problem.remedy))
    wholes, lost = composites(document, source, rules)
    found.untranslated += lost
    for whole in wholes:
        try:
            found.translated.append(_whole(whole, target, names, found.losses, tolerance))
        except UntranslatableError as problem:
            found.untranslated.append(Loss(whole.name, problem.got, problem.remedy))
    return found


def composites(document: Any, source: Platform, rules: Sequence[Rule]) -> tuple[list[Composite], list[Loss]]:
    """Return the alerts of a document that are made of others, and those that have no counterpart."""
    if source is Platform.CLOUDWATCH:
        return of_cloudwatch(document, rules)
    if source is Platform.PROMETHEUS:
        return [], []
    azures = source is Platform.AZURE
    found, losses = (azure if azures else google).together(document)
    made = [
        Composite(
            name, source, joined(AllOf, parts), tuple(parts), parts[0].severity, parts[0].description,
            parts[0].actions, together=azures,
        )
        for name, parts in found
    ]  # fmt: skip
    return made, losses


def _whole(
    whole: Composite, target: Platform, names: Names, losses: list[Loss], tolerance: float | None
) -> Translated:
    """Translate a composite, and replay it beside its source over series of all its parts."""
    parts, scales = [], {}
    for rule in whole.parts:
        if rule.formula is not None:
            there, inner = renamed_formula(rule, rule.formula, target, names, losses)
            scales[rule.name] = 1.0, inner
        else:
            there, scale = renamed(rule, target, names, losses)
            scales[rule.name] = scale, {}
        parts.append(there)
    there_whole = renamed_parts(whole, parts)
    allowed = tolerance if tolerance is not None else float(max(60, whole.every))
    spans = [(each.windows + each.extra) * max(each.step, each.period) for each in whole.parts]
    tail = float(max(spans) + 2 * max(each.period for each in whole.parts) + 300)
    source = replayed(whole, source_replay)
    best: tuple[Translated, list[Loss]] | None = None
    refused: UntranslatableError | None = None
    for write in composite_write.writers(target, names.scopes):
        try:
            made, replay, lost = write(there_whole)
            after = _retold_parts(replay, there_whole, scales)
            verdicts = compare(source, after, 1.0, composite_trials(whole), tail, allowed)
        except UntranslatableError as problem:
            refused = refused or problem
            continue
        done = Translated(whole, there_whole, made, verdicts, explained(verdicts, allowed))
        if best is None or (done.equal and not best[0].equal):
            best = done, lost
        if done.equal:
            break
    if best is None:
        raise refused or untranslatable(whole.name, f"a form of {target}")
    told = "name a channel on the target"
    losses += [*best[1], *(Loss(whole.name, f"it tells {action}", told) for action in whole.actions)]
    return best[0]


def _retold_parts(
    replay: Replay, whole: Composite, scales: Mapping[str, tuple[float, dict[str, float]]]
) -> Replay:
    def retold(series: Series, tail: float) -> list[Change]:
        if not isinstance(series, Parts):
            raise untranslatable(whole.name, "a series of one metric for an alert of several")
        parts: dict[str, Series] = {}
        for rule in whole.parts:
            part, (scale, inner) = series.parts[rule.name], scales[rule.name]
            if isinstance(part, Several) and rule.formula is not None:
                parts[rule.name] = part.retold(rule.formula, inner)
            else:
                parts[rule.name] = part.scaled(scale)
        return replay(Parts(whole.parts, parts), tail)

    return retold


def _one(
    rule: Rule, target: Platform, names: Names, losses: list[Loss], given: list[Trial] | None,
    tolerance: float | None,
) -> Translated:  # fmt: skip
    scales: dict[str, float] = {}
    if rule.formula is not None:
        if given is not None:
            told = "a series of one metric for a rule of several"
            raise untranslatable(rule.name, told, "compare without --series")
        (there, scales), scale = renamed_formula(rule, rule.formula, target, names, losses), 1.0
    else:
        there, scale = renamed(rule, target, names, losses)
    best: tuple[Translated, list[Loss]] | None = None
    refused: UntranslatableError | None = None
    for write in _writers(target, names):
        try:
            made, lost = write(there)
        except UntranslatableError as problem:
            refused = refused or problem
            continue
        done = _replayed(rule, there, (scale, scales), made, given, tolerance)
        if best is None or (done.equal and not best[0].equal):
            best = done, lost
        if done.equal:
            break
    if best is None:
        raise refused or untranslatable(rule.name, f"a form of {target}")
    losses += best[1]
    told = "name a channel on the target"
    losses += [Loss(rule.name, f"it tells {action}", told) for action in rule.actions]
    return best[0]


def _writers(target: Platform, names: Names) -> list[Callable[[Rule], Written]]:
    if target is Platform.GOOGLE:
        # Its own form first: a page of the console shows it, and people can change it there.
        return [google.write_threshold, google.write_promql]
    if target is Platform.AZURE:
        return [lambda rule: azure.write(rule, names.scopes)]
    return [cloudwatch.write] if target is Platform.CLOUDWATCH else [prometheus.write]


def renamed_formula(
    rule: Rule, formula: Formula, target: Platform, names: Names, losses: list[Loss]
) -> tuple[Rule, dict[str, float]]:
    """Return a rule whose formula has the target's names, and by what each term's values are multiplied.

    :raises UntranslatableError: a metric of it has no counterpart.
    """
    terms, scales = [], {}
    for name, term in formula.terms:
        one = dataclasses.replace(
            rule, metric=term.metric, aggregation=term.aggregation, labels=term.labels, formula=None
        )
        there, scales[name] = renamed(one, target, names, losses)
        terms.append((name, dataclasses.replace(term, metric=there.metric, labels=there.labels)))
    made = dataclasses.replace(formula, terms=tuple(terms), node=replaced(formula.node, scales))
    metric = Metric(target, "", written_formula(made.node))
    return dataclasses.replace(rule, metric=metric, formula=made), scales


def renamed(rule: Rule, target: Platform, names: Names, losses: list[Loss]) -> tuple[Rule, float]:
    """Return a rule with the target's names and units, and by what values are multiplied.

    :raises UntranslatableError: its metric has no counterpart.
    """
    what = f"the alert {rule.name}"
    metric = counterpart(what, rule.metric, target, names.metrics)
    scale = factor(rule.metric.unit, metric.unit)
    if rule.aggregation is Aggregation.COUNT:
        scale = 1.0
    elif scale is None:
        raise untranslatable(
            what, f"the unit {rule.metric.unit or '?'} as {metric.unit or '?'}", "tell the unit in --metrics"
        )
    if metric.name.startswith(RECORDED):
        losses.append(Loss(rule.name, f"it watches {metric.name}", "record that series on the target"))
    labels: list[tuple[str, str]] = []
    for name, value in rule.labels:
        mine = names.labels.get(f"{name}={value}")
        if mine is None and target is not rule.metric.platform:
            mine = ((_name_of(name, target), value),)
            remedy = "name its counterpart in --metrics, under labels"
            losses.append(Loss(rule.name, f"the label {name}={value} is taken over as it is", remedy))
        labels += ((name, value),) if mine is None else mine
    there = dataclasses.replace(
        rule, metric=metric, threshold=_scaled(rule.threshold, scale), labels=tuple(sorted(labels))
    )
    return there, scale


def _name_of(name: str, target: Platform) -> str:
    if target not in (Platform.PROMETHEUS, Platform.GOOGLE):
        return name
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.rpartition(".")[2]).lower()
    return re.sub(r"[^a-z0-9_]", "_", plain)


def _scaled(value: float, scale: float) -> float:
    # A threshold of 80 % is 0.8, the number that a person would write.
    return float(f"{value * scale:.15g}")


def source_replay(rule: Rule) -> Replay:
    """Return how a rule's own platform replays it."""
    if rule.metric.platform is Platform.CLOUDWATCH:
        return lambda series, tail: replay_cloudwatch(rule, series, tail)
    made: dict[str, Any]
    if rule.metric.platform is Platform.GOOGLE:
        from heavylift.alerts.replay import google_threshold

        return lambda series, tail: google_threshold(rule, series, tail)
    if rule.metric.platform is Platform.AZURE:
        from heavylift.alerts.replay import azure_metric, azure_query

        kind = azure_metric if rule.windows == 1 else azure_query
        return lambda series, tail: kind(rule, series, tail)
    made, _ = prometheus.write(rule)
    return lambda series, tail: prometheus.replay(made, rule.every, series, tail)


def document_replay(document: dict[str, Any], rule: Rule) -> Replay:
    """Return how a written rule is replayed: it is read from the document again."""
    platform = rule.metric.platform
    if platform is Platform.GOOGLE:
        return lambda series, tail: google.replay(document, series, tail)
    if platform is Platform.AZURE:
        return lambda series, tail: azure.replay(document, series, tail)
    if platform is Platform.PROMETHEUS:
        return lambda series, tail: prometheus.replay(document, rule.every, series, tail)
    [read], _ = cloudwatch.read(document)
    return lambda series, tail: replay_cloudwatch(read, series, tail)


def _replayed(
    rule: Rule, there: Rule, scale: tuple[float, dict[str, float]], made: dict[str, Any],
    given: list[Trial] | None, tolerance: float | None,
) -> Translated:  # fmt: skip
    allowed = tolerance if tolerance is not None else float(max(60, rule.every))
    tail = float((rule.windows + rule.extra) * max(rule.step, rule.period) + 2 * rule.period + 300)
    before, after = source_replay(rule), document_replay(made, there)
    verdicts = compare(
        before,
        _retold(after, there, scale[1]),
        scale[0],
        given if given is not None else trials(rule),
        tail,
        allowed,
    )
    return Translated(rule, there, made, verdicts, explained(verdicts, allowed))


def _retold(replay: Replay, there: Rule, scales: dict[str, float]) -> Replay:
    """Return a replay that takes the source's series of several metrics under the target's names."""

    def retold(series: Series, tail: float) -> list[Change]:
        if isinstance(series, Several) and there.formula is not None:
            series = series.retold(there.formula, scales)
        return replay(series, tail)

    return retold


def one_series(name: str, series: Series) -> list[Trial]:
    """Return a series of the user's as what is replayed."""
    return [Trial(name, series, True)]
