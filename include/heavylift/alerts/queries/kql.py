"""Azure Monitor's KQL, read."""

from __future__ import annotations

import re

from heavylift.alerts.queries.evaluate import Row, compared, counted, said, textual
from heavylift.alerts.queries.model import (
    LINE,
    TIME,
    Aggregate,
    AnyOf,
    Check,
    Filter,
    Limit,
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
from heavylift.alerts.queries.tokens import Reader, condition, malformed, pattern, seconds, unsaid

_WORDS = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<raw>@"[^"]*"|@'[^']*')
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<span>\d+(?:ms|s|m|h|d)\b)
    |(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>==|=~|!=|!~|<=|>=|[=<>()|,.*\[\]\-])""",
    re.VERBOSE,
)
TEXT, NUMBER = "tostring", "toreal"
_NUMBERS = frozenset({NUMBER, "todouble", "tolong", "toint"})
_SIGNS = {"==": Op.EQ, "!=": Op.NE, "<": Op.LT, "<=": Op.LE, ">": Op.GT, ">=": Op.GE, "=~": Op.EQ}
_SUMS = frozenset({"count", "sum", "avg", "min", "max"})
_TIME = "timegenerated"


class KqlRules:
    """A missing text is an empty one; a missing number is null: not equal to any, neither above nor below."""

    ordered = False

    def check(self, check: Check, row: Row) -> bool | None:
        """Tell whether a check holds; null for a number that is missing."""
        found = row.raw(check.field)
        if isinstance(check.value, float):
            number = counted(found)
            if number is not None:
                return compared(check.op, number, check.value)
            if check.op in (Op.EQ, Op.NE):
                return check.op is Op.NE
            return False if check.sure else None
        text = said(found) or ""
        return text != "" if check.op is Op.PRESENT else textual(check, text)

    def text(self, name: str, row: Row) -> str | None:
        """Return a field's text."""
        return said(row.raw(name)) or ""

    def number(self, name: str, row: Row) -> float | None:
        """Return a field's number."""
        return counted(row.raw(name))


