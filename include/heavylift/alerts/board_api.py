"""Translates a file of a dashboard and judges the translation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from heavylift.alerts.dashboards import TranslatedLine, translate_dashboard
from heavylift.alerts.documents import read_document
from heavylift.alerts.model import Loss, Platform
from heavylift.alerts.series import read_series
from heavylift.alerts.translate import read_mapping
from heavylift.evidence.alert_records import AlertGap, DashboardLine, DashboardRecord
from heavylift.evidence.canonical import canonical_json, sha256_hex
from heavylift.evidence.records import RunKey


@dataclass(frozen=True)
class DashboardRequest:
    """What is to be translated.

    :param file: an export of the source's dashboard.
    :param names_path: the user's names of the target.
    :param series_paths: series to draw, each over all lines; none: series made to try each line.
    :param accepted: titles of widgets that may differ or stay behind; they are listed all the same.
    """

    run: RunKey
    source: Platform
    target: Platform
    file: Path
    names_path: Path | None = None
    series_paths: Sequence[Path] = ()
    accepted: frozenset[str] = field(default_factory=frozenset)


def translate_board(request: DashboardRequest) -> DashboardRecord:
    """Translate a dashboard and draw each of its lines on both sides; touches no platform.

    The same files give the same digest.

    :raises SpecError: a file cannot be read, or the target's region is not named.
    """
    given = [(path.name, read_series(path)) for path in request.series_paths]
    names = read_mapping(request.names_path, request.target)
    made = translate_dashboard(read_document(request.file), request.source, request.target, names, given)
    lines = tuple(_line(each, request.accepted) for each in made.lines)
    left = tuple(map(_gap, made.untranslated))
    failures = (
        *(f"{each.widget}: {each.why}" for each in lines if not (each.equal or each.accepted)),
        *(f"{each.rule}: not translated: {each.what}" for each in left if each.rule not in request.accepted),
    )
    losses = tuple(map(_gap, made.losses))
    content = [each.model_dump(mode="json") for each in (*lines, *losses, *left)]
    return DashboardRecord(
        run=request.run,
        source=request.source.value,
        target=request.target.value,
        title=made.title,
        widgets=made.widgets,
        lines=lines,
        losses=losses,
        untranslated=left,
        document=made.document,
        digest=sha256_hex(canonical_json({"document": made.document, "content": content})),
        passed=not failures,
        failures=failures,
    )


def _line(each: TranslatedLine, accepted: frozenset[str]) -> DashboardLine:
    return DashboardLine(
        widget=each.widget,
        source=each.source,
        target=each.target,
        series=each.drawn.series,
        points=each.drawn.points,
        equal=each.equal,
        accepted=not each.equal and each.widget in accepted,
        why=each.drawn.why,
        note=each.drawn.note,
    )


def _gap(loss: Loss) -> AlertGap:
    return AlertGap(rule=loss.rule, what=loss.what, remedy=loss.remedy)
