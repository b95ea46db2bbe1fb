"""CloudWatch Logs Insights: commands between bars."""

from __future__ import annotations

import re

from heavylift.alerts.queries.evaluate import Row, compared, counted, said, textual
from heavylift.alerts.queries.linear import group_names
from heavylift.alerts.queries.model import (
    LINE,
    TIME,
    Aggregate,
    AllOf,
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
    Where,
    Written,
)
from heavylift.alerts.queries.shape import Shaped
from heavylift.alerts.queries.tokens import (
    COMPARISONS,
    Reader,
    condition,
    escaped,
    malformed,
    pattern,
    quoted,
    seconds,
    shown,
    span,
    unsaid,
)

_WORDS = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<regex>/(?:[^/\\\n]|\\.)+/i?)
    |(?P<span>\d+(?:ms|msec|s|sec|m|min|h|hr|d)\b)
    |(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?)
    |(?P<name>@?[A-Za-z_][A-Za-z0-9_.@]*|`[^`]+`)
    |(?P<sign>=~|!=|<=|>=|[=<>()|,*\[\]+\-/%^])""",
    re.VERBOSE,
)
_SUMS = frozenset({"count", "sum", "avg", "min", "max"})
_REFUSED = frozenset(
    {"dedup", "pattern", "diff", "unmask", "unnest", "anomaly", "lookup", "join", "subquery"}
)
NAME = re.compile(r"@?[A-Za-z_][A-Za-z0-9_.]*")


class InsightsRules:
    """Numbers are compared as numbers, texts with their case; a check of a missing field is false.

    The last, for ``!=`` and ``not like``, is our reading: AWS does not say.
    """

    ordered = True

    def check(self, check: Check, row: Row) -> bool | None:
        """Tell whether a check holds."""
        found = row.raw(check.field)
        if found is None or found == "":
            return False
        if check.op is Op.PRESENT:
            return True
        if isinstance(check.value, float):
            number = counted(found)
            return number is not None and compared(check.op, number, check.value)
        return textual(check, said(found) or "")

    def text(self, name: str, row: Row) -> str | None:
        """Return a field's text."""
        return said(row.raw(name))

    def number(self, name: str, row: Row) -> float | None:
        """Return a field's number."""
        return counted(row.raw(name))


def read(text: str) -> Query:
    """Return a query.

    :raises SpecError: it is none.
    :raises UnsaidError: it has commands or functions that no other language says.
    """
    reader = Reader(text, _WORDS)
    steps: list[Step] = []
    while True:
        steps += _command(reader)
        if not reader.skip("|"):
            break
    reader.end()
    return Query(tuple(_ordered(steps)))


def _ordered(steps: list[Step]) -> list[Step]:
    """Say what Insights does unasked: lines come newest first."""
    kinds = {type(each) for each in steps}
    if Limit in kinds and not kinds & {Sort, Stats}:
        at = next(index for index, each in enumerate(steps) if isinstance(each, Limit))
        return [*steps[:at], Sort(TIME, descending=True), *steps[at:]]
    return steps


def _command(reader: Reader) -> list[Step]:
    name = reader.take().lower()
    if name in ("fields", "display"):
        names: list[str] = []
        reader.commas(lambda: names.append(_plain(reader)))
        return [Show(tuple(names))]
    if name == "filter":
        return [Filter(condition(reader, lambda: _single(reader)))]
    if name == "parse":
        return [_parse(reader)]
    if name == "stats":
        return [_stats(reader)]
    if name == "sort":
        field = _named(reader)
        descending = not reader.skip("asc")
        if descending:
            reader.skip("desc")
        return [Sort(field, descending)]
    if name in ("limit", "head"):
        return [Limit(int(reader.number()))]
    if name in _REFUSED:
        raise unsaid(f"the command {name}")
    raise malformed(name, "a command, such as filter")


def _plain(reader: Reader) -> str:
    name = _named(reader)
    if reader.peek() in ("(", "as", "+", "-", "*", "/", "%", "^"):
        raise unsaid(f"a computed field: {name} {reader.peek()}", "compute it where the rows are read")
    return name


def _named(reader: Reader) -> str:
    if reader.kind != "name":
        raise malformed(reader.peek() or "its end", "a field")
    return reader.take().strip("`")


