"""The matrix of who may do what before and after, answered by both platforms' evaluators.

The translation does not judge itself: for each identity and operation resources and requests are made up
from the patterns and conditions of the source's policies, and both evaluators are asked, straight from the
documents.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from heavylift.access.conditions import moment
from heavylift.access.globs import is_literal
from heavylift.access.regions import Atom
from heavylift.access.table import Kind, Operation, Table

MAX_NAMES = 24
MAX_CONTEXTS = 24
NOW = "2030-01-01T00:00:00Z"
Ask = Callable[[str, Kind, str, dict[str, list[str]]], bool]
"""permission, kind, neutral name, context → whether it is allowed."""


@dataclass(frozen=True)
class Row:
    """One question and both answers.

    :param expected: before and after may differ where permissions were dropped; never the other way.
    """

    identity: str
    operation: str
    resource: str
    context: str
    before: bool
    after: bool

    @property
    def excess(self) -> bool:
        """Allowed after, and not before."""
        return self.after and not self.before


def names_for(kind: Kind, atoms: Iterable[Atom], *, region: str) -> list[str]:
    """Return neutral names that patterns tell apart: in each, and just outside of it.

    :param region: names of what AWS keeps in a region begin with it.
    """
    region = region if "{region}" in kind.templates["aws"] else ""
    patterns = sorted({each.pattern for each in atoms if each.operator == "match"})
    found = [_example(kind, region)]
    for pattern in patterns:
        filled = _filled(pattern, region)
        found += [filled, pattern.replace("*", "").replace("?", "q"), f"{filled}-not", f"x{filled}"]
        found += [f"{region}/x{filled.partition('/')[2]}"] if region else []
    for one, other in itertools.pairwise(patterns):
        found.append(one.replace("*", other.rpartition("/")[2].replace("*", "p")).replace("?", "q"))
    valid = [each for each in dict.fromkeys(found) if _valid(kind, each, bool(region))]
    return valid[:MAX_NAMES]


def _filled(pattern: str, region: str) -> str:
    if region and pattern.startswith("*/"):
        pattern = region + pattern[1:]
    return pattern.replace("*", "probe").replace("?", "q")


def _example(kind: Kind, region: str) -> str:
    return {"object": "some-bucket/some/key", "account": "*"}.get(
        kind.name, f"{region}/some" if region else "some"
    )


def _valid(kind: Kind, name: str, regional: bool) -> bool:
    if kind.name == "account":
        return name == "*"
    if not name or not is_literal(name) or name.endswith("/"):
        return False
    if kind.name == "object":
        bucket, slash, key = name.partition("/")
        return bool(bucket and slash and key)
    if kind.name in ("bucket", "new_bucket"):
        return "/" not in name
    return not regional or "/" in name


def contexts_for(atoms: Iterable[Atom]) -> list[dict[str, list[str]]]:
    """Return requests that conditions tell apart: all met, none met, and each alone met or not."""
    tests = sorted(each for each in atoms if each.operator not in ("match", "ResourceLike", "cel"))
    base: dict[str, list[str]] = {"time": [NOW]}
    values = {each: _values(each) for each in tests}
    every = [base]
    met = dict(base)
    for each in tests:
        met |= {each.key: [values[each][0]]}
    every.append(met)
    for each in tests:
        for value in values[each]:
            every += [{**base, each.key: [value]}, {**met, each.key: [value]}]
    distinct = {repr(sorted(each.items())): each for each in every}
    return list(distinct.values())[:MAX_CONTEXTS]


def _values(test: Atom) -> list[str]:
    value = test.values[0] if test.values else ""
    if test.operator.startswith("Date"):
        try:
            at = moment(value)
        except ValueError:
            return [NOW]
        return [(at + timedelta(seconds=step)).isoformat().replace("+00:00", "Z") for step in (-1, 0, 1)]
    if test.operator.endswith("IpAddress"):
        return [value.partition("/")[0], "203.0.113.9"]
    return [value.replace("*", "v").replace("?", "v"), f"{value}-not".replace("*", "").replace("?", "")]


def rows(
    identity: str,
    table: Table,
    operations: Iterable[Operation],
    atoms: Mapping[str, Collection[Atom]],
    asks: tuple[Ask, Ask],
    platforms: tuple[str, str],
    region: str,
) -> Iterator[Row]:
    """Yield the answers for one identity: for each operation, each name, each request.

    :param atoms: for each kind of resource what the source's statements tell apart.
    :param asks: the evaluators, before and after.
    :param region: where names of what AWS keeps in a region begin; empty for other sources.
    """
    contexts = contexts_for(each for found in atoms.values() for each in found)
    for operation in operations:
        kind = table.kinds[operation.kind]
        for name in names_for(kind, atoms.get(operation.kind, ()), region=region):
            for context in contexts:
                answers = [
                    _allowed(operation, platform, ask, kind, name, context)
                    for platform, ask in zip(platforms, asks, strict=True)
                ]
                words = "; ".join(f"{key}={','.join(value)}" for key, value in sorted(context.items()))
                yield Row(identity, operation.name, f"{operation.kind}:{name}", words, *answers)


def _allowed(
    operation: Operation, platform: str, ask: Ask, kind: Kind, name: str, context: dict[str, list[str]]
) -> bool:
    ways = operation.ways.get(platform, ())
    return any(all(ask(each, kind, name, context) for each in sorted(way)) for way in ways)
