"""LogQL of Loki, read."""

from __future__ import annotations

import re

from heavylift.alerts.queries.evaluate import Row, compared, counted, said, textual
from heavylift.alerts.queries.linear import group_names
from heavylift.alerts.queries.model import (
    LINE,
    Aggregate,
    Check,
    Filter,
    Limit,
    Node,
    Not,
    Op,
    Parse,
    Query,
    Sort,
    Stats,
    Step,
)
from heavylift.alerts.queries.shape import ERROR
from heavylift.alerts.queries.tokens import Reader, condition, malformed, pattern, seconds, unsaid

_WORDS = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<raw>`[^`]*`)
    |(?P<string>"(?:[^"\\\n]|\\.)*")
    |(?P<span>\d+(?:ms|s|m|h|d)\b|\$__range)
    |(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>\|=|\|~|==|=~|!=|!~|<=|>=|[=<>(){}|,\[\]\-])""",
    re.VERBOSE,
)
VALUE, BIN = "value", "time"
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
RANGE = "$__range"
"""Grafana's word for the time that a query is run over."""
_LINES = {"|=": Op.CONTAINS, "!=": Op.CONTAINS, "|~": Op.MATCHES, "!~": Op.MATCHES}
_SIGNS = {"=": Op.EQ, "==": Op.EQ, "!=": Op.NE, "<": Op.LT, "<=": Op.LE, ">": Op.GT, ">=": Op.GE}
_OVER = {"count_over_time": "count", "sum_over_time": "sum", "avg_over_time": "avg", "min_over_time": "min",
         "max_over_time": "max"}  # fmt: skip
_OUTER = {"count": "sum", "sum": "sum"}


class LogqlRules:
    """Labels are texts, a missing one is an empty one; a number that is none leaves an error and passes."""

    ordered = True

    def check(self, check: Check, row: Row) -> bool | None:
        """Tell whether a check holds."""
        if check.field == ERROR:
            return row.failed is (check.op is Op.NE)
        found = said(row.raw(check.field)) or ""
        if isinstance(check.value, float):
            if row.failed:
                return True
            if not found:
                return False
            number = counted(found)
            if number is None:
                row.failed = True
                return True
            return compared(check.op, number, check.value)
        return found != "" if check.op is Op.PRESENT else textual(check, found)

    def text(self, name: str, row: Row) -> str | None:
        """Return a label."""
        return said(row.raw(name)) or ""

    def number(self, name: str, row: Row) -> float | None:
        """Return the number that was unwrapped."""
        return counted(row.raw(name))


def _counts_all(step: Step) -> bool:
    whole = isinstance(step, Stats) and not step.bin and not step.by
    return whole and isinstance(step, Stats) and step.aggregates[0].function == "count"


class _Logql:
    def __init__(self, text: str) -> None:
        self.reader = Reader(text, _WORDS)
        self.labels: dict[str, str] = {}
        self.unwrapped = ""

    def query(self) -> list[Step]:
        reader, word = self.reader, self.reader.peek()
        if word == "{":
            return self.pipeline()
        if word in ("sort", "sort_desc"):
            reader.take()
            reader.take("(")
            inner = self.query()
            reader.take(")")
            limit = [each for each in inner if isinstance(each, Limit)]
            rest = [each for each in inner if not isinstance(each, Limit | Sort)]
            return [*rest, Sort(VALUE, word == "sort_desc"), *limit]
        if word in ("topk", "bottomk"):
            reader.take()
            reader.take("(")
            limit_ = Limit(int(reader.number()))
            reader.take(",")
            inner = self.query()
            reader.take(")")
            return [*inner, Sort(VALUE, word == "topk"), limit_]
        steps = self.metric()
        if reader.skip("or"):
            for each in ("vector", "(", "0", ")"):
                reader.take(each)
        elif _counts_all(steps[-1]):
            raise unsaid("a count that is nothing where there are no lines", "add: or vector(0)")
        return steps

    def metric(self) -> list[Step]:
        reader, word = self.reader, self.reader.take().lower()
        if word in _OVER:
            steps, stats = self.over(word)
            if word in ("count_over_time", "sum_over_time"):
                raise unsaid(f"{word} for each stream", "sum it")
            by = self.by()
            if by is None:
                raise unsaid(f"{word} for each stream", "add by (…)")
            return [*steps, Stats(stats.aggregates, by, stats.bin, stats.bin_name, stats.late)]
        if word != "sum":
            raise unsaid(f"the function {word}")
        by = self.by()
        reader.take("(")
        steps, stats = self.over(reader.take().lower())
        if stats.aggregates[0].function not in _OUTER:
            raise unsaid("a sum of averages or extremes")
        reader.take(")")
        by = by if by is not None else self.by()
        return [*steps, Stats(stats.aggregates, by or (), stats.bin, stats.bin_name, stats.late)]

    def by(self) -> tuple[str, ...] | None:
        if self.reader.peek() == "without":
            raise unsaid("without")
        if not self.reader.skip("by"):
            return None
        names: list[str] = []
        self.reader.take("(")
        if self.reader.peek() != ")":
            self.reader.commas(lambda: names.append(self.reader.take()))
        self.reader.take(")")
        return tuple(names)

    def over(self, word: str) -> tuple[list[Step], Stats]:
        reader = self.reader
        if word not in _OVER:
            raise unsaid(f"the function {word}")
        reader.take("(")
        steps = self.pipeline()
        reader.take("[")
        text = reader.take()
        reader.take("]")
        late = True
        if reader.skip("offset"):
            if reader.take() != "1ms":
                raise unsaid("an offset")
            late = False
        reader.take(")")
        field = self.unwrapped
        if (word == "count_over_time") is (field != ""):
            raise malformed(word, "unwrap for all but count_over_time")
        size = 0 if text == RANGE else seconds(text)
        aggregate = Aggregate(VALUE, _OVER[word], field)
        return steps, Stats((aggregate,), (), size, BIN if size else "", late and size > 0)

    def pipeline(self) -> list[Step]:
        reader, steps = self.reader, list[Step]()
        self.unwrapped = ""
        self.selector()
        while reader.peek() in ("|", *_LINES):
            sign = reader.take()
            if sign != "|":
                check = self.line(sign)
                steps.append(Filter(Not(check) if sign.startswith("!") else check))
            else:
                steps += self.stage()
        return steps

    def selector(self) -> None:
        reader = self.reader
        reader.take("{")
        while not reader.skip("}"):
            reader.take()

    def line(self, sign: str) -> Check:
        text = self.reader.text()
        return Check(_LINES[sign], LINE, pattern(text) if _LINES[sign] is Op.MATCHES else text)

    def stage(self) -> list[Step]:
        reader, word = self.reader, self.reader.peek()
        if word == "json" and reader.peek(1) not in ("=", "!=", "=~", "!~"):
            reader.take()
            self.json()
            return []
        if word == "drop":
            reader.take()
            dropped: list[str] = []
            reader.commas(lambda: dropped.append(reader.take()))
            if not set(dropped) <= {ERROR, "__error_details__"}:
                raise unsaid("dropped labels")
            return []
        if word == "regexp":
            reader.take()
            text = pattern(reader.text())
            names = tuple(group_names(text))
            if not names:
                raise malformed(text, "named groups")
            self.labels |= {name: name for name in names}
            return [Parse(LINE, text, names)]
        if word == "unwrap":
            reader.take()
            self.unwrapped = self.field(reader.take())
            # A line without that number has no part in the result.
            return [Filter(Check(Op.MATCHES, self.unwrapped, NUMBER, full=True))]
        if word in ("logfmt", "pattern", "unpack", "line_format", "label_format", "decolorize", "keep"):
            raise unsaid(f"the stage {word}")
        return [Filter(condition(reader, self.single))]

    def json(self) -> None:
        reader = self.reader
        if reader.kind != "name":
            raise unsaid("json without names", 'name what is taken: json level="level"')

        def one() -> None:
            label = reader.take()
            reader.take("=")
            self.labels[label] = re.sub(r'\["([^"]+)"\]', r".\1", reader.text()).lstrip(".")

        reader.commas(one)
        following = [reader.peek(each) for each in range(2)]
        if following != ["|", "drop"]:
            raise unsaid("json that keeps its errors", "add: | drop __error__, __error_details__")

    def field(self, label: str) -> str:
        if label not in self.labels:
            raise unsaid(f"the label {label}", "take it out of the line with json or regexp")
        return self.labels[label]

    def single(self) -> Node:
        reader, label = self.reader, self.reader.take()
        sign = reader.take()
        if label == ERROR:
            if reader.text() or sign not in ("=", "!="):
                raise unsaid("a kind of error")
            return Check(Op(sign), ERROR, "")
        field = self.field(label)
        if sign in ("=~", "!~"):
            found: Node = Check(Op.MATCHES, field, pattern(reader.text()), full=True)
            return Not(found) if sign == "!~" else found
        if sign not in _SIGNS:
            raise malformed(sign, "a comparison")
        value = reader.value()
        if value == "":
            present = Check(Op.PRESENT, field)
            return Not(present) if sign == "=" else present
        return Check(_SIGNS[sign], field, value)


def read(text: str) -> Query:
    """Return a query.

    :raises SpecError: it is none.
    :raises UnsaidError: it has stages or functions that no other language says.
    """
    reading = _Logql(text)
    steps = reading.query()
    reading.reader.end()
    stats = next((each for each in steps if isinstance(each, Stats)), None)
    if stats is not None:
        by = tuple(reading.field(each) for each in stats.by)
        at = steps.index(stats)
        steps[at] = Stats(stats.aggregates, by, stats.bin, stats.bin_name, stats.late)
    return Query(tuple(steps))
