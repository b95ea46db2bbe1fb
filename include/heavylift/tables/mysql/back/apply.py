"""Applying PostgreSQL's changes to the MySQL tables that they came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError
from heavylift.tables.model import TableName
from heavylift.tables.mysql.back.values import writer_back
from heavylift.tables.mysql.catalog import SourceTable
from heavylift.tables.mysql.connect import Policy
from heavylift.tables.mysql.twin.apply import TwinApplier
from heavylift.tables.mysql.twin.literals import written
from heavylift.tables.mysql.twin.session import Lenient, open_writer
from heavylift.tables.mysql.twin.writing import TableWriter

if TYPE_CHECKING:
    from heavylift.tables.mysql.target import Applying
    from heavylift.tables.postgres.fold import Shape


@dataclass
class BackApplier(TwinApplier):
    """Writes each value in the form in which its column held it before the way there.

    :param policy: of the way there.
    :param types: of PostgreSQL's columns when the way back was prepared, by number.
    """

    policy: Policy = field(default_factory=Policy)
    types: Mapping[TableName, Mapping[str, int]] = field(default_factory=dict)

    def _writer_of(self, table: SourceTable, shape: Shape) -> TableWriter:
        known = self.types.get(shape.table, {})
        other = [each.name for each in shape.relation.columns if known.get(each.name) != each.type_oid]
        if other:
            raise _retyped(shape.table, other)
        if not shape.has_whole_old_rows:
            raise _in_part(shape.table)
        literals = writer_back(self.policy)
        computed = frozenset(each.source.name for each in table.columns if each.column.generated)
        # Labels are looked at before they are written.
        listed = frozenset(each.source.name for each in table.columns if each.source.data_type == "enum")
        lenient = Lenient(listed, computed)
        columns = written(table, shape.columns, literals)
        return TableWriter(self.session, table, columns, self._limit, lenient, literals)


@contextmanager
def open_back_applier(
    given: Applying, policy: Policy, types: Mapping[TableName, Mapping[str, int]]
) -> Iterator[BackApplier]:
    """Open a session that applies batches; left, it has given up what was not complete."""
    with closing(open_writer(given.request.target.connection)) as session:
        applier = BackApplier(session, given, policy=policy, types=types)
        try:
            yield applier
        finally:
            applier.give_up()


def _retyped(table: TableName, columns: list[str]) -> ConflictError:
    return ConflictError(
        f"applying changes of {table} on the way back",
        got=f"columns of another type than the way there has made: {', '.join(columns[:5])}",
        expected="the types that hold the source's values",
        state="nothing of this batch was applied; the position stays",
        remedy="give them their types back on the target (docs/reference/tables-mysql.md lists them)",
        code="6452",
    )


def _in_part(table: TableName) -> ConflictError:
    return ConflictError(
        f"applying changes of {table} on the way back",
        got="rows that need not hold all values: somebody has changed the table's replica identity",
        expected="REPLICA IDENTITY FULL, as it was set when the way back was prepared",
        state="nothing of this batch was applied; the position stays",
        remedy="ALTER TABLE … REPLICA IDENTITY FULL on the target; of rows changed meanwhile, compare with"
        " heavylift tables reverse verify",
        code="6454",
    )
