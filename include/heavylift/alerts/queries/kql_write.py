"""KQL, written."""

from __future__ import annotations

import re

from heavylift.alerts.queries.kql import NUMBER, TEXT
from heavylift.alerts.queries.linear import compiled
from heavylift.alerts.queries.model import (
    LINE,
    TIME,
    AllOf,
    AnyOf,
    Filter,
    Node,
    Not,
    Op,
    Where,
    Written,
)
from heavylift.alerts.queries.shape import Shaped
from heavylift.alerts.queries.tokens import quoted, shown, span, unsaid

ROOT = "_json"
MESSAGE = "RawData"


def write(shape: Shaped, where: Where) -> Written:
    """Return a query of KQL over a table with ``TimeGenerated`` and the line in a column of text.

    :raises UnsaidError: KQL cannot say it.
    """
    if not re.fullmatch(r"[A-Za-z_]\w*", where.table):
        raise unsaid("no table", "name the table of the logs in --names, under table")
    return _Writer(shape, where).written()


class _Writer:
    def __init__(self, shape: Shaped, where: Where) -> None:
        self.shape, self.where = shape, where
        self.message = where.message or MESSAGE
        self.made: set[str] = set()

    def written(self) -> Written:
        shape = self.shape
        commands = [self.where.table]
        if shape.fields:
            commands.append(f"extend {ROOT} = parse_json({self.message})")
        for step in shape.before:
            if isinstance(step, Filter):
                commands.append(f"where {self.said(step.node, within=False)}")
                continue
            groups = compiled(step.pattern).groupindex
            told = [
                f"{name} = extract({quoted(step.pattern)}, {groups[name]}, {self.text(step.field)})"
                for name in step.names
            ]
            commands.append(f"extend {', '.join(told)}")
            self.made |= set(step.names)
        commands += self.stats() if shape.stats else []
        if shape.sort:
            name = "TimeGenerated" if shape.sort.field == TIME else alias(shape.sort.field)
            commands.append(f"order by {name} {'desc' if shape.sort.descending else 'asc'}")
        if shape.limit:
            commands.append(f"take {shape.limit.rows}")
        if not shape.stats:
            names = [f"{alias(each)} = {self.text(each)}" for each in shape.show if each not in (TIME, LINE)]
            commands.append("project " + ", ".join(["TimeGenerated", self.message, *names]))
        return Written("\n| ".join(commands))

    def stats(self) -> list[str]:
        stats = self.shape.stats
        if stats is None:
            return []
        if stats.late:
            raise unsaid("bins that have their end", "let them have their begin: offset 1ms")
        told = [
            f"{alias(each.name)} = {each.function}({self.number(each.field) if each.field else ''})"
            for each in stats.aggregates
        ]
        groups = [f"{alias(each)} = {self.text(each)}" for each in stats.by]
        if stats.bin:
            groups.append(f"{alias(stats.bin_name)} = bin(TimeGenerated, {span(stats.bin)})")
        return [f"summarize {', '.join(told)}" + (f" by {', '.join(groups)}" if groups else "")]

    def path(self, name: str) -> str:
        if name == LINE:
            return self.message
        if name in self.made:
            return name
        if name == TIME:
            raise unsaid("the time as a value")
        found = ROOT
        for part in self.where.named(name).split("."):
            found += f".{part}" if re.fullmatch(r"[A-Za-z_]\w*", part) else f"[{quoted(part)}]"
        return found

    def text(self, name: str) -> str:
        path = self.path(name)
        return f"{TEXT}({path})" if path.startswith(ROOT) else path

    def number(self, name: str) -> str:
        return f"{NUMBER}({self.path(name)})"

    def said(self, node: Node, *, within: bool) -> str:
        """Return a condition; within ``not`` nothing may be null."""
        if isinstance(node, AllOf | AnyOf):
            word = " and " if isinstance(node, AllOf) else " or "
            return "(" + word.join(self.said(each, within=within) for each in node.parts) + ")"
        if isinstance(node, Not):
            return f"not({self.said(node.inner, within=True)})"
        if node.op is Op.PRESENT:
            return f"isnotempty({self.text(node.field)})"
        if isinstance(node.value, float):
            sign = "==" if node.op is Op.EQ else node.op.value
            told = f"{self.number(node.field)} {sign} {shown(node.value)}"
            return f"coalesce({told}, false)" if within and node.op is not Op.EQ else told
        text, field = node.value, self.text(node.field)
        if node.op is Op.MATCHES:
            shape = f"^(?:{text})$" if node.full else text
            return f"{field} matches regex {quoted(('(?i)' if node.fold else '') + shape)}"
        if node.op is Op.CONTAINS:
            return f"{field} {'contains' if node.fold else 'contains_cs'} {quoted(text)}"
        if node.op is not Op.EQ:
            raise unsaid("texts in an order", "compare numbers")
        if not text:
            raise unsaid("a comparison with an empty text", "ask whether the field is present")
        return f"{field} {'=~' if node.fold else '=='} {quoted(text)}"


def alias(name: str) -> str:
    """Return a column's name."""
    return re.sub(r"\W", "_", name)


__all__ = ["alias", "write"]
