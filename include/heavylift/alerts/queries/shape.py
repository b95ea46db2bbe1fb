"""What of a query can be translated, and in which order its steps stand."""

from __future__ import annotations

from dataclasses import dataclass

from heavylift.alerts.queries.model import (
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
    checks,
)
from heavylift.alerts.queries.tokens import unsaid

ERROR = "__error__"


@dataclass(frozen=True)
class Shaped:
    """A query's parts, each once.

    :param before: filters and patterns, in their order.
    """

    before: tuple[Filter | Parse, ...]
    stats: Stats | None
    sort: Sort | None
    limit: Limit | None
    show: tuple[str, ...]

    @property
    def made(self) -> tuple[str, ...]:
        """Return the names that patterns make."""
        return tuple(name for each in self.before if isinstance(each, Parse) for name in each.names)

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the fields of lines that are used, in the order of their first use."""
        found: list[str] = []
        for each in self.before:
            if isinstance(each, Parse):
                found.append(each.field)
            else:
                found += [check.field for check in checks(each.node)]
        if self.stats:
            found += [*self.stats.by, *(each.field for each in self.stats.aggregates if each.field)]
        else:
            found += self.show
        made = set(self.made)
        return tuple(dict.fromkeys(each for each in found if not each.startswith("@") and each not in made))


def shaped(query: Query) -> Shaped:
    """Return a query's parts.

    :raises UnsaidError: they stand in an order, or so often, that other languages do not say.
    """
    before: list[Filter | Parse] = []
    once: dict[type, object] = {}
    ranks = {Stats: 1, Sort: 2, Limit: 3}
    last = 0
    for step in query.steps:
        if isinstance(step, Show):
            once[Show] = step
            continue
        rank = ranks.get(type(step), 0)
        if isinstance(step, Filter | Parse):
            if last:
                raise unsaid("a filter or pattern after stats, sort or limit")
            before.append(step)
            continue
        if rank <= last or type(step) in once:
            raise unsaid("stats, sort and limit in another order, or twice")
        once[type(step)], last = step, rank
    stats, sort, limit, show = (once.get(kind) for kind in (Stats, Sort, Limit, Show))
    found = Shaped(
        tuple(before),
        stats if isinstance(stats, Stats) else None,
        sort if isinstance(sort, Sort) else None,
        limit if isinstance(limit, Limit) else None,
        show.fields if isinstance(show, Show) else (),
    )
    _demand(found)
    return found


def _demand(found: Shaped) -> None:
    if found.stats is None and found.sort is not None and found.sort.field != "@timestamp":
        raise unsaid(f"lines in the order of {found.sort.field}", "sort by @timestamp, or by an aggregate")
    if found.stats is None and found.limit is not None and found.sort is None:
        raise unsaid("the first lines in no order", "sort by the time")
    if found.stats is not None:
        own = {each.name for each in found.stats.aggregates} | {found.stats.bin_name}
        if found.sort is not None and found.sort.field not in own:
            raise unsaid(f"groups in the order of {found.sort.field}", "sort by an aggregate or the bin")
        if found.limit is not None and found.sort is None:
            raise unsaid("the first groups in no order", "sort them")


def neutral(node: Node, *, null: str = "") -> Node:
    """Return a condition in which a check of a missing field is false, and only ``not`` turns that.

    :param null: what a language makes of ``!=`` where the field is missing: ``true``, ``false``, or ``null``.
    """
    if isinstance(node, Check):
        if node.op is not Op.NE:
            return node
        equal = Check(Op.EQ, node.field, node.value, node.fold)
        if null == "true" or node.field == ERROR:
            return Not(equal)
        return AllOf((Check(Op.PRESENT, node.field), Not(equal)))
    if isinstance(node, Not):
        inner = node.inner
        if isinstance(inner, Not):
            return neutral(inner.inner, null=null)
        return Not(neutral(inner, null=null))
    parts = tuple(neutral(part, null=null) for part in node.parts)
    return AnyOf(parts) if isinstance(node, AnyOf) else AllOf(parts)
