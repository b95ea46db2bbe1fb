"""MySQL as one side of a comparison."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from heavylift.errors import TransientError
from heavylift.tables.model import Table, TableName
from heavylift.tables.mysql.canonical import Canonical
from heavylift.tables.mysql.catalog import SourceTable
from heavylift.tables.mysql.connect import ZeroDates, connect, execute, quoted, where
from heavylift.tables.mysql.faults import told_as
from heavylift.tables.verify.plan import Key, Plan, SideName
from heavylift.tables.verify.side import Bucket, Chosen, Row, States

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.tables.mysql.connect import Session

_STATE = "nothing was changed on either side"


@dataclass
class Lent:
    """Sessions that all see one state of the source, lent one at a time."""

    connection: Connection
    sessions: Sequence[Session]
    _free: queue.SimpleQueue[Session] = field(default_factory=queue.SimpleQueue)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        for session in self.sessions:
            self._free.put(session)

    @contextmanager
    def lend(self) -> Iterator[Session]:
        """Lend a session, once one is free.

        :raises TransientError: told to stop.
        """
        session = None
        while session is None:
            if self._stopped.is_set():
                raise self.stopped()
            try:
                session = self._free.get(timeout=0.2)
            except queue.Empty:
                continue
        try:
            with told_as(f"comparing tables on {where(self.connection)}", _STATE):
                yield session
        except Exception as error:
            if self._stopped.is_set() and not isinstance(error, TransientError):
                raise self.stopped() from error
            raise
        finally:
            self._free.put(session)

    def stop(self) -> None:
        """Cancel what runs; every later use says that it was told to stop."""
        self._stopped.set()
        with told_as("stopping a comparison", _STATE), closing(connect(self.connection)) as other:
            for session in self.sessions:
                execute(other, f"KILL QUERY {int(session.thread_id())}")

    def stopped(self) -> TransientError:
        """Return the error that says so."""
        return TransientError(
            f"comparing tables on {where(self.connection)}",
            got="a request to stop",
            expected="time to finish",
            state=_STATE,
            remedy="run the verification again; it begins anew",
            code="6460",
        )


@dataclass(frozen=True)
class MysqlSide:
    """One MySQL database.

    :param tables: the compared tables, by name.
    """

    lent: Lent
    tables: Mapping[TableName, SourceTable]
    zero_dates: ZeroDates
    name: SideName = "source"

    def character(self) -> str:
        """Return what no other side returns, so that both compute MD5."""
        return f"mysql {self.name}"

    def stop(self) -> None:
        """Cancel what runs."""
        self.lent.stop()

    def close(self) -> None:
        """Close nothing: whoever opened the sessions closes them, with the state that they see."""

    def count(self, table: Table) -> int:
        """Return the number of rows."""
        rows = self._ask(f"SELECT COUNT(*) FROM {_name(table)}")
        return int(rows[0][0])

    def bounds(self, plan: Plan, ranges: int) -> tuple[str, ...]:
        """Return none: buckets are by the digest of the key alone."""
        del plan, ranges
        return ()

    def buckets(self, plan: Plan, among: Chosen | None = None) -> dict[int, Bucket]:
        """Return the buckets that have rows; one pass over the table."""
        form = self._form(plan)
        # Names are quoted, literals are numbers.
        query = (
            f"SELECT bucket, COUNT(*), SUM(digest) FROM (SELECT {self._bucket(plan)} AS bucket,"
            f" {form.row_digest(plan)} AS digest FROM {_name(plan.table(self.name))}{self._within(among)}) e"
            " GROUP BY bucket"
        )
        return {int(number): Bucket(int(rows), int(digest)) for number, rows, digest in self._ask(query)}

    def rows(self, plan: Plan, among: Chosen) -> Iterator[Row]:
        """Yield the rows of some buckets in ascending order of ``place``."""
        from pymysql.cursors import SSCursor

        form, table = self._form(plan), _name(plan.table(self.name))
        where_ = self._within(among)
        if plan.key:
            keys = ", ".join(form.key_texts(plan))
            query = (
                f"SELECT {form.place(plan)} AS place, {form.row_digest(plan)} AS digest, {keys}"
                f" FROM {table}{where_} ORDER BY place"
            )
        else:
            query = (
                f"SELECT digest, COUNT(*) FROM (SELECT {form.row_digest(plan)} AS digest"
                f" FROM {table}{where_}) e GROUP BY digest ORDER BY digest"
            )
        with self.lent.lend() as session, session.cursor(SSCursor) as cursor:
            cursor.execute(query)
            while batch := cursor.fetchmany(1000):
                for first, second, *key in batch:
                    yield _row(int(first), int(second), tuple(map(_text, key)))

    def states(self, plan: Plan, keys: Sequence[Key]) -> States:
        """Look some rows up, by key, as they are now."""
        form, table = self._form(plan), _name(plan.table(self.name))
        texts = form.key_texts(plan) if plan.key else [form.row_digest(plan)]
        # Both are texts in utf8mb4, compared byte by byte.
        match = " AND ".join(f"BINARY {text} = BINARY %s" for text in texts)
        query = f"SELECT {form.row_digest(plan).replace('%', '%%')} FROM {table}"
        condition = match.replace("%", "%%").replace("%%s", "%s")
        found: States = {}
        for key in keys:
            rows = self._ask(f"{query} WHERE {condition}", key)
            if rows:
                found[key] = Counter(int(row[0]) for row in rows)
        return found

    def _ask(self, query: str, values: Any = None) -> list[tuple[Any, ...]]:
        with self.lent.lend() as session, session.cursor() as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall())

    def _form(self, plan: Plan) -> Canonical:
        table = self.tables[plan.table(self.name).name]
        return Canonical({each.source.name: each for each in table.columns}, self.zero_dates)

    def _bucket(self, plan: Plan) -> str:
        return f"({self._form(plan).place(plan)} & {plan.slots - 1})"

    def _within(self, among: Chosen | None) -> str:
        if among is None or among.plan.slots == 1:
            return ""
        wanted = ", ".join(str(each) for each in sorted(among.buckets))
        return f" WHERE {self._bucket(among.plan)} IN ({wanted})"


def _name(table: Table) -> str:
    return quoted(table.name.schema, table.name.name)


def _text(value: Any) -> str | None:
    return value.decode() if isinstance(value, bytes) else value


def _row(number: int, other: int, key: Key) -> Row:
    if key:
        return Row(number, key, other)
    return Row(number, (str(number),), number, other)
