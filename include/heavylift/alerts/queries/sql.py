"""SQL of Log Analytics (BigQuery's), written; run here by DuckDB, which has the same under other names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from heavylift.alerts.queries.evaluate import Cell
from heavylift.alerts.queries.kql import renamed_group
from heavylift.alerts.queries.linear import compiled
from heavylift.alerts.queries.lines import Line
from heavylift.alerts.queries.model import (
    LINE,
    TIME,
    AllOf,
    AnyOf,
    Filter,
    Node,
    Not,
    Op,
    Query,
    Where,
    Written,
)
from heavylift.alerts.queries.shape import Shaped
from heavylift.alerts.queries.tokens import escaped, shown, unsaid

_VIEW = re.compile(r"[A-Za-z0-9_:\-]+(?:\.[A-Za-z0-9_\-]+)+")
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_MACROS = """
CREATE MACRO JSON_VALUE(doc, path) AS json_extract_string(doc, path);
CREATE MACRO REGEXP_CONTAINS(x, p) AS regexp_matches(x, p);
CREATE MACRO REGEXP_FOUND(x, p) AS CASE WHEN regexp_matches(x, p) THEN regexp_extract(x, p, 1) END;
CREATE MACRO UNIX_SECONDS(t) AS epoch_ms(t) // 1000;
CREATE MACRO DIV(a, b) AS a // b;
CREATE MACRO TIMESTAMP_SECONDS(s) AS to_timestamp(s);
"""


def write(shape: Shaped, where: Where) -> Written:
    """Return a query over a view of Log Analytics.

    :raises UnsaidError: it cannot be said.
    """
    if not _VIEW.fullmatch(where.table):
        raise unsaid(
            "no view of Log Analytics", "name it in --names, under table: project.location.bucket._AllLogs"
        )
    return _Writer(shape, where).written()


class _Writer:
    def __init__(self, shape: Shaped, where: Where) -> None:
        self.shape, self.where = shape, where
        self.made: dict[str, str] = {}

    def written(self) -> Written:
        shape, conditions = self.shape, list[str]()
        for step in shape.before:
            if isinstance(step, Filter):
                conditions.append(self.said(step.node))
                continue
            numbers = compiled(step.pattern).groupindex
            for name in step.names:
                text = renamed_group(step.pattern, numbers[name], "")
                self.made[name] = f"REGEXP_EXTRACT({self.text(step.field)}, {literal(text)})"
        columns, groups = self.columns()
        parts = [f"SELECT {', '.join(columns)}", f"FROM `{self.where.table}`"]
        parts += [f"WHERE {' AND '.join(conditions)}"] if conditions else []
        parts += [f"GROUP BY {', '.join(map(str, range(1, groups + 1)))}"] if groups else []
        if shape.sort:
            name = "timestamp" if shape.sort.field == TIME else alias(shape.sort.field)
            parts.append(f"ORDER BY {name} {'DESC' if shape.sort.descending else 'ASC'}")
        parts += [f"LIMIT {shape.limit.rows}"] if shape.limit else []
        return Written("\n".join(parts))

    def columns(self) -> tuple[list[str], int]:
        stats = self.shape.stats
        if stats is None:
            names = [
                f"{self.text(each)} AS {alias(each)}" for each in self.shape.show if each not in (TIME, LINE)
            ]
            return ["insert_id", "timestamp", "text_payload", "json_payload", *names], 0
        if stats.late:
            raise unsaid("bins that have their end", "let them have their begin: offset 1ms")
        found = [f"NULLIF({self.text(each)}, '') AS {alias(each)}" for each in stats.by]
        if stats.bin:
            begun = f"TIMESTAMP_SECONDS(DIV(UNIX_SECONDS(timestamp), {stats.bin}) * {stats.bin})"
            found.append(f"{begun} AS {alias(stats.bin_name)}")
        groups = len(found)
        for each in stats.aggregates:
            inner = self.number(each.field) if each.field else "*"
            found.append(f"{each.function.upper()}({inner}) AS {alias(each.name)}")
        return found, groups

    def text(self, name: str) -> str:
        if name == LINE:
            return self.where.message or "text_payload"
        if name in self.made:
            return self.made[name]
        if name == TIME:
            raise unsaid("the time as a value")
        parts = self.where.named(name).split(".")
        if any('"' in each for each in parts):
            raise unsaid(f"the field {name}", "name it in --names")
        path = "$" + "".join(
            f".{each}" if re.fullmatch(r"[A-Za-z_]\w*", each) else f'."{each}"' for each in parts
        )
        return f"JSON_VALUE(json_payload, {literal(path)})"

    def number(self, name: str) -> str:
        text = self.text(name)
        return f"SAFE_CAST(CASE WHEN REGEXP_CONTAINS({text}, {literal(_NUMBER)}) THEN {text} END AS FLOAT64)"

    def said(self, node: Node) -> str:
        if isinstance(node, AllOf | AnyOf):
            word = " AND " if isinstance(node, AllOf) else " OR "
            return "(" + word.join(self.said(each) for each in node.parts) + ")"
        if isinstance(node, Not):
            return f"NOT ({self.said(node.inner)})"
        text = self.text(node.field)
        if node.op is Op.PRESENT:
            return f"(IFNULL({text}, '') != '')"
        return f"IFNULL({self.check(node, text)}, FALSE)"

    def check(self, node: Any, text: str) -> str:
        if isinstance(node.value, float):
            return f"{self.number(node.field)} {node.op} {shown(node.value)}"
        if node.op is Op.MATCHES or (node.fold and node.op in (Op.EQ, Op.CONTAINS)):
            shape = node.value if node.op is Op.MATCHES else escaped(node.value)
            shape = f"^(?:{shape})$" if node.full or node.op is Op.EQ else shape
            return f"REGEXP_CONTAINS({text}, {literal(('(?i)' if node.fold else '') + shape)})"
        if node.op is Op.CONTAINS:
            return f"STRPOS({text}, {literal(node.value)}) > 0"
        if node.op is not Op.EQ:
            raise unsaid("texts in an order", "compare numbers")
        if not node.value:
            raise unsaid("a comparison with an empty text", "ask whether the field is present")
        return f"{text} = {literal(node.value)}"


def alias(name: str) -> str:
    """Return a column's name."""
    return "`" + re.sub(r"\W", "_", name) + "`"


