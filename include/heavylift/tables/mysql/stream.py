"""The source's binary log as a stream of messages, transaction by transaction, up to its present end.

It stands where PostgreSQL's replication stream stands: the same reader, assembler and applier take it from
here. Whatever in the log could have changed a chosen table, and is not understood, ends the stream before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heavylift.errors import IntegrityError, UnsupportedError
from heavylift.tables.model import TableName
from heavylift.tables.mysql.definitions import Definitions
from heavylift.tables.mysql.faults import told_as
from heavylift.tables.mysql.lease import Seen
from heavylift.tables.mysql.log import birth_from
from heavylift.tables.mysql.position import Place, place_of
from heavylift.tables.mysql.rowimage import Described, Read, rows_of
from heavylift.tables.mysql.statements import Verb, read_statement
from heavylift.tables.mysql.types import SourceColumn
from heavylift.tables.mysql.values import Mender
from heavylift.tables.postgres import messages

if TYPE_CHECKING:
    from heavylift.tables.mysql.log import Events

_HARMLESS = {3, 15, 27, 29, 35, 36, 37, 41, 160, 161, 163}
"""Events that change no row: stop, format, heartbeats, annotations, sets of GTIDs, group membership,
checkpoints."""
_GTIDS = {33, 34, 42, 162}
_ROWS = {23: "I", 24: "U", 25: "D", 30: "I", 31: "U", 32: "D"}
_STANDALONE = 1
_MARKER = TableName("heavylift", "stream")
"""The table of positions: what writes to it first is a transaction of ours."""
_STATE = "nothing of what was read since the last commit was applied; the position stays"


@dataclass(frozen=True)
class Known:
    """What is known of a chosen table when the run begins.

    :param columns: the catalogue's columns, by name.
    :param described: reads its row images.
    """

    number: int
    columns: dict[str, SourceColumn]
    mender: Mender
    described: type[Described] = Described


class LogStream:
    """Reads the log from a place on.

    :param known: gives what is known of a table; None for one whose changes are not wanted.
    :param end: where the log must reach at least; reading ends when there is no more.
    :param back: the stream of the other direction; the transactions that it brought here are left out.
    """

    def __init__(
        self,
        events: Events,
        start: Place,
        end: int,
        known: Callable[[TableName], Known | None],
        definitions: Definitions,
        seen: Seen,
        back: str = "",
    ) -> None:
        self._events = events
        self._at = start
        self._end = end
        self._known = known
        self._definitions = definitions
        self._seen = seen
        self._back = back.encode()
        self._came_back = False
        self._ready: deque[bytes] = deque()
        self._tables: dict[int, tuple[Known, list[Read], int] | None] = {}
        self._maps: dict[int, Any] = {}
        self._shapes: dict[int, tuple[str, ...]] = {}
        self._open = False
        self._begins = start.number
        self._gtid = ""
        self._over = False
        self.sent = start.number
        self.flushed = 0

    def read(self) -> bytes | None:
        """Return the next message; None at the end of the log."""
        while not self._ready:
            if self._over:
                return None
            with told_as("reading the source's binary log", _STATE):
                event = self._events.fetchone()
            if event is None:
                self._finish()
                return None
            self._take(event)
        return self._ready.popleft()

    def wait(self, seconds: float) -> None:
        """Do nothing: the log is read to its end without waiting for more."""

    def report(self) -> None:
        """Do nothing: the source keeps its log whether it was read or not."""

    def _finish(self) -> None:
        self._over = True
        if self.sent < self._end or self._open:
            raise IntegrityError(
                "reading the source's binary log",
                got=f"its end at {self._at}" + (" in the middle of a transaction" if self._open else ""),
                expected=f"to read up to {self._end >> 32}:{self._end & 0xFFFFFFFF}",
                state=_STATE,
                remedy="run this again; if it happens again, look at the source's error log",
                code="6415",
            )

    def _take(self, event: Any) -> None:
        kind, packet = int(event.event_type), event.packet
        if kind == 4:
            self._rotate(event)
            return
        if kind == 15:
            self._seen.births[self._at.file] = birth_from(event)
        begins = self._at.number
        if packet.log_pos and packet.timestamp:
            at = self._at
            self._at = Place(at.base, at.file, max(packet.log_pos, at.offset), at.digits)
        self._act(kind, event, begins)
        if not self._open:
            self.sent = self._at.number

    def _act(self, kind: int, event: Any, begins: int) -> None:
        if kind in _GTIDS:
            self._begins = begins
            self._gtid = str(getattr(event, "gtid", "") or "")
            if kind == 162 and not event.flags & _STANDALONE:
                self._begin(event.timestamp)
        elif kind in _ROWS:
            self._rows(event, _ROWS[kind])
        elif kind == 2:
            self._statement(event)
        elif kind == 16:
            self._commit()
        elif kind == 19:
            self._maps[int(event.table_id)] = event
            self._tables.pop(int(event.table_id), None)
        elif kind not in _HARMLESS:
            raise self._strange(kind)

    def _rotate(self, event: Any) -> None:
        place = place_of(event.next_binlog, int(event.position))
        if place > self._at or place.file != self._at.file:
            self._at = place
            self._maps.clear()
            self._tables.clear()
        self.sent = max(self.sent, self._at.number)

    def _begin(self, seconds: int) -> None:
        if not self._open:
            self._open = True
            self._ready.append(messages.begin(self._begins, seconds))

    def _commit(self) -> None:
        self._came_back = False
        if self._open:
            self._open = False
            if self._gtid:
                self._seen.gtids[self._at.number] = self._gtid
            self._ready.append(messages.commit(self._at.number))
        self._begins = self._at.number

    def _rows(self, event: Any, kind: str) -> None:
        if self._came_back:
            return
        found = self._table(int(event.table_id))
        if found is None:
            self._look_whose(event)
            return
        known, readers, width = found
        self._begin(event.timestamp)
        bitmaps = [event.columns_present_bitmap]
        if kind == "U":
            bitmaps.append(event.columns_present_bitmap2)
        whole = (1 << width) - 1
        if any(int.from_bytes(each, "little") & whole != whole for each in bitmaps):
            raise self._partial(event)
        data = event.packet.read(event.event_size - event.packet.read_bytes)
        rows, number, ready = rows_of(data, readers), known.number, self._ready
        if kind == "I":
            ready.extend([messages.inserted(number, row) for row in rows])
        elif kind == "D":
            ready.extend([messages.deleted(number, row) for row in rows])
        else:
            pairs = zip(rows[::2], rows[1::2], strict=True)
            ready.extend([messages.updated(number, old, new) for old, new in pairs])

    def _look_whose(self, event: Any) -> None:
        """Leave the rest of a transaction out that the stream of the other direction has brought.

        Each of its transactions begins with the change of that stream's position.
        """
        described = self._maps[int(event.table_id)]
        if TableName(described.schema, described.table) != _MARKER or not self._back:
            return
        data = event.packet.read(event.event_size - event.packet.read_bytes)
        # Behind a bit for each column that may be NULL comes the first one, the stream's id.
        at = (int(event.number_of_columns) + 7) // 8
        size = int.from_bytes(data[at : at + 2], "little")
        if data[at + 2 : at + 2 + size] != self._back:
            return
        self._begin(event.timestamp)
        self._came_back = True
        self._ready += [messages.relation(0, _MARKER, ["id"]), messages.inserted(0, (self._back,))]

    def _table(self, number: int) -> tuple[Known, list[Read], int] | None:
        """Return how the rows of a table map are read; None where nobody wants them."""
        if number in self._tables:
            return self._tables[number]
        event = self._maps.get(number)
        if event is None:
            raise self._strange(19)
        name = TableName(event.schema, event.table)
        known = self._known(name)
        found = None
        if known is not None and self._begins >= self._definitions.copied(name):
            columns = [each.name for each in event.columns]
            if None in columns:
                raise self._nameless(name)
            readers = known.described(name, tuple(event.columns), known.columns, known.mender).readers()
            found = (known, readers, len(columns))
            if self._shapes.get(known.number) != tuple(columns):
                self._shapes[known.number] = tuple(columns)
                self._begin(event.timestamp)
                self._ready.append(messages.relation(known.number, name, columns))
        self._tables[number] = found
        return found

    def _statement(self, event: Any) -> None:
        schema = event.schema.decode() if isinstance(event.schema, bytes) else str(event.schema)
        statement = read_statement(str(event.query), schema)
        if statement.verb is Verb.BEGIN:
            self._begin(event.timestamp)
            return
        if statement.verb is Verb.COMMIT:
            self._commit()
            return
        if statement.verb is Verb.NOTHING:
            return
        emptied = self._definitions.take(statement, self._begins, str(self._at))
        inside = self._open
        self._begin(event.timestamp)
        for name in emptied:
            known = self._known(name)
            if known is not None:
                self._shape(name, known)
                self._ready.append(messages.truncate(known.number))
        for name, columns in self._definitions.added():
            known = self._known(name)
            if known is not None:
                before = self._shapes.get(known.number) or tuple(self._definitions.columns(name))
                self._shapes[known.number] = (*before, *(c for c in columns if c not in before))
                self._ready.append(messages.relation(known.number, name, self._shapes[known.number]))
        if not inside:
            self._commit()

    def _shape(self, name: TableName, known: Known) -> None:
        """Name a table before a message that is about it."""
        if known.number not in self._shapes:
            self._shapes[known.number] = tuple(self._definitions.columns(name))
            self._ready.append(messages.relation(known.number, name, self._shapes[known.number]))

    def _strange(self, kind: int) -> UnsupportedError:
        return UnsupportedError(
            "reading the source's binary log",
            got=f"an event of type {kind} before {self._at}",
            expected="row events, statements and commits, neither compressed nor prepared (XA)",
            state=_STATE,
            remedy="switch off what writes it (compression of the log, partial JSON updates, XA), then take a"
            " new snapshot with --anew",
            code="6416",
        )

    def _partial(self, event: Any) -> UnsupportedError:
        return UnsupportedError(
            f"reading the log's rows of {event.schema}.{event.table}",
            got="rows that do not hold all columns",
            expected="binlog_row_image = FULL, in every session",
            state=_STATE,
            remedy="set it, let all sessions connect anew, then take a new snapshot with --anew",
            code="6417",
        )

    def _nameless(self, name: TableName) -> UnsupportedError:
        return UnsupportedError(
            f"reading the log's rows of {name}",
            got="a description without the columns' names",
            expected="binlog_row_metadata = FULL",
            state=_STATE,
            remedy="SET GLOBAL binlog_row_metadata = 'FULL', then take a new snapshot with --anew",
            code="6418",
        )
