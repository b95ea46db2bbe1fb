"""Rules for another platform, each replayed against the one that it comes from."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heavylift.alerts import azure, cloudwatch, google, prometheus
from heavylift.alerts.adversary import Trial, trials
from heavylift.alerts.comparing import Replay, Verdict, compare, explained
from heavylift.alerts.metrics import RECORDED, counterpart, factor
from heavylift.alerts.model import Aggregation, Loss, Metric, Platform, Rule
from heavylift.alerts.problems import UntranslatableError, text, unreadable, untranslatable
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

    rule: Rule
    target: Rule
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
    return found


def _one(
    rule: Rule, target: Platform, names: Names, losses: list[Loss], given: list[Trial] | None,
    tolerance: float | None,
) -> Translated:  # fmt: skip
    there, scale = renamed(rule, target, names, losses)
    best: tuple[Translated, list[Loss]] | None = None
    refused: UntranslatableError | None = None
    for write in _writers(target, names):
        try:
            made, lost = write(there)
        except UntranslatableError as problem:
            refused = refused or problem
            continue
        done = _replayed(rule, there, scale, made, given, tolerance)
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
        labels += mine or ((name, value),)
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
    rule: Rule, there: Rule, scale: float, made: dict[str, Any], given: list[Trial] | None,
    tolerance: float | None,
) -> Translated:  # fmt: skip
    allowed = tolerance if tolerance is not None else float(max(60, rule.every))
    tail = float((rule.windows + rule.extra) * max(rule.step, rule.period) + 2 * rule.period + 300)
    replays = source_replay(rule), document_replay(made, there)
    verdicts = compare(*replays, scale, given if given is not None else trials(rule), tail, allowed)
    return Translated(rule, there, made, verdicts, explained(verdicts, allowed))


def one_series(name: str, series: Series) -> list[Trial]:
    """Return a series of the user's as what is replayed."""
    return [Trial(name, series, True)]
