"""Compares whole stores by digests that both databases compute; trusts nothing that the mover noted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from heavylift.evidence.registry_records import RegistryTableProof
from heavylift.platforms.postgresql.connect import connect, where
from heavylift.registry.paths import stores_of
from heavylift.registry.store.catalog import STAGED, StoreTable, read_catalog
from heavylift.registry.store.comparing import differing_rows
from heavylift.registry.store.digests import TableDigest, table_digest
from heavylift.registry.store.loading import Sides
from heavylift.spec.vocabulary import Deletes

if TYPE_CHECKING:
    from heavylift.platforms.postgresql.connect import Session
    from heavylift.registry.requests import RegistryRequest
    from heavylift.registry.store.moment import Moment


def table_proofs(request: RegistryRequest, moment: Moment) -> tuple[RegistryTableProof, ...]:
    """Return the digests of every table, of the source at a moment and of the target now.

    After a sync that does not follow deletions, a table counts as equal that has every row of the source
    and besides only rows that the source has no more; these are counted.
    """
    _, target = stores_of(request)
    with closing(connect(target, "registry verify")) as theirs:
        theirs.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        ours = moment.session
        staged = moment.connection.text(STAGED)
        with ThreadPoolExecutor(1) as pool:
            source = pool.submit(read_catalog, ours, where(moment.connection), staged)
            there = read_catalog(theirs, where(target))
            sides = Sides.of(source.result(), there)
            return _Proving(request, sides, ours, theirs).all(pool)


class _Proving:
    """Compares all tables; each side is read at one moment, and none waits for the other between two."""

    def __init__(
        self,
        request: RegistryRequest,
        sides: Sides,
        source: Session,
        target: Session,
    ) -> None:
        self._options = request.options
        self._sides = sides
        self._source = source
        self._target = target

    def all(self, pool: ThreadPoolExecutor) -> tuple[RegistryTableProof, ...]:
        tables = list(self._sides.source.tables.values())
        wanted = pool.submit(self._digests, tables)
        there = {
            table.name: table_digest(self._target, self._sides.target, table)
            for table in tables
            if table.name in self._sides.target.tables
        }
        left = wanted.result()
        return tuple(self._proof(table, left[table.name], there.get(table.name)) for table in tables)

    def _digests(self, tables: list[StoreTable]) -> dict[str, TableDigest]:
        uris = self._options.uris
        return {each.name: table_digest(self._source, self._sides.source, each, uris) for each in tables}

    def _proof(self, table: StoreTable, left: TableDigest, right: TableDigest | None) -> RegistryTableProof:
        kept = self._kept(table, left, right) if right is not None else 0
        return RegistryTableProof(
            table=table.name,
            source=str(left),
            target=str(right),
            equal=left == right or kept > 0,
            kept=kept,
        )

    def _kept(self, table: StoreTable, left: TableDigest, right: TableDigest) -> int:
        """Return how many rows only the target has, if that is all the difference and may be."""
        keeps = self._options.live and self._options.deletes is Deletes.KEEP
        if not keeps or right.rows <= left.rows:
            return 0
        found = differing_rows(
            table, self._sides, self._options.uris, right.rows, source=self._source, target=self._target
        )
        kept = 0
        for each in found:
            if each.kind != "extra":
                return 0
            kept += 1
        return kept
