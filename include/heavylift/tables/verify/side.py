"""What verification asks of a database: the port that each engine implements.

The contract between two engines is the *row text*. Equal rows must give the same text on both sides,
different rows different texts:

* fields are joined by :data:`heavylift.tables.verify.pairing.SEPARATOR`; a NULL is left out, which is
  what ``concat_ws`` does in PostgreSQL, MySQL and MariaDB alike;
* first comes the null map: empty where no compared column is NULL, else one ``t`` or ``f`` for each
  column in the order of ``plan.fields`` (``t``: NULL);
* then the plain fields in that order, then the lengths of the raw fields but the last, then the raw
  fields. A length counts bytes (of UTF-8 with :attr:`Digest.MD5`);
* with :attr:`Digest.MD5` the seed in decimal stands before all, and the digest is the first 15
  hexadecimal digits of the MD5 of the text in UTF-8, as a number.

So the columns can be read back from the text, and no two rows share one.

Where both sides are PostgreSQL, a field is what the type's output function writes under the settings of
:mod:`heavylift.tables.postgres.connect`. Between engines it is the canonical form:

=================  ==================================================================================
type               canonical text
=================  ==================================================================================
integer, decimal   decimal digits, no exponent, no ``+``, no trailing zeros after the point; ``-0`` is ``0``
float              the eight bytes of the double, highest first, in lower-case hexadecimal: two servers
                   need not agree on the shortest decimal
boolean            ``0`` or ``1``; MySQL's ``tinyint(1)`` is one where the other side has a boolean
date               ``YYYY-MM-DD``
time               ``HH:MM:SS.ffffff``
timestamp          ``YYYY-MM-DD HH:MM:SS.ffffff``; with a time zone: in UTC
text, enum, uuid   as it is; ``char(n)`` without trailing spaces
bytes, bits        lower-case hexadecimal
JSON               the other side's ``jsonb`` text: keys by length, then by bytes, ``", "`` and ``": "``
=================  ==================================================================================
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from heavylift.tables.model import Table
from heavylift.tables.verify.plan import Key, Plan, SideName


@dataclass(frozen=True)
class Bucket:
    """What one side has in one bucket: how many rows, and the sum of their digests."""

    rows: int
    digest: int


class Row(NamedTuple):
    """One row of a bucket that differs.

    :param place: where it stands in the order that both sides share: a digest of its key.
    :param copies: how often it is there; not 1 only in a table without a key.
    """

    place: int
    key: Key
    digest: int
    copies: int = 1


@dataclass(frozen=True)
class Chosen:
    """Some buckets of a plan; what is computed in them may be cut finer than they are."""

    plan: Plan
    buckets: Sequence[int]


States = dict[Key, Counter[int]]
"""For each key that has rows: the digests of those rows, and how many have each."""


class Side(Protocol):
    """One database under comparison."""

    @property
    def name(self) -> SideName:
        """Which of the two it is."""

    def character(self) -> str:
        """Return what must be equal on both sides for :attr:`Digest.HASH` to give equal numbers."""

    def stop(self) -> None:
        """Cancel what runs, from another thread; what is asked later fails."""

    def close(self) -> None:
        """Close what was opened; what is asked later opens it again."""

    def count(self, table: Table) -> int:
        """Return the number of rows."""

    def bounds(self, plan: Plan, ranges: int) -> tuple[str, ...]:
        """Return at most ``ranges - 1`` keys that cut the table into ranges of about equal rows.

        Empty where the first column of the key has no order that both sides share.
        """

    def buckets(self, plan: Plan, among: Chosen | None = None) -> dict[int, Bucket]:
        """Return the buckets that have rows; ``among``: those that lie in these."""

    def rows(self, plan: Plan, among: Chosen) -> Iterator[Row]:
        """Yield the rows of some buckets in ascending order of ``place``."""

    def states(self, plan: Plan, keys: Sequence[Key]) -> States:
        """Look some rows up, by key, as they are now."""
