"""Cloud Logging's query language: conditions only; order and number of lines are told beside it."""

from __future__ import annotations

import re

from heavylift.alerts.queries.evaluate import Row, compared, counted, said, textual
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
    Query,
    Where,
    Written,
)
from heavylift.alerts.queries.shape import Shaped
from heavylift.alerts.queries.tokens import (
    Reader,
    condition,
    escaped,
    malformed,
    pattern,
    quoted,
    shown,
    unsaid,
)

_WORDS = re.compile(
    r"""(?P<space>\s+|--[^\n]*)
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.(?:[A-Za-z_][A-Za-z0-9_]*|"[^"\\]+"))*)
    |(?P<sign>=~|!~|!=|<=|>=|[=<>():*\-])""",
    re.VERBOSE,
)
_PAYLOAD, _TEXT = "jsonPayload.", "textPayload"


class LoggingRules:
    """Case counts in patterns only; a missing field fails a check, and ``!=`` is ``NOT =``.

    A number is turned into the field's own type: beside a text it is compared as a text.
    """

    ordered = False

    def check(self, check: Check, row: Row) -> bool | None:
        """Tell whether a check holds."""
        if check.op is Op.NE:
            return not self.check(Check(Op.EQ, check.field, check.value, fold=True), row)
        found = self._found(check.field, row)
        if found is None:
            return False
        if check.op is Op.PRESENT:
            return True
        if isinstance(found, float | int) and not isinstance(found, bool):
            number = counted(check.value)
            if check.op in (Op.CONTAINS, Op.MATCHES):
                return check.op is Op.CONTAINS and str(check.value) in (said(found) or "")
            return number is not None and compared(check.op, float(found), number)
        wanted = said(check.value) or ""
        return textual(Check(check.op, check.field, wanted, check.op is not Op.MATCHES), said(found) or "")

    def _found(self, name: str, row: Row) -> str | float | bool | None:
        # A line of JSON has a jsonPayload, and no text.
        if name == LINE:
            return None if row.line.structured else row.line.raw
        return row.raw(name)

    def text(self, name: str, row: Row) -> str | None:
        """Return a field's text."""
        return said(self._found(name, row))

    def number(self, name: str, row: Row) -> float | None:
        """Return a field's number."""
        return counted(self._found(name, row))


def read(text: str) -> Query:
    """Return a query.

    :raises SpecError: it is none.
    :raises UnsaidError: it asks for what no other language has: severities, labels, resources, times.
    """
    reader = Reader(text, _WORDS)
    found = condition(reader, lambda: _single(reader), implicit=True)
    reader.end()
    return Query((Filter(found),))


def _single(reader: Reader) -> Node:
    if reader.skip("-"):
        return Not(_single(reader))
    if reader.kind == "string":
        raise unsaid("a text in any field", f"name the field: {_TEXT}:…")
    if reader.kind != "name":
        raise malformed(reader.peek() or "its end", "a field")
    field = _field(reader.take())
    sign = reader.take()
    if sign == ":" and reader.skip("*"):
        return Check(Op.PRESENT, field)
    if reader.skip("("):
        found = condition(reader, lambda: _check(reader, field, sign), implicit=True)
        reader.take(")")
        return found
    return _check(reader, field, sign)


def _check(reader: Reader, field: str, sign: str) -> Node:
    if reader.kind == "name" and reader.peek() != "null_value":
        value: str | float = reader.take()
    elif reader.kind == "name":
        raise unsaid("NULL_VALUE")
    else:
        value = reader.value()
    if sign in ("=~", "!~"):
        found = Check(Op.MATCHES, field, pattern(str(value)))
        return Not(found) if sign == "!~" else found
    op = Op.CONTAINS if sign == ":" else Op(sign)
    return Check(op, field, value if op is not Op.CONTAINS else said(value) or "", fold=True)


def _field(name: str) -> str:
    if name == _TEXT:
        return LINE
    if name.startswith(_PAYLOAD):
        return name.removeprefix(_PAYLOAD).replace('"', "")
    raise unsaid(f"the field {name}", "only textPayload and jsonPayload lie in lines of other platforms")


def write(shape: Shaped, where: Where) -> Written:
    """Return a query of Cloud Logging.

    :raises UnsaidError: it cannot say it: it groups nothing and parses nothing.
    """
    if shape.stats is not None or shape.made:
        raise unsaid("stats and parse", "translate it to SQL of Log Analytics: --target sql")
    text = "\n".join(_said(step.node, where) for step in shape.before if isinstance(step, Filter))
    parameters = []
    if shape.sort:
        parameters.append(("order", "desc" if shape.sort.descending else "asc"))
    if shape.limit:
        parameters.append(("limit", str(shape.limit.rows)))
    notes = [("columns are not chosen in a query", "choose them where lines are shown")] if shape.show else []
    return Written(text, tuple(parameters), tuple(notes))


def _name(field: str, where: Where) -> str:
    if field == LINE:
        return where.message or _TEXT
    if field == TIME:
        raise unsaid("a condition of time")
    parts = where.named(field).split(".")
    return _PAYLOAD + ".".join(each if re.fullmatch(r"[A-Za-z_]\w*", each) else f'"{each}"' for each in parts)


def _said(node: Node, where: Where) -> str:
    if isinstance(node, AllOf | AnyOf):
        word = " AND " if isinstance(node, AllOf) else " OR "
        return "(" + word.join(_said(each, where) for each in node.parts) + ")"
    if isinstance(node, Not):
        return f"NOT {_said(node.inner, where)}"
    field = _name(node.field, where)
    if node.op is Op.PRESENT:
        return f"{field}:*"
    if isinstance(node.value, float):
        return f"{field}{node.op}{shown(node.value)}"
    if node.fold and node.op in (Op.EQ, Op.CONTAINS):
        return f"{field}{'=' if node.op is Op.EQ else ':'}{quoted(node.value)}"
    if node.op not in (Op.EQ, Op.CONTAINS, Op.MATCHES):
        raise unsaid("texts in an order", "compare numbers")
    # Only patterns keep upper and lower case apart.
    text = node.value if node.op is Op.MATCHES else escaped(node.value)
    if node.full or node.op is Op.EQ:
        text = f"^(?:{text})$"
    return f"{field}=~{quoted(('(?i)' if node.fold else '') + text)}"