class _Kql:
    def __init__(self, text: str, message: str) -> None:
        self.reader = Reader(text, _WORDS)
        self.roots: set[str] = set()
        self.message = message.lower() or "rawdata"

    def query(self) -> list[Step]:
        steps: list[Step] = []
        self.reader.take()
        if self.reader.kind not in ("sign", "end") or (
            self.reader.kind == "sign" and self.reader.peek() != "|"
        ):
            raise malformed(self.reader.peek(), "a table, and commands after bars")
        while self.reader.skip("|"):
            steps += self.command()
        self.reader.end()
        return steps

    def command(self) -> list[Step]:
        reader, name = self.reader, self.reader.take().lower()
        if name in ("where", "filter"):
            return [Filter(condition(reader, self.single))]
        if name == "extend":
            return self.extend()
        if name == "summarize":
            return [self.summarize()]
        if name in ("order", "sort"):
            reader.take("by")
            return [self.sort()]
        if name in ("take", "limit"):
            return [Limit(int(reader.number()))]
        if name == "top":
            rows = Limit(int(reader.number()))
            reader.take("by")
            return [self.sort(), rows]
        if name == "project":
            names: list[str] = []
            reader.commas(lambda: names.append(self.shown()))
            return [Show(tuple(names))]
        raise unsaid(f"the command {name}")

    def sort(self) -> Sort:
        field = self.field()
        ascending = self.reader.skip("asc")
        if not ascending:
            self.reader.skip("desc")
        if self.reader.peek() in ("nulls", ","):
            raise unsaid("an order by several columns, or with a place for nulls")
        return Sort(field, not ascending)

    def shown(self) -> str:
        if self.reader.peek(1) == "=":
            self.reader.take()
            self.reader.take("=")
        return self.field()

    def extend(self) -> list[Step]:
        steps: list[Step] = []
        self.reader.commas(lambda: steps.extend(self.computed()))
        return steps

    def computed(self) -> list[Step]:
        reader, name = self.reader, self.reader.take()
        reader.take("=")
        function = reader.take().lower()
        if function in ("parse_json", "todynamic"):
            reader.take("(")
            if self.field() != LINE:
                raise unsaid("JSON of a field", "parse the line")
            reader.take(")")
            self.roots.add(name.lower())
            return []
        if function != "extract":
            raise unsaid(f"a computed field: {function}")
        reader.take("(")
        text = pattern(reader.text())
        reader.take(",")
        group = int(reader.number())
        reader.take(",")
        source = self.field()
        reader.take(")")
        return [Parse(source, renamed_group(text, group, name), (name,))]

    def field(self) -> str:
        """Take a field, with or without a cast."""
        reader = self.reader
        if reader.peek(1) == "(":
            if reader.peek() not in {TEXT, *_NUMBERS}:
                raise unsaid(f"the function {reader.peek()}")
            reader.take()
            reader.take("(")
            found = self.field()
            reader.take(")")
            return found
        name = reader.take()
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise malformed(name, "a column")
        parts = [name]
        while reader.peek() in (".", "["):
            if reader.take() == ".":
                parts.append(reader.take())
            else:
                parts.append(reader.text())
                reader.take("]")
        if parts[0].lower() in self.roots and len(parts) > 1:
            return ".".join(parts[1:])
        if len(parts) == 1:
            return {_TIME: TIME, self.message: LINE}.get(name.lower(), name)
        return ".".join(parts)

    def single(self) -> Node:
        reader = self.reader
        word = reader.peek()
        if word == "coalesce" and reader.peek(1) == "(":
            reader.take()
            reader.take("(")
            inner = self.single()
            reader.take(",")
            reader.take("false")
            reader.take(")")
            if not isinstance(inner, Check):
                raise unsaid("coalesce of a condition")
            return Check(inner.op, inner.field, inner.value, inner.fold, inner.full, sure=True)
        if word in ("isempty", "isnotempty") and reader.peek(1) == "(":
            reader.take()
            reader.take("(")
            found = Check(Op.PRESENT, self.field())
            reader.take(")")
            return found if word == "isnotempty" else Not(found)
        return self.compared(self.field())

    def compared(self, field: str) -> Node:
        reader = self.reader
        sign = reader.take().lower()
        if field == TIME:
            raise unsaid("a condition of time", "choose the time where the query is run")
        if sign in _SIGNS:
            return Check(_SIGNS[sign], field, reader.value(), fold=sign == "=~")
        if sign in ("!contains", "!") or sign.startswith("!"):
            raise unsaid(f"the operator {sign}", "use not(…)")
        if sign in ("contains", "contains_cs"):
            return Check(Op.CONTAINS, field, reader.text(), fold=sign == "contains")
        if sign == "matches":
            reader.take("regex")
            return Check(Op.MATCHES, field, pattern(reader.text()))
        if sign in ("in", "in~"):
            values: list[str | float] = []
            reader.take("(")
            reader.commas(lambda: values.append(reader.value()))
            reader.take(")")
            return AnyOf(tuple(Check(Op.EQ, field, each) for each in values))
        raise unsaid(f"the operator {sign}", "use ==, contains, contains_cs or matches regex")

    def summarize(self) -> Stats:
        aggregates: list[Aggregate] = []
        by: list[str] = []
        bins: list[tuple[int, str]] = []
        self.reader.commas(lambda: aggregates.append(self.aggregate()))
        if self.reader.skip("by"):
            self.reader.commas(lambda: self.group(by, bins))
        if len(bins) > 1:
            raise unsaid("two bins of time")
        size, name = bins[0] if bins else (0, "")
        return Stats(tuple(aggregates), tuple(by), size, name)

    def aggregate(self) -> Aggregate:
        reader, name = self.reader, ""
        if reader.peek(1) == "=":
            name = reader.take()
            reader.take("=")
        function = reader.take().lower()
        reader.take("(")
        if function not in _SUMS:
            raise unsaid(f"the function {function}")
        field = "" if reader.peek() == ")" else self.field()
        reader.take(")")
        return Aggregate(name or (f"{function}_{field}" if field else f"{function}_"), function, field)

    def group(self, by: list[str], bins: list[tuple[int, str]]) -> None:
        reader, name = self.reader, ""
        if reader.peek(1) == "=":
            name = reader.take()
            reader.take("=")
        if reader.peek() != "bin":
            by.append(self.field())
            return
        reader.take()
        reader.take("(")
        if self.field() != TIME:
            raise unsaid("bins of something else than TimeGenerated")
        reader.take(",")
        bins.append((seconds(reader.take()), name or "TimeGenerated"))
        reader.take(")")


def renamed_group(text: str, group: int, name: str) -> str:
    """Return a pattern in which the group of a number has a name, and the others have none.

    :raises SpecError: there is no such group.
    """
    found, number, inside, at = "", 0, False, 0
    while at < len(text):
        letter = text[at]
        if letter == "\\":
            found, at = found + text[at : at + 2], at + 2
            continue
        inside = (letter == "[" or inside) and letter != "]"
        capture = re.match(r"\((?:\?P<\w+>|(?!\?))", text[at:]) if letter == "(" and not inside else None
        if capture:
            number += 1
            found += (f"(?P<{name}>" if name else "(") if number == group else "(?:"
            at += capture.end()
            continue
        found, at = found + letter, at + 1
    if not 1 <= group <= number:
        raise malformed(f"group {group} of {number}", "a group of the pattern")
    return found


def read(text: str, message: str = "") -> Query:
    """Return a query.

    :param message: the column of a line's text; RawData where it is not told.
    :raises SpecError: it is none.
    :raises UnsaidError: it has commands or functions that no other language says.
    """
    return Query(tuple(_Kql(text, message).query()))
