"""The alerts of a spec, translated for the phase provision, and both sides replayed over the same series."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.alerts.api import AlertsRequest, translate_alerts
from heavylift.alerts.documents import written
from heavylift.alerts.model import Platform
from heavylift.alerts.part_boards import Found, find_boards, keep_text
from heavylift.evidence.part_evidence import Accepted, Made, judge_gaps
from heavylift.evidence.part_records import PartGap, PartProblem
from heavylift.evidence.records import RunKey
from heavylift.spec.beside import file_beside, plain_files_beside

if TYPE_CHECKING:
    from heavylift.evidence.alert_records import AlertRecord
    from heavylift.spec.sections_jobs import AlertRules

JUDGE = "a replay of both rules over the same series"
SUFFIX = {
    Platform.CLOUDWATCH: "cloudwatch.json",
    Platform.GOOGLE: "google.json",
    Platform.AZURE: "azure.json",
    Platform.PROMETHEUS: "prometheus.yaml",
}


@dataclass(frozen=True)
class AlertsPartRequest:
    """The rules that are translated, and the spec's file, beside which their documents lie."""

    spec_path: str
    rules: tuple[AlertRules, ...]
    run: RunKey


def make_alerts(request: AlertsPartRequest, stop: threading.Event | None = None) -> Made:
    """Translate every set of rules, and replay each rule beside its source; writes nothing.

    A rule without a counterpart is told as a gap, one that fires or ceases at other moments as a problem.
    Either can be accepted by its name.

    Idempotency: the same documents, names and series give the same files.

    :param stop: no further set is looked at once it is set; what is returned then is of no use.
    :raises NotFoundError: a file is missing.
    :raises SpecError: one cannot be read, or lies outside of the spec's folder.
    """
    made = Made("alerts", "", "")
    made.counts = dict.fromkeys(("rules", "equal", "replays", "with_loss", "dashboards", "lines"), 0)
    for each in request.rules:
        if stop is not None and stop.is_set():
            break
        _add(made, request, each)
    made.source = ", ".join(sorted({each.source_kind.value for each in request.rules}))
    made.target = ", ".join(sorted({each.target_kind.value for each in request.rules}))
    made.loader = JUDGE if made.valid or made.invalid else ""
    return made


def _asked(request: AlertsPartRequest, rules: AlertRules) -> AlertsRequest:
    return AlertsRequest(
        run=request.run,
        source=Platform(rules.source_kind.value),
        target=Platform(rules.target_kind.value),
        files=_files(request.spec_path, rules.documents),
        names_path=file_beside(request.spec_path, rules.names),
        series_paths=_files(request.spec_path, rules.series),
        tolerance=rules.tolerance_seconds,
    )


def _files(spec_path: str, patterns: tuple[str, ...]) -> list[Path]:
    found = [path for pattern in patterns for path in plain_files_beside(spec_path, pattern)]
    return list(dict.fromkeys(found))


def _add(made: Made, request: AlertsPartRequest, rules: AlertRules) -> None:
    found = Found()
    if rules.documents:
        _find_rules(made, found, rules, translate_alerts(_asked(request, rules)))
    find_boards(made, found, request.spec_path, rules, request.run)
    accepted = [Accepted(f"{rules.name}: {each.subject}", each.reason) for each in rules.accept_untranslated]
    differing = [gap for _, gap in found.differing]
    judged, unused = judge_gaps([*found.left, *differing], accepted)
    made.unused += unused
    count = len(found.left)
    made.gaps += [gap for index, gap in enumerate(judged) if index < count or gap.accepted]
    named = zip(found.differing, judged[count:], strict=True)
    open_ = [(file, gap) for (file, _), gap in named if not gap.accepted]
    made.problems += [
        PartProblem(file=file, problem=f"{gap.subject}: {gap.what}"[:500]) for file, gap in open_
    ]
    made.invalid += len(open_)


def _find_rules(made: Made, found: Found, rules: AlertRules, record: AlertRecord) -> None:
    name = rules.name
    file = f"{name}.{SUFFIX[Platform(record.target)]}"
    found.left += [
        PartGap(subject=f"{name}: {each.rule}", what=each.what, remedy=each.remedy)
        for each in record.untranslated
    ]
    found.differing += [(file, gap) for gap in _differing(name, record)]
    equal = sum(each.equal for each in record.rules)
    made.valid += equal
    made.counts["rules"] += len(record.rules)
    made.counts["equal"] += equal
    made.counts["replays"] += sum(each.replays for each in record.rules)
    made.counts["with_loss"] += len(record.losses)
    _keep(made, name, file, record)


def _differing(name: str, record: AlertRecord) -> Iterator[PartGap]:
    for rule in record.rules:
        if not rule.equal:
            yield PartGap(
                subject=f"{name}: {rule.name}",
                what=rule.outcome,
                remedy="change the rule on the source, write it by hand, or accept it by its name",
            )


def _keep(made: Made, name: str, file: str, record: AlertRecord) -> None:
    if not record.rules:
        return
    text = written(record.document, Path(file))
    told = record.model_dump(
        mode="json", exclude={"run", "created_at", "schema_version", "document", "passed", "failures"}
    )
    report = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    keep_text(made, f"{name}: its text", {file: text, f"{name}.report.json": report})
