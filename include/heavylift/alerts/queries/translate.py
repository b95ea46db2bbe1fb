"""Queries for another language, each run beside its source over the same lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from heavylift.alerts.queries import (
    filter_pattern,
    insights,
    kql,
    kql_write,
    logging_query,
    logql,
    logql_write,
    sql,
)
from heavylift.alerts.queries.evaluate import NUMBER, Cell, Rules, run
from heavylift.alerts.queries.lines import Line
from heavylift.alerts.queries.model import (
    AllOf,
    AnyOf,
    Check,
    Filter,
    Language,
    Limit,
    Node,
    Not,
    Op,
    Query,
    Sort,
    Stats,
    Step,
    Where,
    Written,
    checks,
)
from heavylift.alerts.queries.shape import ERROR, neutral, shaped
from heavylift.alerts.queries.tokens import unsaid

RULES: Mapping[Language, Rules] = {
    Language.INSIGHTS: insights.InsightsRules(),
    Language.LOGGING: logging_query.LoggingRules(),
    Language.KQL: kql.KqlRules(),
    Language.LOGQL: logql.LogqlRules(),
    Language.FILTER: filter_pattern.FilterRules(),
}
_WRITERS: Mapping[Language, Callable[..., Written]] = {
    Language.INSIGHTS: insights.write,
    Language.LOGGING: logging_query.write,
    Language.SQL: sql.write,
    Language.KQL: kql_write.write,
    Language.LOGQL: logql_write.write,
}
_TURNED = {Op.LT: Op.GE, Op.LE: Op.GT, Op.GT: Op.LE, Op.GE: Op.LT}
Table = list[tuple[Cell, ...]]


@dataclass(frozen=True)
class Ran:
    """What both queries gave over the same lines.

    :param why: where they differ; empty where they do not.
    """

    lines: int
    source_rows: int
    target_rows: int
    why: str = ""


def read(language: Language, text: str, message: str = "") -> Query:
    """Return a query.

    :param message: KQL's column of a line's text.
    :raises SpecError: it is none.
    :raises UnsaidError: it says what no other language does.
    """
    if language is Language.KQL:
        return kql.read(text, message)
    readers = {
        Language.INSIGHTS: insights.read,
        Language.LOGGING: logging_query.read,
        Language.LOGQL: logql.read,
        Language.FILTER: filter_pattern.read,
    }
    if language not in readers:
        raise unsaid("queries in SQL", "SQL is written only")
    return readers[language](text)


def translate(query: Query, source: Language, target: Language, where: Where) -> Written:
    """Return a query in another language, with what differs.

    :raises UnsaidError: the target cannot say it.
    """
    steps: list[Step] = []
    notes: list[tuple[str, str]] = []
    for step in query.steps:
        if isinstance(step, Filter):
            notes += _doubts(step.node, source)
            node = _neutral(step.node, source)
            if node is not None:
                steps.append(Filter(node))
        else:
            steps.append(step)
    if target not in _WRITERS:
        raise unsaid(f"queries in {target}", "it is read only")
    made = _WRITERS[target](shaped(Query(tuple(steps))), where)
    return replace(made, notes=(*notes, *made.notes))


def _doubts(node: Node, source: Language) -> list[tuple[str, str]]:
    if source not in (Language.INSIGHTS, Language.FILTER):
        return []
    if isinstance(node, AllOf | AnyOf):
        return [each for part in node.parts for each in _doubts(part, source)]
    fields = []
    if isinstance(node, Not):
        fields = [each.field for each in checks(node) if each.op is not Op.PRESENT]
    elif node.op is Op.NE:
        fields = [node.field]
    return [
        (f"AWS does not say whether lines without {each} come; here they do not, but within not(…)",
         f"add ispresent({each}), or not ispresent({each}), to the source")
        for each in fields if not each.startswith("@")
    ]  # fmt: skip


def _neutral(node: Node, source: Language) -> Node | None:
    if isinstance(node, Check) and node.field == ERROR:
        return None
    if source is Language.KQL:
        node = _certain(node, turned=False)
    return neutral(node, null="false" if source in (Language.INSIGHTS, Language.FILTER) else "true")


def _certain(node: Node, *, turned: bool) -> Node:
    """Turn ``not`` inward, where KQL's null would be lost: not below 5 is at least 5, and never null."""
    if isinstance(node, Not):
        return _certain(node.inner, turned=not turned)
    if isinstance(node, AllOf | AnyOf):
        parts = tuple(_certain(each, turned=turned) for each in node.parts)
        return AllOf(parts) if isinstance(node, AllOf) is not turned else AnyOf(parts)
    if not turned:
        return node
    if node.numeric and node.op in _TURNED and not node.sure:
        return replace(node, op=_TURNED[node.op])
    return Not(node)


