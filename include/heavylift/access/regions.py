"""Where and when something is allowed, as a union of clauses over resources and conditions.

A region is a set of clauses; a clause is a set of literals that must all hold; a literal is an atom or
its opposite. Atoms are patterns of resources and tests of the request's context. The empty clause is
always, no clause is never.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from heavylift.access.globs import covers, disjoint
from heavylift.errors import UnsupportedError

MAX_CLAUSES = 256
"""A policy that needs more is reported, not approximated."""


@dataclass(frozen=True, order=True)
class Atom:
    """A pattern of resources (``operator`` is ``match``), or a test of a key of the request's context.

    :param operator: ``match``, an operator of AWS's (``StringEquals``), or ``cel`` for what only Google's
        language says.
    """

    operator: str
    key: str
    values: tuple[str, ...]

    @property
    def pattern(self) -> str:
        """The pattern of a match."""
        return self.values[0]


@dataclass(frozen=True, order=True)
class Literal:
    """An atom that must hold, or must not."""

    atom: Atom
    holds: bool = True


Clause = frozenset[Literal]


@dataclass(frozen=True)
class Region:
    """A union of clauses."""

    clauses: frozenset[Clause]

    @cached_property
    def sorted(self) -> list[list[Literal]]:
        """The clauses in an order that does not depend on the process."""
        return sorted(sorted(clause) for clause in self.clauses)

    def __or__(self, other: Region) -> Region:
        return _region(self.clauses | other.clauses)

    def __and__(self, other: Region) -> Region:
        if len(self.clauses) * len(other.clauses) > MAX_CLAUSES * 16:
            raise _too_many(len(self.clauses) * len(other.clauses))
        made = (simplified(one | two) for one in self.clauses for two in other.clauses)
        return _region(clause for clause in made if clause is not None)

    def __invert__(self) -> Region:
        result = ALWAYS
        for clause in self.clauses:
            result &= _region(frozenset({Literal(each.atom, not each.holds)}) for each in clause)
        return result


NEVER = Region(frozenset())
ALWAYS = Region(frozenset({frozenset()}))


def atom(operator: str, key: str, *values: str) -> Region:
    """Return where one atom holds."""
    return Region(frozenset({frozenset({Literal(Atom(operator, key, values))})}))


def within(pattern: str) -> Region:
    """Return the resources that a pattern matches."""
    return ALWAYS if pattern == "*" else atom("match", "resource", pattern)


def union(regions: Iterable[Region]) -> Region:
    """Return what at least one of ``regions`` allows."""
    clauses: set[Clause] = set()
    for region in regions:
        clauses |= region.clauses
    return _region(clauses)


def simplified(clause: Iterable[Literal]) -> Clause | None:
    """Return a clause without what follows from the rest of it, or None where it can never hold."""
    literals = set(clause)
    if any(Literal(each.atom, not each.holds) in literals for each in literals):
        return None
    wanted = [each for each in literals if each.atom.operator == "match" and each.holds]
    barred = [each for each in literals if each.atom.operator == "match" and not each.holds]
    for one in wanted:
        if any(covers(each.atom.pattern, one.atom.pattern) for each in barred):
            return None
        if any(disjoint(one.atom.pattern, each.atom.pattern) for each in wanted):
            return None
    for each in [*wanted]:
        narrower = [o for o in wanted if o != each and covers(each.atom.pattern, o.atom.pattern)]
        if narrower and each in literals:
            literals.discard(each)
            wanted.remove(each)
    for each in barred:
        if any(disjoint(each.atom.pattern, one.atom.pattern) for one in wanted):
            literals.discard(each)
    return frozenset(literals)


def implies(narrow: Clause, wide: Clause) -> bool:
    """Tell whether wherever ``narrow`` holds ``wide`` does; False where that is not certain."""
    left = wide - narrow
    # Only patterns can follow from something else than themselves.
    if any(need.atom.operator != "match" for need in left):
        return False
    return all(any(_gives(have, need) for have in narrow) for need in left)


def _gives(have: Literal, need: Literal) -> bool:
    if have == need:
        return True
    if "match" not in (have.atom.operator, need.atom.operator) or have.atom.operator != need.atom.operator:
        return False
    if have.holds and need.holds:
        return covers(need.atom.pattern, have.atom.pattern)
    if have.holds:
        return disjoint(have.atom.pattern, need.atom.pattern)
    return not need.holds and covers(have.atom.pattern, need.atom.pattern)


def _region(clauses: Iterable[Clause]) -> Region:
    every = set(clauses)
    if len(every) > MAX_CLAUSES:
        raise _too_many(len(every))
    kept = {
        clause
        for clause in every
        if not any(
            other != clause
            and implies(clause, other)
            and not (implies(other, clause) and key(clause) < key(other))
            for other in every
        )
    }
    return Region(frozenset(kept))


def key(clause: Clause) -> list[Literal]:
    """Return what clauses are ordered by."""
    return sorted(clause)


def _too_many(count: int) -> UnsupportedError:
    return UnsupportedError(
        "resolving a policy's denies and conditions",
        got=f"{count} combinations",
        expected=f"at most {MAX_CLAUSES}",
        state="this identity's permissions were not translated",
        remedy="split the policy, or give its statements fewer denies with conditions of their own",
        code="8101",
    )