def literal(text: str) -> str:
    """Return a text as BigQuery reads it."""
    if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text):
        raise unsaid("a text with control characters")
    for plain, written in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(plain, written)
    return f"'{text}'"


def run(text: str, query: Query, lines: Sequence[Line], where: Where) -> list[tuple[Cell, ...]]:
    """Run a query that was written here over lines, by DuckDB in memory; it reaches nothing else."""
    import duckdb
    import pyarrow as pa

    names = dict(where.fields)
    table = pa.table(
        {
            "insert_id": [each.number for each in lines],
            "timestamp": [datetime.fromtimestamp(each.at / 1000, UTC) for each in lines],
            "text_payload": [None if each.structured else each.raw for each in lines],
            "json_payload": [_payload(each, names) for each in lines],
        }
    )
    with duckdb.connect(config={"enable_external_access": False, "threads": 1}) as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute(_MACROS)
        database.register("logs", table)
        rows = database.execute(_dialect(text)).fetchall()
    if query.stats is None:
        return [(row[0],) for row in rows]
    return [tuple(_cell(each) for each in row) for row in rows]


def _payload(each: Line, names: dict[str, str]) -> str | None:
    import json

    if not each.structured:
        return None
    if not names:
        return each.raw
    return json.dumps({names.get(key, key): value for key, value in json.loads(each.raw).items()})


def _cell(value: Any) -> Cell:
    if isinstance(value, datetime):
        return value.timestamp() * 1000
    return value if value is None or isinstance(value, str) else float(value)


def _dialect(text: str) -> str:
    """Return BigQuery's words as DuckDB's."""

    def told(found: re.Match[str]) -> str:
        if found["text"]:
            plain = re.sub(
                r"\\(.)",
                lambda each: {"n": "\n", "r": "\r", "t": "\t"}.get(each[1], each[1]),
                found["text"][1:-1],
            )
            return "'" + plain.replace("'", "''") + "'"
        if found["name"]:
            name = found["name"].strip("`")
            return "logs" if "." in name else f'"{name}"'
        words = {"SAFE_CAST": "TRY_CAST", "FLOAT64": "DOUBLE", "REGEXP_EXTRACT": "REGEXP_FOUND"}
        return words.get(found[0], found[0])

    shape = r"(?P<text>'(?:[^'\\]|\\.)*')|(?P<name>`[^`]+`)|SAFE_CAST|FLOAT64|REGEXP_EXTRACT"
    return re.sub(shape, told, text)