def beside(
    source: tuple[Language, Query], target: tuple[Language, Written], where: Where, lines: Sequence[Line]
) -> Ran:
    """Run both queries over the same lines, each by its language's rules, the target's as it was written."""
    language, query = source
    before = _table(query, run(query, lines, RULES[language]))
    there, written = target
    if there is Language.SQL:
        ordered: Query = query
        after = sql.run(written.text, query, lines, where)
    else:
        ordered = _with_parameters(read(there, written.text, where.message), written)
        meant = _renamed(lines, where)
        after = _table(ordered, run(ordered, meant, RULES[there]))
    return Ran(len(lines), len(before), len(after), _difference(query, before, after))


def _renamed(lines: Sequence[Line], where: Where) -> Sequence[Line]:
    names = dict(where.fields)
    if not names:
        return lines
    return [
        replace(each, fields={names.get(key, key): value for key, value in each.fields.items()})
        for each in lines
    ]


def _with_parameters(query: Query, written: Written) -> Query:
    told = dict(written.parameters)
    order = told.get("order") or told.get("direction")
    more: list[Sort | Limit] = []
    if order is not None:
        more.append(Sort("@timestamp", order in ("desc", "backward")))
    if "limit" in told:
        more.append(Limit(int(told["limit"])))
    return Query((*query.steps, *more))


def _table(query: Query, rows: list[dict[str, Cell]]) -> Table:
    stats = query.stats
    if stats is None:
        return [(row[NUMBER],) for row in rows]
    names = (*stats.by, *((stats.bin_name,) if stats.bin else ()), *(each.name for each in stats.aggregates))
    return [tuple(row[name] for name in names) for row in rows]


def _difference(query: Query, before: Table, after: Table) -> str:
    if len(before) != len(after):
        return f"{len(before)} rows of the source, {len(after)} of the target{_example(before, after)}"
    sort = next((each for each in query.steps if isinstance(each, Sort)), None)
    if sort is None:
        before, after = sorted(before, key=_key), sorted(after, key=_key)
    elif query.stats is not None:
        # Rows that are equal in what is sorted by may change places.
        place = _column(query.stats, sort.field)
        if not all(
            _same(a[place : place + 1], b[place : place + 1]) for a, b in zip(before, after, strict=True)
        ):
            return "rows in another order"
        if any(isinstance(each, Limit) for each in query.steps) and before:
            last = before[-1][place]
            before = [each for each in before if each[place] != last]
            after = [each for each in after if each[place] != last]
        before, after = sorted(before, key=_key), sorted(after, key=_key)
    for mine, theirs in zip(before, after, strict=False):
        if not _same(mine, theirs):
            return f"the source's row {mine}, the target's {theirs}"
    return ""


def _column(stats: Stats, name: str) -> int:
    names = [*stats.by, *([stats.bin_name] if stats.bin else []), *(each.name for each in stats.aggregates)]
    return names.index(name)


def _example(before: Table, after: Table) -> str:
    only = [each for each in before if each not in after] or [each for each in after if each not in before]
    return f"; one side only: {only[0]}" if only else ""


def _key(row: tuple[Cell, ...]) -> tuple[tuple[int, float, str], ...]:
    return tuple(
        (0, 0.0, "") if each is None else (1, each, "") if not isinstance(each, str) else (2, 0.0, each)
        for each in row
    )


def _same(mine: tuple[Cell, ...], theirs: tuple[Cell, ...]) -> bool:
    return len(mine) == len(theirs) and all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
        if isinstance(a, float | int) and isinstance(b, float | int)
        else (a or None) == (b or None)
        for a, b in zip(mine, theirs, strict=True)
    )


__all__ = ["RULES", "Ran", "beside", "read", "translate"]
