"""Sessions of a MySQL target that write exactly what they are given, and say so where the server does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.errors import IntegrityError
from heavylift.tables.mysql.connect import ask, connect, execute, is_mariadb, one

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.tables.mysql.connect import Session

STATEMENT_BYTES = 1 << 20
"""A statement holds about so many bytes of rows; one row may be larger."""
_MODE = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION"
_DEPRECATED = {1287, 1681, 4095}
"""The server would rather have another form of the statement; the values are not concerned."""
_LABEL = 1265
"""A label by the number 0, which is the empty text that stands for one that was never valid."""


def open_target(connection: Connection) -> Session:
    """Open a session whose transactions see what is committed, and lock no more than they touch."""
    session = connect(connection)
    try:
        # A session that holds a stream may have nothing to say for as long as others copy.
        execute(session, f"SET SESSION {_isolation(session)} = 'READ-COMMITTED', wait_timeout = 2147483")
        # Heavylift's own fences let it pass.
        execute(session, "SET @heavylift_applying = 1")
    except BaseException:
        session.close()
        raise
    return session


def open_writer(connection: Connection) -> Session:
    """Open a session that writes rows as the source's own replica would.

    Foreign keys and checks were the source's to keep; numbers and dates are taken as they are.
    """
    session = open_target(connection)
    try:
        execute(
            session,
            f"SET SESSION sql_mode = '{_MODE}', foreign_key_checks = 0, max_error_count = 65535",
        )
        if is_mariadb(session):
            execute(session, "SET SESSION check_constraint_checks = 0")
        else:
            execute(session, "SET SESSION range_optimizer_max_mem_size = 0")
    except BaseException:
        session.close()
        raise
    return session


def _isolation(session: Session) -> str:
    return "tx_isolation" if is_mariadb(session) else "transaction_isolation"


@contextmanager
def transaction(session: Session) -> Iterator[None]:
    """Commit what the block does, or nothing of it."""
    execute(session, "START TRANSACTION")
    try:
        yield
    except BaseException:
        if session.open:
            session.rollback()
        raise
    session.commit()


def most_bytes(session: Session) -> int:
    """Return how long a statement may be that the server takes."""
    return int(one(session, "SELECT @@max_allowed_packet"))


@dataclass(frozen=True)
class Lenient:
    """Columns of a table of which some warnings say nothing about the values that were given.

    :param labels: one of their labels may be the invalid one, by the number 0.
    :param computed: by the server, as it does on the source.
    """

    labels: frozenset[str] = frozenset()
    computed: frozenset[str] = frozenset()

    def covers(self, number: int, message: str) -> bool:
        """Tell whether a warning is harmless."""
        column = _column_in(message)
        return column in self.computed or (number == _LABEL and column in self.labels)


def run(session: Session, statement: bytes, what: str, limit: int, lenient: Lenient) -> int:
    """Run a statement that writes rows; return how many it touched.

    :param what: the table, for messages.
    :param limit: see :func:`most_bytes`.
    :raises IntegrityError: the server would take a value otherwise than it was given.
    """
    if len(statement) + 1 > limit:
        raise _too_long(what, len(statement), limit)
    with session.cursor() as cursor:
        touched = int(cursor.execute(statement))
        warned = bool(cursor.warning_count)
    if warned:
        _look_at_warnings(session, what, lenient)
    return touched


def _look_at_warnings(session: Session, what: str, lenient: Lenient) -> None:
    told = [(int(row[1]), str(row[2])) for row in ask(session, "SHOW WARNINGS") if row[0] != "Note"]
    odd = [each for each in told if each[0] not in _DEPRECATED and not lenient.covers(*each)]
    if odd:
        number, column = odd[0][0], _column_in(odd[0][1]) or "none"
        raise IntegrityError(
            f"writing rows of {what}",
            got=f"{len(odd)} warnings of the target, such as error {number} (column: {column})",
            expected="every value taken as it is",
            state="nothing of this range or batch was written; what was committed before stays",
            remedy="make the target's column like the source's, then run this again",
            code="6470",
        )


def _column_in(message: str) -> str:
    """Return the column that a warning names; the rest of its text may be a value."""
    found = re.search(r"for column (?:[`'][^`']*[`']\.)*[`']([^`']*)[`'] at row", message)
    return found[1] if found else ""


def _too_long(what: str, size: int, limit: int) -> IntegrityError:
    return IntegrityError(
        f"writing rows of {what}",
        got=f"a row that takes a statement of {size:,} bytes",
        expected=f"at most {limit:,} (max_allowed_packet of the target)",
        state="nothing of this range or batch was written; what was committed before stays",
        remedy="SET GLOBAL max_allowed_packet = 1073741824 on the target, then run this again",
        code="6471",
    )
