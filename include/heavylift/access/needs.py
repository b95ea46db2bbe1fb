"""What an identity needs: where each operation is allowed by the source, and used where that is known."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from heavylift.access.model import Identity, Statement
from heavylift.access.regions import NEVER, Region, union
from heavylift.access.table import Operation, Table


@dataclass(frozen=True)
class Need:
    """An operation, where it is allowed, and the statements that say so."""

    operation: Operation
    region: Region
    where: tuple[str, ...]


def allowed_region(identity: Identity, permission: str, kind: str) -> Region:
    """Return where a permission of the source's is allowed to an identity.

    Some statement must allow it, each boundary must, and no denial may hold.
    """
    region = _of(identity.allows, permission, kind)
    for level in identity.boundaries:
        if region == NEVER:
            break
        region &= _of(level, permission, kind)
    for statement in identity.denies:
        if region == NEVER:
            break
        if permission in statement.permissions:
            region &= ~statement.regions[kind]
    return region


def _of(statements: Iterable[Statement], permission: str, kind: str) -> Region:
    return union(each.regions[kind] for each in statements if permission in each.permissions)


def needs_of(
    identity: Identity, table: Table, platform: str, used: Collection[str] | None
) -> tuple[list[Need], list[Need]]:
    """Return what an identity may do, and what of it no log shows it to have done.

    :param used: the source's permissions that the logs show; None where there are no logs.
    :raises UnsupportedError: its policies are too intricate.
    """
    needed: list[Need] = []
    unused: list[Need] = []
    known = {name for each in identity.allows for name in each.permissions}
    for operation in table.operations:
        ways = [way for way in operation.ways.get(platform, ()) if way <= known]
        idle = [way for way in ways if used is not None and not way & set(used)]
        for kept, target in ((False, unused), (True, needed)):
            chosen = [way for way in ways if (way in idle) != kept]
            region = union(_way(identity, way, operation.kind) for way in chosen)
            if region != NEVER:
                names = {name for way in chosen for name in way}
                where = tuple(sorted({each.where for each in identity.allows if each.permissions & names}))
                target.append(Need(operation, region, where))
    return needed, unused


def _way(identity: Identity, way: frozenset[str], kind: str) -> Region:
    first, *rest = sorted(way)
    region = allowed_region(identity, first, kind)
    for each in rest:
        region &= allowed_region(identity, each, kind)
    return region
