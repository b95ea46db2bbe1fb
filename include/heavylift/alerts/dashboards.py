"""Dashboards for another platform: each widget by itself, by the same names as alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from heavylift.alerts import cloudwatch_boards, google_boards, grafana
from heavylift.alerts.boards import Board, Kind, Widget, silent
from heavylift.alerts.documents import read_document
from heavylift.alerts.model import Loss, Platform
from heavylift.alerts.problems import UntranslatableError, untranslatable
from heavylift.alerts.translate import Names, renamed

READERS: dict[Platform, Callable[[Any], tuple[Board, list[Loss]]]] = {
    Platform.CLOUDWATCH: cloudwatch_boards.read,
    Platform.GOOGLE: google_boards.read,
    Platform.PROMETHEUS: grafana.read,
}
WRITERS: dict[Platform, Callable[[Board], dict[str, Any]]] = {
    Platform.GOOGLE: google_boards.write,
    Platform.PROMETHEUS: grafana.write,
}


@dataclass(frozen=True)
class TranslatedBoard:
    """A dashboard in the target's form.

    :param untranslated: widgets that became a text which says so.
    """

    document: dict[str, Any]
    widgets: int
    losses: tuple[Loss, ...]
    untranslated: tuple[Loss, ...]


def translate_dashboard(path: Path, source: Platform, target: Platform, names: Names) -> TranslatedBoard:
    """Translate a dashboard; touches no platform. The same file gives the same document.

    :raises SpecError: the file is no dashboard of the source.
    :raises UntranslatableError: this pair of platforms is not translated.
    """
    if source not in READERS or target not in WRITERS:
        pairs = "cloudwatch, google or prometheus (Grafana) to google or prometheus (Grafana)"
        raise untranslatable(f"the dashboard {path}", f"{source} to {target}", f"translate {pairs}")
    board, lost = READERS[source](read_document(path))
    losses: list[Loss] = []
    widgets: list[Widget] = []
    for widget in board.widgets:
        try:
            widgets.append(_there(widget, target, names, losses))
        except UntranslatableError as problem:
            lost.append(Loss(widget.title, problem.got, problem.remedy))
            widgets.append(silent(widget.title, problem.got, widget))
    document = WRITERS[target](replace(board, widgets=tuple(widgets)))
    return TranslatedBoard(document, len(widgets), tuple(losses), tuple(lost))


def _there(widget: Widget, target: Platform, names: Names, losses: list[Loss]) -> Widget:
    queries = tuple(renamed(each, target, names, losses)[0] for each in widget.queries)
    made = replace(widget, queries=queries)
    if widget.kind is not Kind.TEXT:  # What cannot be written is found out for each widget by itself.
        WRITERS[target](Board("", (made,)))
    return made
