"""Translates files of queries of logs, and judges the translation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heavylift.alerts.queries import filter_pattern
from heavylift.alerts.queries.documents import read_queries, read_where
from heavylift.alerts.queries.lines import Line, read_lines
from heavylift.alerts.queries.model import Language, Where
from heavylift.alerts.queries.tokens import UnsaidError, malformed
from heavylift.alerts.queries.translate import Ran, beside, read, translate
from heavylift.alerts.queries.trials import trial_lines
from heavylift.evidence.alert_records import AlertGap, LogQuery, LogQueryRecord
from heavylift.evidence.canonical import canonical_json, sha256_hex
from heavylift.evidence.records import RunKey


@dataclass(frozen=True)
class QueriesRequest:
    """What is to be translated.

    :param files: queries of the source.
    :param names_path: where lines lie on the target.
    :param lines_paths: lines to run both over; none: lines made to try each query.
    :param accepted: names of queries that may differ or stay behind; they are listed all the same.
    """

    run: RunKey
    source: Language
    target: Language
    files: Sequence[Path]
    names_path: Path | None = None
    lines_paths: Sequence[Path] = ()
    accepted: frozenset[str] = field(default_factory=frozenset)


def translate_queries(request: QueriesRequest) -> LogQueryRecord:
    """Translate queries, and run each beside its source over the same lines; touches no platform.

    The same files give the same digest.

    :raises SpecError: a file cannot be read.
    """
    where = read_where(request.names_path)
    given = [each for path in request.lines_paths for each in read_lines(path)]
    given = [
        Line(number, each.at, each.raw, each.fields, each.structured) for number, each in enumerate(given)
    ]
    queries: list[LogQuery] = []
    left: list[AlertGap] = []
    texts = [each for path in request.files for each in read_queries(path)]
    if len({name for name, _ in texts}) < len(texts):
        raise malformed("two queries of one name", "names that differ")
    for name, text in texts:
        try:
            queries.append(_one(request, name, text, where, given))
        except UnsaidError as problem:
            left.append(AlertGap(rule=name, what=problem.got, remedy=problem.remedy))
    failures = (
        *(f"{each.name}: {each.outcome}" for each in queries if not (each.equal or each.accepted)),
        *(f"{each.rule}: not translated: {each.what}" for each in left if each.rule not in request.accepted),
    )
    content = [each.model_dump(mode="json") for each in (*queries, *left)]
    return LogQueryRecord(
        run=request.run,
        source=request.source.value,
        target=request.target.value,
        queries=tuple(queries),
        untranslated=tuple(left),
        digest=sha256_hex(canonical_json({"queries": content})),
        passed=not failures,
        failures=failures,
    )


@dataclass(frozen=True)
class MetricsRequest:
    """Metric filters to carry over.

    :param resource: Google's type of resource, which its alerts name.
    """

    run: RunKey
    target: Language
    file: Path
    names_path: Path | None = None
    resource: str = "global"
    accepted: frozenset[str] = field(default_factory=frozenset)


def translate_metric_filters(
    request: MetricsRequest,
) -> tuple[LogQueryRecord, dict[str, Any], dict[str, Any]]:
    """Return what became of metric filters, the target's metrics of logs, and their names for alerts.

    Each pattern is run beside its translation over lines made to try it; touches no platform.

    :raises SpecError: a file cannot be read.
    """
    asked = QueriesRequest(
        request.run, Language.FILTER, request.target, [request.file], request.names_path,
        accepted=request.accepted,
    )  # fmt: skip
    record = translate_queries(asked)
    where, texts = read_where(request.names_path), {each.name: each.target for each in record.queries}
    metrics, names = [], {}
    for each in filter_pattern.read_filters(request.file):
        if each.name not in texts:
            continue
        text = texts[each.name]
        if request.target is Language.LOGQL:
            counts = filter_pattern.counted(filter_pattern.read(each.pattern))
            text = translate(counts, Language.FILTER, Language.LOGQL, where).text
        made, named = filter_pattern.log_metric(each, request.target, text, request.resource)
        metrics.append(made)
        names[f"{each.namespace}/{each.metric}"] = named
    group = {"name": "heavylift-logs", "interval": "1m", "rules": metrics}
    document = {"groups": [group]} if request.target is Language.LOGQL else {"metrics": metrics}
    return record, document, {"metrics": names}


def _one(request: QueriesRequest, name: str, text: str, where: Where, given: list[Line]) -> LogQuery:
    query = read(request.source, text, where.message if request.source is Language.KQL else "")
    written = translate(query, request.source, request.target, where)
    lines = given or trial_lines(query)
    source, target = (request.source, query), (request.target, written)
    ran = beside(source, target, where, lines)
    outcome = _outcome(ran, bool(given))
    plain = [each for each in lines if not each.structured]
    if ran.why and plain and not beside(source, target, where, plain).why:
        outcome += "; equal where lines are no JSON, of which the target keeps no text"
    return LogQuery(
        name=name,
        source=text,
        target=written.text,
        parameters=dict(written.parameters),
        lines=ran.lines,
        source_rows=ran.source_rows,
        target_rows=ran.target_rows,
        equal=not ran.why and ran.source_rows > 0,
        accepted=name in request.accepted,
        outcome=outcome,
        notes=tuple(AlertGap(rule=name, what=what, remedy=remedy) for what, remedy in written.notes),
    )


def _outcome(ran: Ran, given: bool) -> str:
    whose = "lines of yours" if given else "made lines"
    if ran.why:
        return f"differs over {ran.lines} {whose}: {ran.why}"
    if not ran.source_rows:
        return f"not proved: neither finds a row in {ran.lines} {whose}; give lines of which it finds some"
    return f"equal: {ran.source_rows} rows of {ran.lines} {whose}"