def _single(reader: Reader) -> Node:
    field = _named(reader)
    lower = field.lower()
    if reader.peek() == "(":
        if lower not in ("ispresent", "isempty", "isblank"):
            raise unsaid(f"the function {field}")
        reader.take("(")
        inner = _named(reader)
        reader.take(")")
        present = Check(Op.PRESENT, inner)
        return present if lower == "ispresent" else Not(present)
    negated = reader.skip("not")
    if reader.skip("like") or reader.skip("=~"):
        return Not(_like(reader, field)) if negated and field == LINE else _unlike(reader, field, negated)
    if reader.skip("in"):
        found = _in(reader, field)
        return AllOf((Check(Op.PRESENT, field), Not(found))) if negated else found
    sign = reader.take()
    if negated or sign not in COMPARISONS:
        raise unsaid(f"{field} {sign}", "compare a field with a value")
    if field == TIME:
        raise unsaid("a condition of time", "choose the time where the query is run")
    if reader.kind == "name":
        raise unsaid("a field compared with another")
    return Check(COMPARISONS[sign], field, reader.value())


def _unlike(reader: Reader, field: str, negated: bool) -> Node:
    found = _like(reader, field)
    return AllOf((Check(Op.PRESENT, field), Not(found))) if negated else found


def _like(reader: Reader, field: str) -> Check:
    if reader.kind == "regex":
        text, fold = _regex(reader.take())
        return Check(Op.MATCHES, field, text, fold)
    return Check(Op.CONTAINS, field, reader.text())


def _regex(text: str) -> tuple[str, bool]:
    body, _, flags = text[1:].rpartition("/")
    fold = flags == "i"
    if body.startswith("(?i)"):
        body, fold = body[4:], True
    return pattern(body.replace("\\/", "/")), fold


def _in(reader: Reader, field: str) -> Node:
    values: list[str | float] = []
    reader.take("[")
    reader.commas(lambda: values.append(reader.value()))
    reader.take("]")
    parts = tuple(Check(Op.EQ, field, each) for each in values)
    return parts[0] if len(parts) == 1 else AnyOf(parts)


def _parse(reader: Reader) -> Parse:
    field = _named(reader) if reader.kind == "name" else LINE
    if reader.kind == "regex":
        text, fold = _regex(reader.take())
        names = tuple(group_names(text))
        if fold:
            text = f"(?i:{text})"
        if reader.peek() == "as" or not names:
            raise unsaid("a pattern whose groups have no names", "name them: (?<name>…)")
        return Parse(field, text, names)
    glob = reader.text()
    found: list[str] = []
    reader.take("as")
    reader.commas(lambda: found.append(_named(reader)))
    pieces = glob.split("*")
    if len(pieces) != len(found) + 1 or not all(re.fullmatch(r"[A-Za-z_]\w*", each) for each in found):
        raise malformed(f"the pattern {glob} for {len(found)} names", "as many stars as names")
    text = escaped(pieces[0])
    for name, piece in zip(found, pieces[1:], strict=True):
        last = name == found[-1] and not piece
        text += f"(?P<{name}>.*{'' if last else '?'})" + escaped(piece)
    return Parse(field, text, tuple(found))


def _stats(reader: Reader) -> Stats:
    aggregates: list[Aggregate] = []
    reader.commas(lambda: aggregates.append(_aggregate(reader)))
    by: list[str] = []
    bins: list[tuple[int, str]] = []
    if reader.skip("by"):
        reader.commas(lambda: _group(reader, by, bins))
    if len(bins) > 1:
        raise unsaid("two bins of time")
    size, name = bins[0] if bins else (0, "")
    return Stats(tuple(aggregates), tuple(by), size, name)


