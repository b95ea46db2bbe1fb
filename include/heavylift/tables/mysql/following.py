"""Brings the target's tables to the shape that the log's next rows have, within the batch's transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError, IntegrityError
from heavylift.tables.model import TableName
from heavylift.tables.mysql.definitions import Definitions
from heavylift.tables.postgres.reshape import columns_of
from heavylift.tables.postgres.state import TableState, write_table

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.postgres.fold import Shape
    from heavylift.tables.postgres.writer import Missing


@dataclass(frozen=True)
class Follower:
    """Called at each barrier where a table's shape is first seen or has changed.

    :param states: what the target was made for, by table; kept up to date.
    :param done: takes each statement that was run on the target.
    """

    stream: str
    states: dict[TableName, TableState]
    definitions: Definitions
    done: list[str]

    def __call__(self, session: Session, shape: Shape) -> None:
        """Add the columns that a statement of the log has added.

        :raises ConflictError: the target lacks columns, or has others, that no such statement explains.
        """
        table = shape.table
        there = set(columns_of(session, table))
        wanted = set(shape.columns)
        for name in sorted(wanted - there):
            added = self.definitions.additions.get((table, name))
            if added is None:
                continue
            statement = added.statement(table)
            session.execute(statement)
            self.done.append(statement.as_string(session))
            self._note(session, table, name, added.mapped.type_name)
            there.add(name)
        if there != wanted:
            raise unlike(table, sorted(there ^ wanted))

    def _note(self, session: Session, table: TableName, name: str, type_name: str) -> None:
        state = self.states[table]
        signature = tuple(sorted((*state.signature, (name, type_name, False))))
        self.states[table] = replace(state, signature=signature)
        write_table(session, self.stream, self.states[table])


def no_healing(_session: Session, missing: list[Missing], _first: int) -> None:
    """Refuse rows that lack values: with whole row images there are none.

    :raises IntegrityError: there is one.
    """
    if missing:
        raise IntegrityError(
            f"applying changes of {missing[0].shape.table}",
            got="rows that do not hold all columns",
            expected="whole rows, as binlog_row_image = FULL writes them",
            state="nothing of this batch was applied; the position stays",
            remedy="report it with the source's version",
            code="6433",
        )


def unlike(table: TableName, columns: list[str]) -> ConflictError:
    """Return the error of columns that only one side has, and that no statement of the log explains."""
    return ConflictError(
        f"applying changes of {table}",
        got=f"columns that only one side has: {', '.join(columns[:10])}",
        expected="the same columns in the log and on the target",
        state="nothing of this batch was applied; the position stays",
        remedy="put the target's columns right, or have the table copied anew"
        " (docs/reference/tables-mysql.md)",
        code="6434",
    )
