"""What is kept of a database to which changes flow back: its triggers, and which tables are not concerned.

MySQL cannot keep triggers quiet, so that they are taken away before the first change comes. Their statements
lie beside the stream's state until they are made again: by the drain, or by the end of the stream.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError
from heavylift.tables.model import TableName
from heavylift.tables.mysql.connect import ask, execute
from heavylift.tables.mysql.faults import number_of
from heavylift.tables.mysql.twin.dump import Entry
from heavylift.tables.mysql.twin.schema import FINISHED, Builder, drop_statement
from heavylift.tables.mysql.twin.state import has_state, read_notes, write_note

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session

_APART, _KEPT = "apart ", "kept trigger "


def note(session: Session, stream: str, apart: Sequence[TableName], triggers: Sequence[Entry]) -> None:
    """Note, within a transaction, what a stream that flows back finds, over what an earlier one has noted.

    :param apart: tables that the patterns choose, and that were never moved.
    :param triggers: those of the stream's tables, in the order in which they fire.
    """
    for table in ("stream_table", "stream_schema"):
        execute(session, f"DELETE FROM heavylift.{table} WHERE stream = %s", [stream])
    for name in apart:
        write_note(session, stream, f"{_APART}{name}", json.dumps([name.schema, name.name]), made=True)
    for number, each in enumerate(triggers):
        kept = [number, each.name.schema, each.name.name, each.statement, each.definer, each.settings]
        write_note(session, stream, f"{_KEPT}{each.name}", json.dumps(kept), made=True)
        write_note(session, stream, str(each), drop_statement(each), made=True)
    # Indexes and foreign keys are there since long.
    write_note(session, stream, FINISHED, "", made=True)


def apart(session: Session, stream: str) -> frozenset[TableName]:
    """Return the tables that the patterns choose, and that were never moved."""
    return frozenset(TableName(*json.loads(text)) for text in _beginning(session, stream, _APART))


def wake_triggers(session: Session, definer: Session, stream: str) -> None:
    """Make those of the kept triggers again that were taken away; idempotent.

    :param definer: a session whose transactions may be committed by it.
    :raises ConflictError: the server refuses one.
    """
    rows = ask(session, "SELECT trigger_schema, trigger_name FROM information_schema.triggers")
    there = {TableName(row[0], row[1]) for row in rows}
    entries = [
        Entry("trigger", TableName(schema, name), statement, account, tuple((n, v) for n, v in settings))
        for _, schema, name, statement, account, settings in sorted(
            json.loads(text) for text in _beginning(session, stream, _KEPT)
        )
        if TableName(schema, name) not in there
    ]
    # An account that one belonged to was here before us, and no other takes its place.
    made, failed = Builder(definer, lambda: (), keep_definers=True).make(entries)
    for entry in made:
        write_note(session, stream, str(entry), drop_statement(entry), made=True)
    if failed:
        raise _not_made(failed)


def _beginning(session: Session, stream: str, beginning: str) -> list[str]:
    if not has_state(session):
        return []
    notes = read_notes(session, stream, made=True)
    return [text for entry, text in notes.items() if entry.startswith(beginning)]


def _not_made(failed: Sequence[tuple[Entry, Exception]]) -> ConflictError:
    entry, error = failed[0]
    return ConflictError(
        "making the triggers again that were taken away while changes flowed back",
        got=f"error {number_of(error)} at {entry}" + (f" and {len(failed) - 1} more" if failed[1:] else ""),
        expected="every trigger that stood there when the way back was prepared",
        state="all changes are applied; the triggers' statements are kept in heavylift.stream_schema",
        remedy="give the account TRIGGER, and SET USER (MySQL: SET_ANY_DEFINER) for triggers of other"
        " accounts; then run this again",
        code="6482",
    )
