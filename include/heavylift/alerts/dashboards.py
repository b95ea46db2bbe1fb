"""Dashboards for another platform: each widget by itself, by the same names as alerts, each line replayed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from heavylift.alerts import (
    azure_boards,
    cloudwatch_boards,
    cloudwatch_boards_write,
    google_boards,
    google_boards_write,
    grafana,
    grafana_write,
)
from heavylift.alerts.board_replay import Drawn, as_read, drawn, given_for
from heavylift.alerts.boards import RESOURCE, Axis, Board, Kind, Line, Mark, Widget, silent
from heavylift.alerts.model import Loss, Platform, Rule
from heavylift.alerts.problems import UntranslatableError
from heavylift.alerts.series import Series
from heavylift.alerts.translate import Names, renamed, renamed_formula

Read = Callable[[Any], tuple[Board, list[Loss]]]
Write = Callable[[Board], tuple[dict[str, Any], list[Loss]]]
READERS: dict[Platform, Read] = {
    Platform.CLOUDWATCH: cloudwatch_boards.read,
    Platform.GOOGLE: google_boards.read,
    Platform.AZURE: azure_boards.read,
    Platform.PROMETHEUS: grafana.read,
}
WRITERS: dict[Platform, Write] = {
    Platform.CLOUDWATCH: cloudwatch_boards_write.write,
    Platform.GOOGLE: google_boards_write.write,
    Platform.AZURE: azure_boards.write,
    Platform.PROMETHEUS: grafana_write.write,
}


@dataclass(frozen=True)
class TranslatedLine:
    """One line of a widget, and what both sides drew."""

    widget: str
    source: str
    target: str
    drawn: Drawn

    @property
    def equal(self) -> bool:
        """Tell whether every point was the same."""
        return not self.drawn.why


@dataclass(frozen=True)
class TranslatedBoard:
    """A dashboard in the target's form.

    :param losses: what the target shows otherwise, by widget.
    :param untranslated: widgets that became a text which says so.
    """

    title: str
    document: dict[str, Any]
    widgets: int
    lines: tuple[TranslatedLine, ...]
    losses: tuple[Loss, ...]
    untranslated: tuple[Loss, ...]


def translate_dashboard(
    document: Any, source: Platform, target: Platform, names: Names,
    given: Sequence[tuple[str, Series]] = (),
) -> TranslatedBoard:  # fmt: skip
    """Translate a dashboard, and draw each line on both sides; touches no platform.

    The same document gives the same translation.

    :param given: series of the user's; none: series made to try each line.
    :raises SpecError: the document is no dashboard of the source, or the target's region is not named.
    """
    board, lost = READERS[source](document)
    work = _Work(source, target, names, given)
    widgets: list[Widget] = []
    for widget in board.widgets:
        try:
            widgets.append(work.there(widget))
        except UntranslatableError as problem:
            lost.append(Loss(widget.title, problem.got, problem.remedy))
            widgets.append(silent(widget.title, problem.got, widget))
    made, more = WRITERS[target](dataclasses.replace(board, widgets=tuple(widgets), region=work.region))
    return TranslatedBoard(
        board.title,
        made,
        len(widgets),
        tuple(work.lines),
        tuple(dict.fromkeys([*board.notes, *work.losses, *more])),
        tuple(dict.fromkeys(lost)),
    )


class _Work:
    def __init__(
        self, source: Platform, target: Platform, names: Names, given: Sequence[tuple[str, Series]]
    ) -> None:
        self.source, self.target, self.names, self.given = source, target, names, given
        self.losses, self.lines = list[Loss](), list[TranslatedLine]()
        scopes = names.scopes
        self.region = scopes[0] if scopes and target is Platform.CLOUDWATCH else ""
        self.resource = scopes[0] if len(scopes) == 1 and target is Platform.AZURE else ""

    def there(self, widget: Widget) -> Widget:
        """Return a widget with the target's names, whose lines were drawn beside the source's."""
        told: list[Loss] = []
        found = [self._renamed(each, told) for each in widget.lines]
        lines = tuple(
            dataclasses.replace(line, rule=rule, expression="")
            for line, (rule, _) in zip(widget.lines, found, strict=True)
        )
        made = _scaled(dataclasses.replace(widget, lines=lines), [each for _, each in found], told)
        if widget.kind is not Kind.TEXT:
            self._draw(widget, made, [scales for _, scales in found])
        self.losses += told
        return made

    def _renamed(self, line: Line, losses: list[Loss]) -> tuple[Rule, dict[str, float]]:
        if line.rule.formula is not None:
            return renamed_formula(line.rule, line.rule.formula, self.target, self.names, losses)
        rule, scale = renamed(line.rule, self.target, self.names, losses)
        if self.resource and RESOURCE not in dict(rule.labels):
            rule = dataclasses.replace(rule, labels=tuple(sorted((*rule.labels, (RESOURCE, self.resource)))))
        return rule, {"": scale}

    def _draw(self, widget: Widget, made: Widget, scales: list[dict[str, float]]) -> None:
        """Write the widget by itself, read it again, and compare what its lines draw with the source's."""
        document, _ = WRITERS[self.target](Board("", (made,), self.region))
        [again] = READERS[self.target](document)[0].widgets
        reread = again.lines if len(again.lines) == len(made.lines) else (None,) * len(made.lines)
        found = []
        for line, there, read, scale in zip(widget.lines, made.lines, reread, scales, strict=True):
            seen = Drawn(0, 0, "what was written could not be read again")
            if read is not None:
                seen = drawn(
                    (self.source, line),
                    (self.target, as_read(read, line, self.target)),
                    (there.rule, scale),
                    given_for(line.rule, self.given),
                )
            found.append(TranslatedLine(widget.title, _told(line), _told(read or there), seen))
        self.lines += found


def _told(line: Line) -> str:
    rule = line.rule
    if line.expression or rule.formula is not None:
        return line.expression or rule.metric.name
    kind = f"p{rule.percentile:g}" if rule.percentile is not None else str(rule.aggregation)
    return f"{kind} of {'/'.join(filter(None, (rule.metric.namespace, rule.metric.name)))}"


def _scaled(widget: Widget, scales: list[dict[str, float]], losses: list[Loss]) -> Widget:
    """Return a widget whose axes and marks are in the target's units."""
    found = [(line.right, scale.get("", 1.0)) for line, scale in zip(widget.lines, scales, strict=True)]
    sides = {right: {scale for side, scale in found if side is right} for right in (False, True)}
    by = {right: next(iter(each), 1.0) if len(each) < 2 else None for right, each in sides.items()}
    marks = tuple(
        Mark(_times(each.value, scale), each.label, each.right)
        for each in widget.marks
        if (scale := by[each.right]) is not None
    )
    axes = {right: _axis(axis, by[right]) for right, axis in
            ((False, widget.left_axis), (True, widget.right_axis))}  # fmt: skip
    made = dataclasses.replace(widget, marks=marks, left_axis=axes[False], right_axis=axes[True])
    before, after = ((each.marks, each.left_axis, each.right_axis) for each in (widget, made))
    if before != after and None in by.values():
        told = "marks and bounds of an axis whose lines have different units on the target"
        losses.append(Loss(widget.title, told, "set them by hand"))
    return made


def _times(value: float, by: float) -> float:
    return float(f"{value * by:.15g}")


def _axis(axis: Axis, by: float | None) -> Axis:
    bounds = [None if each is None or by is None else _times(each, by) for each in (axis.low, axis.high)]
    return Axis(axis.label, *bounds)
