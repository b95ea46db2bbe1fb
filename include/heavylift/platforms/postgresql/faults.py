"""What PostgreSQL's errors mean to a mover: try again, mend a permission, or stop.

The classes of SQLSTATE are those of the PostgreSQL manual, appendix A.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from heavylift.errors import (
    ConnectionConfigError,
    CredentialError,
    HeavyliftError,
    NoRoomError,
    PermanentError,
    ServerUnavailableError,
)

if TYPE_CHECKING:
    import psycopg

_GOES_AWAY = ("08", "25P03", "40", "57P", "55P03", "55006", "53300", "53200", "58")
"""Connection lost, a transaction that rested too long, serialisation failure or deadlock, shutdown or crash,
lock not there, a slot that a run which was killed still reads, too many connections, no memory, the system's
own trouble."""
_DENIED = ("28", "42501")
_FULL = ("53100", "53400", "54")
_REFUSED_AT_LOGIN = ("password authentication failed", "no pg_hba.conf entry", "no password supplied",
                     "role \"", "certificate", "authentication failed",
                     "permission denied for database")  # fmt: skip


@contextmanager
def told_as(what: str, state: str, *, retry_safe: bool = True) -> Iterator[None]:
    """Turn psycopg's errors within the block into Heavylift's.

    :param what: the act and its object, for the message.
    :param state: what is done and left when it fails here.
    """
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise translated(error, what, state, retry_safe=retry_safe) from error


def sqlstate_of(error: BaseException) -> str:
    """Return an error's SQLSTATE, or an empty text where the server never sent one."""
    return getattr(error, "sqlstate", None) or ""


def is_transient(error: psycopg.Error) -> bool:
    """Tell whether the same act may succeed later without anybody doing anything."""
    import psycopg

    if _is_denied(error) or _is_absent(error):
        return False
    state = sqlstate_of(error)
    if state:
        return state.startswith(_GOES_AWAY)
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


def _is_denied(error: BaseException) -> bool:
    state = sqlstate_of(error)
    # A login of the server itself, for a subscription, is refused as a connection that failed (08).
    at_login = not state or state.startswith("08")
    return state.startswith(_DENIED) or (at_login and any(text in str(error) for text in _REFUSED_AT_LOGIN))


def _is_absent(error: BaseException) -> bool:
    """Tell whether the server knows no database of that name; what it says at login bears no SQLSTATE."""
    said = str(error)
    at_login = not sqlstate_of(error) and 'FATAL:  database "' in said and "does not exist" in said
    return at_login or sqlstate_of(error) == "3D000"


def translated(error: psycopg.Error, what: str, state: str, *, retry_safe: bool = True) -> HeavyliftError:
    """Return Heavylift's error for ``error``; values of rows are left out of it."""
    said = _said(error)
    if _is_denied(error):
        return CredentialError(
            what,
            got=said,
            expected="a role that may do this",
            state=state,
            remedy="grant what docs/reference/tables.md (registry.md for MLflow) lists under privileges, or"
            " correct the connection",
            retry_safe=retry_safe,
            code="6010",
        )
    if _is_absent(error):
        return ConnectionConfigError(
            what,
            got=said,
            expected="the name of a database that is there",
            state=state,
            remedy="correct the field schema of the connection, which is the database's name, or make the"
            " database",
            retry_safe=retry_safe,
            code="9560",
        )
    if sqlstate_of(error).startswith(_FULL):
        return NoRoomError(
            what,
            got=said,
            expected="room on the server's disk and within its limits",
            state=state,
            remedy="give the server more room, then run this again",
            retry_safe=retry_safe,
            code="6011",
        )
    if is_transient(error):
        return ServerUnavailableError(
            what,
            got=said,
            expected="an answer of the database server",
            state=state,
            remedy="wait for the server or the network; what is committed stays",
            retry_safe=retry_safe,
            code="6012",
        )
    return PermanentError(
        what,
        got=said,
        expected="the statement to succeed",
        state=state,
        remedy="mend what the server says, then run this again",
        retry_safe=retry_safe,
        code="6013",
    )


def _said(error: psycopg.Error) -> str:
    """Return what the server said, without the detail and context lines: they can hold values of rows.

    So does the first line where a value cannot be read (class 22): from its first quote on it is left out.
    """
    primary = getattr(error.diag, "message_primary", None)
    text = primary or (str(error).strip().splitlines() or [type(error).__name__])[0]
    code = sqlstate_of(error)
    if code.startswith("22") and '"' in text:
        text = text.partition('"')[0] + "…"
    return f"{text} (SQLSTATE {code})" if code else text
