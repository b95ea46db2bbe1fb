"""Reading the source's log over the streaming replication protocol, and telling it what is safe.

Formats: PostgreSQL manual, "Streaming Replication Protocol". psycopg's libpq wrapper is used directly,
because psycopg itself has no interface for it.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from struct import Struct
from typing import TYPE_CHECKING

from heavylift.errors import HeavyliftError, ServerUnavailableError
from heavylift.tables.postgres.connect import where
from heavylift.tables.postgres.faults import is_transient, sqlstate_of, translated
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.replication import replicating

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

    from heavylift.connections import Connection

STATUS_SECONDS = 10.0
"""How often the server is told where we are; it gives a silent client up after wal_sender_timeout (60 s)."""

_XLOG = Struct("!cqqq")
_KEEPALIVE = Struct("!cqq?")
_STATUS = Struct("!cqqqq?")
_MICROS_2000 = 946_684_800_000_000
_WAL, _ALIVE = ord("w"), ord("k")
STATE = "nothing of it was applied; the position on the target stays"


class ReplicationStream:
    """One open stream of a slot's changes. Used by one thread.

    ``sent`` is the position up to which the server has sent all there is for us, ``flushed`` what may be
    told to it as safe on the target.
    """

    def __init__(self, pgconn: PGconn, place: str, start: int) -> None:
        self._pgconn = pgconn
        self._place = place
        self._reported = 0.0
        self.sent = start
        self.flushed = start

    def read(self) -> bytes | None:
        """Return the next message of the plugin, or None where nothing has arrived yet.

        :raises ServerUnavailableError: the connection or the server has gone.
        :raises PermanentError: the server cannot decode its log for us.
        """
        while True:
            length, data = self._pgconn.get_copy_data(1)
            if length <= 0:
                if length < 0:
                    raise self._ended()
                return None
            # A view into libpq's buffer, which the next call takes away.
            kind = data[0]
            if kind == _WAL:
                return bytes(data[25:])
            if kind == _ALIVE:
                _kind, self.sent, _clock, asked = _KEEPALIVE.unpack_from(data)
                if asked:
                    self.report()
                # Behind it changes may have arrived already: nobody would wake us for them.

    def wait(self, seconds: float) -> None:
        """Wait until something arrives, for at most ``seconds``, and report where we are when it is time."""
        if time.monotonic() - self._reported >= STATUS_SECONDS:
            self.report()
        ready, _, _ = select.select([self._pgconn.socket], [], [], seconds)
        if ready:
            self._consume()

    def _consume(self) -> None:
        import psycopg

        try:
            self._pgconn.consume_input()
        except psycopg.Error as error:
            raise translated(error, f"reading changes of {self._place}", STATE) from error

    def report(self) -> None:
        """Tell the server that everything before :attr:`flushed` is safe on the target."""
        import psycopg

        self._reported = time.monotonic()
        now = int(time.time() * 1_000_000) - _MICROS_2000
        status = _STATUS.pack(b"r", self.flushed, self.flushed, self.flushed, now, False)
        try:
            self._pgconn.put_copy_data(status)
            self._pgconn.flush()
        except psycopg.Error as error:
            raise translated(error, f"reading changes of {self._place}", STATE) from error

    def _ended(self) -> HeavyliftError:
        from psycopg import errors
        from psycopg.pq import ExecStatus

        said = self._pgconn.get_result()
        if said is not None and said.status in {ExecStatus.BAD_RESPONSE, ExecStatus.FATAL_ERROR}:
            error = errors.error_from_result(said)
            if sqlstate_of(error) and not is_transient(error):
                # Such as a publication that somebody dropped: no retry brings it back.
                return translated(error, f"reading changes of {self._place}", STATE)
        text = (said.error_message if said else self._pgconn.error_message).decode(errors="replace")
        return ServerUnavailableError(
            f"reading changes of {self._place}",
            got=(text.strip().splitlines() or ["the server ended the stream"])[0],
            expected="a stream that stays open",
            state=STATE,
            remedy="wait for the server or the network; the next attempt goes on from the position",
            code="6031",
        )


@contextmanager
def replication_stream(
    connection: Connection, slot: str, publication: str, start: int
) -> Iterator[ReplicationStream]:
    """Open the stream of ``slot`` from ``start`` on, and close it after the block.

    :raises CredentialError: the role lacks REPLICATION, or pg_hba.conf refuses it.
    :raises ServerUnavailableError: no answer, or the slot is in use by somebody else.
    """
    from psycopg import errors, pq

    place = where(connection)
    with replicating(connection, "changes") as server:
        command = (
            f'START_REPLICATION SLOT "{slot}" LOGICAL {lsn_to_text(start)}'
            f" (proto_version '1', publication_names '{_quoted_name(publication)}')"
        )
        result = server.exec_(command.encode())
        if result.status != pq.ExecStatus.COPY_BOTH:
            error = errors.error_from_result(result)
            raise translated(error, f"reading changes of {place} from slot {slot!r}", STATE) from error
        server.nonblocking = 1
        yield ReplicationStream(server, place, start)


def _quoted_name(publication: str) -> str:
    return '"' + publication.replace('"', '""').replace("'", "''") + '"'
