"""Translates files of alert rules and judges the translation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from heavylift.alerts.comparing import Verdict
from heavylift.alerts.documents import combined, read_document
from heavylift.alerts.model import Loss, Platform
from heavylift.alerts.series import read_series
from heavylift.alerts.translate import Names, Outcome, Translated, one_series, read_mapping, translate
from heavylift.evidence.alert_records import AlertGap, AlertRecord, AlertReplay, AlertRule
from heavylift.evidence.canonical import canonical_json, sha256_hex
from heavylift.evidence.records import RunKey

MAX_DIFFERING = 20


@dataclass(frozen=True)
class AlertsRequest:
    """What is to be translated.

    :param files: exports of the source's rules.
    :param names_path: the user's names of the target.
    :param series_paths: series to replay, each over all rules; none: series made to try each rule.
    :param tolerance: seconds that count as the same; default: the rule's evaluation interval, at least 60.
    :param accepted: names of rules that may differ or stay behind; they are listed all the same.
    """

    run: RunKey
    source: Platform
    target: Platform
    files: Sequence[Path]
    names_path: Path | None = None
    series_paths: Sequence[Path] = ()
    tolerance: float | None = None
    accepted: frozenset[str] = field(default_factory=frozenset)


def translate_alerts(request: AlertsRequest) -> AlertRecord:
    """Translate rules and replay each beside its source; touches no platform.

    The same files give the same digest.

    :raises SpecError: a file cannot be read.
    """
    names: Names = read_mapping(request.names_path, request.target)
    given = [each for path in request.series_paths for each in one_series(path.name, read_series(path))]
    whole = Outcome()
    documents = [read_document(path) for path in request.files]
    found = [
        translate(each, request.source, request.target, names, given or None, request.tolerance)
        for each in documents
    ]
    for each in found:
        whole.translated += each.translated
        whole.losses += each.losses
        whole.untranslated += each.untranslated
    return _record(request, whole)


def _record(request: AlertsRequest, found: Outcome) -> AlertRecord:
    rules = tuple(_rule(each, request.accepted) for each in found.translated)
    losses = tuple(_gap(each) for each in found.losses)
    left = tuple(_gap(each) for each in found.untranslated)
    failures = (
        *(f"{each.name}: {each.outcome}" for each in rules if not (each.equal or each.accepted)),
        *(f"{each.rule}: not translated: {each.what}" for each in left if each.rule not in request.accepted),
    )
    content = {
        "rules": [each.model_dump(mode="json") for each in rules],
        "losses": [each.model_dump(mode="json") for each in losses],
        "untranslated": [each.model_dump(mode="json") for each in left],
    }
    return AlertRecord(
        run=request.run,
        source=request.source.value,
        target=request.target.value,
        rules=rules,
        losses=losses,
        untranslated=left,
        document=combined(request.target, found.translated),
        digest=sha256_hex(canonical_json(content)),
        passed=not failures,
        failures=failures,
    )


def _rule(each: Translated, accepted: frozenset[str]) -> AlertRule:
    differing = [verdict for verdict in each.verdicts if not verdict.equal]
    return AlertRule(
        name=each.rule.name,
        source_metric="/".join(filter(None, (each.rule.metric.namespace, each.rule.metric.name))),
        target_metric="/".join(filter(None, (each.target.metric.namespace, each.target.metric.name))),
        document=each.document,
        replays=len(each.verdicts),
        equal=each.equal,
        accepted=not each.equal and each.rule.name in accepted,
        outcome=each.outcome,
        differing=tuple(_replay(verdict) for verdict in differing[:MAX_DIFFERING]),
    )


def _replay(verdict: Verdict) -> AlertReplay:
    return AlertReplay(
        series=verdict.trial,
        missing=verdict.missing,
        source=verdict.source[:MAX_DIFFERING],
        target=verdict.target[:MAX_DIFFERING],
        equal=verdict.equal,
        why=verdict.why,
    )


def _gap(loss: Loss) -> AlertGap:
    return AlertGap(rule=loss.rule, what=loss.what, remedy=loss.remedy)
