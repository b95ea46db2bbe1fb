"""Runs a query over lines by the rules of its own language."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from heavylift.alerts.queries.linear import compiled
from heavylift.alerts.queries.lines import Line
from heavylift.alerts.queries.model import (
    LINE,
    TIME,
    Aggregate,
    AnyOf,
    Check,
    Filter,
    Node,
    Not,
    Op,
    Parse,
    Query,
    Show,
    Sort,
    Stats,
    Step,
)
from heavylift.alerts.queries.tokens import unsaid

Cell: TypeAlias = "str | float | None"
NUMBER = "#"
"""The column of a line's number, by which rows of lines are told apart."""


@dataclass
class Row:
    """A line on its way through a query, with what was taken out of it."""

    line: Line
    made: dict[str, str] = field(default_factory=dict)
    failed: bool = False

    def raw(self, name: str) -> str | float | bool | None:
        """Return a field as it lies there."""
        if name == LINE:
            return self.line.raw
        return self.made[name] if name in self.made else self.line.fields.get(name)


class Rules(Protocol):
    """How a language reads fields and compares them."""

    ordered: bool
    """Rows of lines without an order come newest first."""

    def check(self, check: Check, row: Row) -> bool | None:
        """Tell whether a check holds; None where the language's answer is null."""

    def text(self, name: str, row: Row) -> str | None:
        """Return a field's text, for patterns and groups."""

    def number(self, name: str, row: Row) -> float | None:
        """Return a field's number, for aggregates."""


def said(value: str | float | bool | None) -> str | None:
    """Return a value of JSON as a text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def counted(value: str | float | bool | None) -> float | None:
    """Return a value as a number, where it is one."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str) and not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value):
        return None
    found = float(value)
    return found if math.isfinite(found) else None


def compared(op: Op, left: str | float, right: str | float) -> bool:
    """Compare two values of one kind."""
    if op is Op.EQ:
        return left == right
    if op is Op.NE:
        return left != right
    less, more = left < right, left > right  # type: ignore[operator]
    return {Op.LT: less, Op.GT: more, Op.LE: not more, Op.GE: not less}[op]


def textual(check: Check, found: str) -> bool:
    """Tell whether a text passes a check of texts."""
    wanted = str(check.value)
    if check.op is Op.MATCHES:
        shape = compiled(wanted, check.fold)
        return bool(shape.fullmatch(found) if check.full else shape.search(found))
    if check.fold:
        found, wanted = found.casefold(), wanted.casefold()
    return wanted in found if check.op is Op.CONTAINS else compared(check.op, found, wanted)


def holds(node: Node, row: Row, rules: Rules) -> bool | None:
    """Tell whether a condition holds: true, false, or null."""
    if isinstance(node, Check):
        return rules.check(node, row)
    if isinstance(node, Not):
        found = holds(node.inner, row, rules)
        return None if found is None else not found
    # Each is asked until the answer is known, in order: Loki's checks may leave an error behind.
    seen = False
    settles = isinstance(node, AnyOf)
    for part in node.parts:
        found = holds(part, row, rules)
        if found is settles:
            return settles
        seen = seen or found is None
    return None if seen else not settles


def run(query: Query, lines: Iterable[Line], rules: Rules) -> list[dict[str, Cell]]:
    """Return the rows of a query, in its order."""
    running = _Run([Row(each) for each in lines], rules)
    for step in query.steps:
        running.step(step)
    return running.cells()


class _Run:
    """A query on its way: lines at first, and groups once they are made."""

    def __init__(self, rows: list[Row], rules: Rules) -> None:
        self.rows = sorted(rows, key=lambda row: -row.line.at) if rules.ordered else rows
        self.rules = rules
        self.table: list[dict[str, Cell]] | None = None
        self.shown: tuple[str, ...] = ()

    def step(self, step: Step) -> None:
        if isinstance(step, Filter):
            self.rows = [row for row in self.rows if holds(step.node, row, self.rules)]
        elif isinstance(step, Parse):
            _parse(step, self.rows, self.rules)
        elif isinstance(step, Stats):
            self.table = _stats(step, self.rows, self.rules)
        elif isinstance(step, Show):
            self.shown = step.fields
        elif isinstance(step, Sort):
            self.sort(step)
        else:
            self.rows, self.table = self.rows[: step.rows], self.table and self.table[: step.rows]

    def sort(self, step: Sort) -> None:
        if self.table is not None:
            self.table.sort(key=lambda cells: _rank(cells.get(step.field)), reverse=step.descending)
        elif step.field == TIME:
            self.rows.sort(key=lambda row: row.line.at, reverse=step.descending)
        else:
            raise unsaid(f"an order of lines by {step.field}")

    def cells(self) -> list[dict[str, Cell]]:
        if self.table is not None:
            return self.table
        return [{NUMBER: row.line.number, **_cells(row, self.shown, self.rules)} for row in self.rows]


def _rank(value: Cell) -> tuple[int, float, str]:
    if isinstance(value, str):
        return 2, 0.0, value
    return (0, 0.0, "") if value is None else (1, value, "")


def _cells(row: Row, shown: tuple[str, ...], rules: Rules) -> dict[str, Cell]:
    return {name: rules.text(name, row) or None for name in shown if name not in (TIME, LINE)}


def _parse(step: Parse, rows: list[Row], rules: Rules) -> None:
    shape = compiled(step.pattern)
    for row in rows:
        found = shape.search(rules.text(step.field, row) or "")
        for name in step.names:
            row.made[name] = (found[name] or "") if found else ""


def _stats(step: Stats, rows: list[Row], rules: Rules) -> list[dict[str, Cell]]:
    groups: dict[tuple[Cell, ...], list[Row]] = {}
    for row in rows:
        own: list[Cell] = [rules.text(name, row) or None for name in step.by]
        if step.bin:
            size = step.bin * 1000
            own.append(float((row.line.at - (1 if step.late else 0)) // size * size))
        groups.setdefault(tuple(own), []).append(row)
    if not groups and not step.by and not step.bin:
        groups[()] = []
    names = (*step.by, *((step.bin_name,) if step.bin else ()))
    found = []
    for key, members in groups.items():
        cells: dict[str, Cell] = dict(zip(names, key, strict=True))
        cells |= {each.name: _aggregated(each, members, rules) for each in step.aggregates}
        found.append(cells)
    return found


def _aggregated(each: Aggregate, members: list[Row], rules: Rules) -> float | None:
    if each.function == "count":
        return float(len(members))
    numbers = [found for row in members if (found := rules.number(each.field, row)) is not None]
    if not numbers:
        return None
    total = math.fsum(numbers)
    return {
        "sum": total,
        "avg": total / len(numbers),
        "min": min(numbers),
        "max": max(numbers),
    }[each.function]
