"""From what identities may do on the source to what they get on the target.

Operations are what both sides are measured by. A permission of the target is used where all it allows is
allowed on the source at the same spot; what no such permission reaches is reported, or granted with the
excess that was asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from heavylift.access.model import Identity, Read, Untranslated
from heavylift.access.needs import Need, needs_of
from heavylift.access.predefined import Predefined, cover
from heavylift.access.regions import NEVER
from heavylift.access.table import Operation, Table
from heavylift.access.writing import Grant, Refusal, Spot, Writer
from heavylift.errors import UnsupportedError

MAX_NAMED = 20


@dataclass(frozen=True)
class Options:
    """How it is translated.

    :param max_excess: operations beyond the source's that one grant may allow.
    :param predefined: the target's predefined roles that may stand in the place of a custom one.
    :param used: the source's permissions that logs show, by identity; None where there are no logs.
    """

    max_excess: int = 0
    predefined: tuple[Predefined, ...] = ()
    used: Mapping[str, Collection[str]] | None = None


@dataclass
class Translated:
    """What came of it."""

    grants: list[Grant] = field(default_factory=list)
    untranslated: list[Untranslated] = field(default_factory=list)
    free: list[tuple[str, str]] = field(default_factory=list)
    unused: list[tuple[str, str]] = field(default_factory=list)
    needs: dict[str, list[Need]] = field(default_factory=dict)


def translate(read: Read, table: Table, source: str, writer: Writer, options: Options) -> Translated:
    """Translate all identities; the same input gives the same output, in the same order."""
    result = Translated(untranslated=list(read.untranslated))
    for identity in sorted(read.identities, key=lambda each: each.id):
        try:
            _One(identity, table, source, writer, options, result).run()
        except UnsupportedError as error:
            refusal = Refusal("too_intricate", error.got, error.remedy)
            result.untranslated.append(_report(identity.id, "all permissions", refusal))
    return result


class _One:
    """Translates one identity."""

    def __init__(
        self,
        identity: Identity,
        table: Table,
        source: str,
        writer: Writer,
        options: Options,
        result: Translated,
    ) -> None:
        self.identity, self.table, self.source = identity, table, source
        self.writer, self.options, self.result = writer, options, result
        self.target = writer.identity(identity.id)
        self.spots: dict[str, list[Spot]] = defaultdict(list)

    def run(self) -> None:
        self._report_elsewhere()
        used = self.options.used
        needs, unused = needs_of(
            self.identity, self.table, self.source, None if used is None else used.get(self.identity.id, ())
        )
        self.result.unused += [(self.identity.id, each.operation.name) for each in unused]
        self.result.needs[self.identity.id] = needs
        for need in needs:
            self._place(need)
        granted = self._grant({each.operation.name: each for each in needs})
        for need in needs:
            for spot in self.spots.get(need.operation.name, ()):
                there = {name for each in granted if self._over(each.spot, spot) for name in each.permissions}
                if not need.operation.allowed_by(self.writer.platform, there):
                    self._report_broad(need, spot)

    def _report_elsewhere(self) -> None:
        """Report statements whose resources are none of the source's that are known."""
        for each in self.identity.allows:
            if each.permissions and all(region == NEVER for region in each.regions.values()):
                refusal = Refusal(
                    "scope",
                    "its resources lie elsewhere, or are of no kind that these permissions are for",
                    "translate that account by itself, or name the place in the map of names (source)",
                )
                names = ", ".join(sorted(each.permissions)[:MAX_NAMED])
                report = _report(self.identity.id, names, refusal, (each.where,))
                if report not in self.result.untranslated:
                    self.result.untranslated.append(report)

    def _place(self, need: Need) -> None:
        operation = need.operation
        if self.writer.platform in operation.free:
            self.result.free.append((self.identity.id, operation.name))
            return
        if self.writer.platform not in operation.ways:
            refusal = Refusal(
                "no_counterpart",
                operation.note or "the target has nothing like it",
                "grant by hand what does the same there, or add a row to access_operations.csv (--facts)",
            )
            self._report(need, refusal)
            return
        refusals = set()
        for clause in need.region.clauses:
            found = self.writer.spot(self.table.kinds[operation.kind], clause)
            if isinstance(found, Refusal):
                refusals.add((found.reason, found.detail, found.remedy))
            else:
                self.spots[operation.name].append(found)
        for each in sorted(refusals):
            self._report(need, Refusal(*each))

    def _grant(self, needs: Mapping[str, Need]) -> list[Grant]:
        found: list[Grant] = []
        for spot in sorted({spot for spots in self.spots.values() for spot in spots}, key=_order):
            here = {
                name for name, spots in self.spots.items() if any(self._over(each, spot) for each in spots)
            }
            wanted = {name for name, spots in self.spots.items() if spot in spots}
            above = [each for each in found if self._over(each.spot, spot)]
            found += self._choose(spot, frozenset(here), frozenset(wanted), above, needs)
        self.result.grants += found
        return found

    def _choose(
        self,
        spot: Spot,
        here: frozenset[str],
        wanted: frozenset[str],
        above: list[Grant],
        needs: Mapping[str, Need],
    ) -> list[Grant]:
        inherited = frozenset(name for each in above for name in each.permissions)
        wanted -= self.table.allowed(self.writer.platform, inherited)
        chosen = self._permissions(here, wanted, inherited)
        permissions = chosen - inherited
        operations = self.table.allowed(self.writer.platform, chosen | inherited)
        if not permissions or not wanted & operations:
            return []
        where = tuple(sorted({place for name in wanted & operations for place in needs[name].where}))
        roles = cover(self.options.predefined, permissions, self.options.max_excess)
        parts = [(each.permissions, each.name) for each in roles] or [(permissions, "")]
        # Together they may allow more than each by itself.
        every = inherited | frozenset(name for names, _ in parts for name in names)
        allowed = self.table.allowed(self.writer.platform, every)
        return [
            Grant(self.target, spot, names, allowed & here, allowed - here, role, where)
            for names, role in parts
        ]

    def _permissions(
        self, here: frozenset[str], wanted: frozenset[str], inherited: frozenset[str]
    ) -> frozenset[str]:
        """Return what to grant: what allows nothing beyond ``here``, and some excess if asked."""
        platform = self.writer.platform
        chosen: set[str] = set()
        left = self.options.max_excess
        ways = [
            way
            for operation in self.table.operations
            if operation.name in wanted
            for way in operation.ways[platform]
        ]
        base = self.table.allowed(platform, inherited)
        for way in sorted(ways, key=lambda way: (len(self._beyond(way, here)), sorted(way))):
            if all(each.allowed_by(platform, chosen | inherited) for each in self._ops(way, wanted)):
                continue
            beyond = self.table.allowed(platform, chosen | way | inherited) - here - base
            if len(beyond) <= left:
                chosen |= way
        return frozenset(chosen)

    def _beyond(self, way: frozenset[str], here: frozenset[str]) -> frozenset[str]:
        return self.table.allowed(self.writer.platform, way) - here

    def _ops(self, way: frozenset[str], wanted: frozenset[str]) -> list[Operation]:
        return [
            each
            for each in self.table.operations
            if each.name in wanted and way in each.ways.get(self.writer.platform, ())
        ]

    def _over(self, one: Spot, other: Spot) -> bool:
        """Tell whether what is granted at ``one`` holds wherever ``other`` does."""
        return self.writer.above(one.scope, other.scope) and one.terms <= other.terms

    def _report(self, need: Need, refusal: Refusal) -> None:
        names = ", ".join(sorted({name for way in need.operation.ways[self.source] for name in way}))
        report = _report(self.identity.id, names, refusal, need.where)
        if report not in self.result.untranslated:
            self.result.untranslated.append(report)

    def _report_broad(self, need: Need, spot: Spot) -> None:
        platform = self.writer.platform
        here = {name for name, spots in self.spots.items() if any(self._over(each, spot) for each in spots)}
        options = [(self._beyond(way, frozenset(here)), way) for way in need.operation.ways[platform]]
        beyond, way = min(options, key=lambda each: (len(each[0]), sorted(each[1])))
        self._report(
            need,
            Refusal(
                "counterpart_broader",
                f"for {need.operation.name}: {', '.join(sorted(way))} on {spot.scope} would also allow"
                f" {', '.join(sorted(beyond)) or 'more'}",
                f"--max-excess {max(len(beyond), 1)} grants it and lists the excess;"
                " or allow those on the source, too",
            ),
        )


def _order(spot: Spot) -> tuple[int, int, str, list[str]]:
    """Wide spots first, so that what they grant need not be granted again below."""
    return spot.scope.count("/"), len(spot.terms), spot.scope, sorted(spot.terms)


def _report(who: str, permission: str, refusal: Refusal, where: tuple[str, ...] = ()) -> Untranslated:
    place = where[0] if len(where) == 1 else f"{where[0]} and {len(where) - 1} more" if where else ""
    return Untranslated(who, permission, refusal.reason, refusal.detail, refusal.remedy, place)
