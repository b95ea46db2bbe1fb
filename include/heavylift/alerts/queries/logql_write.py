"""LogQL, written."""

from __future__ import annotations

import re

from heavylift.alerts.queries.logql import NUMBER, RANGE
from heavylift.alerts.queries.model import (
    LINE,
    TIME,
    AllOf,
    AnyOf,
    Check,
    Filter,
    Node,
    Not,
    Op,
    Stats,
    Where,
    Written,
    checks,
)
from heavylift.alerts.queries.shape import ERROR, Shaped
from heavylift.alerts.queries.tokens import escaped, quoted, shown, span, unsaid

_SELECTOR = re.compile(
    r'\{\s*[A-Za-z_]\w*\s*(?:=|=~)\s*"[^"\\]*"(?:\s*,\s*[A-Za-z_]\w*\s*(?:=|!=|=~|!~)\s*"[^"\\]*")*\s*\}'
)


def write(shape: Shaped, where: Where) -> Written:
    """Return a query of LogQL.

    :raises UnsaidError: LogQL cannot say it.
    """
    if not _SELECTOR.fullmatch(where.selector):
        raise unsaid("no stream of Loki", 'name it in --names, under selector: {app="…"}')
    return _Writer(shape, where).written()


class _Writer:
    def __init__(self, shape: Shaped, where: Where) -> None:
        self.shape, self.where = shape, where

    def written(self) -> Written:
        stats, shape = self.shape.stats, self.shape
        lines = self.pipeline()
        if stats is not None:
            return self.metric(lines, stats)
        parameters = []
        if shape.sort:
            parameters.append(("direction", "backward" if shape.sort.descending else "forward"))
        if shape.limit:
            parameters.append(("limit", str(shape.limit.rows)))
        notes = (
            [("columns are not chosen in a query", "choose them where lines are shown")] if shape.show else []
        )
        return Written(lines, tuple(parameters), tuple(notes))

    def label(self, name: str) -> str:
        if name in self.shape.made:
            return name
        if name == TIME:
            raise unsaid("the time as a value")
        return re.sub(r"\W", "_", name)

    def pipeline(self) -> str:
        stages = [self.where.selector]
        paths = {self.label(each): self.path(each) for each in self.shape.fields}
        if len(paths) < len(self.shape.fields) or set(paths) & set(self.shape.made):
            raise unsaid("fields whose names are one in Loki", "rename one of them")
        if paths:
            told = ", ".join(f"{label}={quoted(path)}" for label, path in paths.items())
            # A line that is no JSON would carry an error, with which numbers pass every check.
            stages.append(f"| json {told} | drop __error__, __error_details__")
        for step in self.shape.before:
            if not isinstance(step, Filter):
                if step.field != LINE:
                    raise unsaid("a pattern of something else than the line")
                stages.append(f"| regexp {quoted(step.pattern)}")
                continue
            for part in step.node.parts if isinstance(step.node, AllOf) else (step.node,):
                stages += self.stage(part)
        return " ".join(stages)

    def path(self, name: str) -> str:
        parts = self.where.named(name).split(".")
        plain = all(re.fullmatch(r"[A-Za-z_]\w*", each) for each in parts)
        return ".".join(parts) if plain else "".join(f'["{each}"]' for each in parts)

    def stage(self, node: Node) -> list[str]:
        if isinstance(node, AllOf):
            return [each for part in node.parts for each in self.stage(part)]
        inner, negated = (node.inner, True) if isinstance(node, Not) else (node, False)
        if isinstance(inner, Check) and inner.field == LINE:
            return [self.line(inner, negated=negated)]
        if any(each.field == LINE for each in checks(node)):
            raise unsaid("the line and fields in one condition with or", "write a query for each")
        if isinstance(node, Check) and node.numeric:
            label = self.label(node.field)
            return [f"| {label}=~{quoted(NUMBER)}", f"| {self.check(node)}"]
        numbers = [each for each in checks(node) if each.numeric]
        if not numbers:
            return [f"| {self.said(node, negated=False)}"]
        return self.with_number(node, numbers)

    def with_number(self, node: Node, numbers: list[Check]) -> list[str]:
        """Return an ``or`` with one number: it comes last, and lines on which it fails are dropped."""
        if isinstance(node, AnyOf) and len(numbers) == 1 and numbers[0] in node.parts:
            rest = [self.said(each, negated=False) for each in node.parts if each is not numbers[0]]
            return [f"| {' or '.join([*rest, self.check(numbers[0])])}", f'| {ERROR}=""']
        raise unsaid("numbers within or and not", "Loki lets lines through on which they fail")

    def line(self, check: Check, *, negated: bool) -> str:
        if check.op is Op.PRESENT:
            raise unsaid("whether there is a line")
        text, matches = str(check.value), check.op is Op.MATCHES
        if check.numeric or check.op not in (Op.MATCHES, Op.CONTAINS, Op.EQ):
            raise unsaid("the line in an order")
        if check.op is Op.EQ or check.full:
            text, matches = f"^(?:{text if matches else escaped(text)})$", True
        elif check.fold and not matches:
            text, matches = escaped(text), True
        text = f"(?i){text}" if check.fold else text
        sign = ("!~" if negated else "|~") if matches else ("!=" if negated else "|=")
        return f"{sign} {quoted(text)}"

    def said(self, node: Node, *, negated: bool) -> str:
        """Return a condition of texts; Loki knows no ``not``, so it is pushed down."""
        if isinstance(node, Not):
            return self.said(node.inner, negated=not negated)
        if isinstance(node, Check):
            return self.check(node, negated=negated)
        both = isinstance(node, AllOf) is not negated
        return (
            "("
            + (" and " if both else " or ").join(self.said(each, negated=negated) for each in node.parts)
            + ")"
        )

    def check(self, check: Check, *, negated: bool = False) -> str:
        label = self.label(check.field)
        if check.op is Op.PRESENT:
            return f'{label}{"=" if negated else "!="}""'
        if isinstance(check.value, float):
            sign = "==" if check.op is Op.EQ else check.op.value
            return f"{label} {sign} {shown(check.value)}"
        text = check.value
        if check.op is Op.EQ and not check.fold:
            if not text:
                raise unsaid("a comparison with an empty text", "ask whether the field is present")
            return f"{label}{'!=' if negated else '='}{quoted(text)}"
        if check.op not in (Op.EQ, Op.CONTAINS, Op.MATCHES):
            raise unsaid("texts in an order", "compare numbers")
        shape = text if check.op is Op.MATCHES else escaped(text)
        if check.op is not Op.EQ and not check.full:
            # Loki's patterns of labels match all of them, over line breaks, too.
            shape = f"(?s:.*)(?:{shape})(?s:.*)"
        shape = f"(?i){shape}" if check.fold else shape
        return f"{label}{'!~' if negated else '=~'}{quoted(shape)}"

    def metric(self, lines: str, stats: Stats) -> Written:
        shape = self.shape
        if len(stats.aggregates) != 1:
            raise unsaid("several aggregates", "write a query for each")
        [one] = stats.aggregates
        by = ", ".join(self.label(each) for each in stats.by)
        if one.field:
            label = self.label(one.field)
            lines += f' | {label}=~{quoted(NUMBER)} | unwrap {label} | {ERROR}=""'
        shift = "" if stats.late else " offset 1ms"
        window = f"({lines} [{span(stats.bin) if stats.bin else RANGE}]{shift if stats.bin else ''})"
        notes: tuple[tuple[str, str], ...] = ()
        if one.field:
            notes = (
                (
                    f"a group without a number in {one.field} is no row in Loki",
                    "filter the source for numbers",
                ),
            )
        if one.function in ("count", "sum"):
            text = f"sum{f' by ({by}) ' if by else ''}({one.function}_over_time{window})"
            if one.function == "count" and not by and not stats.bin:
                text += " or vector(0)"
        else:
            text = f"{one.function}_over_time{window} by ({by})"
        if not stats.bin:
            return Written(self.ordered(text, one.name), (), notes)
        if (shape.sort and (shape.sort.field != stats.bin_name or shape.sort.descending)) or shape.limit:
            raise unsaid("bins in another order than that of time, or some of them")
        step = (("step", span(stats.bin)), ("start", f"a multiple of {span(stats.bin)}"))
        told = "a value at a moment is of the bin that ended then", "run it as a range query with that step"
        return Written(text, step, (told, *notes))

    def ordered(self, text: str, name: str) -> str:
        shape = self.shape
        if shape.sort is None:
            return text
        if shape.sort.field != name:
            raise unsaid(f"groups in the order of {shape.sort.field}")
        descending = shape.sort.descending
        if shape.limit:
            text = f"{'topk' if descending else 'bottomk'}({shape.limit.rows}, {text})"
        return f"{'sort_desc' if descending else 'sort'}({text})"
