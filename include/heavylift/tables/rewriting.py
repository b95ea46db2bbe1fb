"""Values that are not the same on both sides: what becomes of them on the way there, and on the way back.

Whoever moves rows that name places (an artifact's URI, say) gives the rewriting along with the request. It
acts on changes as they are applied; rows that were there before are the business of who copied them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heavylift.errors import UnsupportedError

if TYPE_CHECKING:
    from heavylift.tables.postgres.fold import Shape

Rewrite = Callable[[bytes], bytes]
"""Turns a value's text into another; it must leave alone what it has nothing to say about."""
Columns = Mapping[tuple[str, str], Rewrite]
"""By the names of table and column."""
Places = tuple[tuple[int, Rewrite], ...]
"""By the column's place in a row."""


@dataclass(frozen=True)
class Rewriting:
    """What is rewritten in either direction; nothing by default.

    :param there: on the way to the request's target.
    :param back: on the way back; it undoes the other.
    """

    there: Columns = field(default_factory=dict)
    back: Columns = field(default_factory=dict)

    def reversed(self) -> Rewriting:
        """Return the rewriting of the other direction."""
        return Rewriting(self.back, self.there)

    def places(self, shape: Shape) -> Places:
        """Return what is rewritten in rows of a shape.

        :raises UnsupportedError: rows are found by a value that would be rewritten.
        """
        if not self.there:
            return ()
        found = tuple(
            (at, self.there[(shape.table.name, name)])
            for at, name in enumerate(shape.columns)
            if (shape.table.name, name) in self.there
        )
        if found and (not shape.key or {at for at, _ in found} & set(shape.key_at)):
            raise UnsupportedError(
                f"rewriting values of {shape.table}",
                got="a value that is part of what its row is found by",
                expected="a key of other columns",
                state="nothing of this batch was applied; the position stays",
                remedy="give the table a primary key without that column on both sides",
                code="9500",
            )
        return found