def _aggregate(reader: Reader) -> Aggregate:
    function = reader.take().lower()
    reader.take("(")
    if function not in _SUMS:
        remedy = "each engine estimates it in its own way" if function in ("pct", "count_distinct") else ""
        raise unsaid(f"the function {function}", remedy or "write it by hand on the target")
    field = ""
    if function == "count":
        if not reader.skip("*") and reader.peek() != ")":
            raise unsaid("a count of one field", "filter ispresent(field), and count all")
    else:
        field = _plain(reader)
    reader.take(")")
    name = f"{function}_{field}" if field else function
    if reader.skip("as"):
        name = _named(reader)
    return Aggregate(name, function, field)


def _group(reader: Reader, by: list[str], bins: list[tuple[int, str]]) -> None:
    name = _named(reader)
    if name.lower() == "bin" and reader.skip("("):
        size = seconds(reader.take())
        reader.take(")")
        bins.append((size, _named(reader) if reader.skip("as") else "bin"))
        return
    if reader.peek() in ("(", "as"):
        raise unsaid(f"groups by {name}{reader.peek()}")
    by.append(name)


def write(shape: Shaped, where: Where) -> Written:
    """Return a query of Insights.

    :raises UnsaidError: Insights cannot say it.
    """
    commands = []
    for step in shape.before:
        if isinstance(step, Filter):
            commands.append(f"filter {_said(step.node, where)}")
        else:
            text = step.pattern.replace("(?P<", "(?<").replace("/", "\\/")
            commands.append(f"parse {_field(step.field, where)} /{text}/")
    stats = shape.stats
    if stats is None:
        commands.insert(
            0,
            "fields "
            + ", ".join(
                [TIME, LINE, *(_field(each, where) for each in shape.show if each not in (TIME, LINE))]
            ),
        )
    else:
        told = ", ".join(
            f"{each.function}({_field(each.field, where) if each.field else '*'}) as {_alias(each.name)}"
            for each in stats.aggregates
        )
        groups = [_field(each, where) for each in stats.by]
        groups += [f"bin({span(stats.bin)}) as {_alias(stats.bin_name)}"] if stats.bin else []
        commands.append(f"stats {told}" + (f" by {', '.join(groups)}" if groups else ""))
        if stats.late:
            raise unsaid("bins that have their end", "let them have their begin: offset 1ms")
    if shape.sort:
        name = TIME if shape.sort.field == TIME else _alias(shape.sort.field)
        commands.append(f"sort {name} {'desc' if shape.sort.descending else 'asc'}")
    if shape.limit:
        commands.append(f"limit {shape.limit.rows}")
    return Written(" | ".join(commands))


def _alias(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _field(name: str, where: Where) -> str:
    found = where.named(name)
    if "`" in found:
        raise unsaid(f"the field {found}", "name it in --names")
    return found if NAME.fullmatch(found) else f"`{found}`"


def _said(node: Node, where: Where) -> str:
    if isinstance(node, AllOf | AnyOf):
        word = " and " if isinstance(node, AllOf) else " or "
        return "(" + word.join(_said(each, where) for each in node.parts) + ")"
    if isinstance(node, Not):
        return f"not ({_said(node.inner, where)})"
    field = _field(node.field, where)
    if node.op is Op.PRESENT:
        return f"ispresent({field})"
    if isinstance(node.value, float):
        return f"{field} {node.op} {shown(node.value)}"
    if node.op is Op.MATCHES or node.fold:
        text = node.value if node.op is Op.MATCHES else escaped(node.value)
        if node.full or node.op is Op.EQ:
            text = f"^(?:{text})$"
        text = text.replace("(?P<", "(?<").replace("/", "\\/")
        return f"{field} like /{'(?i)' if node.fold else ''}{text}/"
    sign = "like" if node.op is Op.CONTAINS else node.op.value
    return f"{field} {sign} {quoted(node.value)}"
