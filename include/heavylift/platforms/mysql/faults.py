"""What MySQL's errors mean to a mover: try again, mend a permission, or stop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from heavylift.errors import (
    CredentialError,
    HeavyliftError,
    NoRoomError,
    PermanentError,
    ServerUnavailableError,
)

if TYPE_CHECKING:
    import pymysql

_DENIED = {1044, 1045, 1142, 1143, 1227, 1370, 1698, 3118, 3159}
_FULL = {1021, 1041, 1114, 1135}
_GOES_AWAY = {
    1040, 1053, 1077, 1080, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1226, 1317, 1412, 2002, 2003, 2006,
    2013, 2055, 4031,
}  # fmt: skip
"""Too many connections, shutdown, network, lock waits, deadlock, killed, a table changed meanwhile."""
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'")


@contextmanager
def told_as(what: str, state: str) -> Iterator[None]:
    """Turn PyMySQL's errors within the block into Heavylift's.

    :param what: the act and its object, for the message.
    :param state: what is done and left when it fails here.
    """
    import pymysql

    try:
        yield
    except pymysql.MySQLError as error:
        raise translated(error, what, state) from error


def number_of(error: BaseException) -> int:
    """Return the server's or client's error number; 0 where there is none."""
    number = error.args[0] if error.args else 0
    return number if isinstance(number, int) else 0


def translated(error: pymysql.MySQLError, what: str, state: str) -> HeavyliftError:
    """Return Heavylift's error for ``error``; what it quotes is left out, for it may be a value of a row."""
    said, number = _said(error), number_of(error)
    if number in _DENIED:
        return CredentialError(
            what,
            got=said,
            expected="an account that may do this",
            state=state,
            remedy="grant what docs/reference/tables-mysql.md lists, or correct the connection",
            code="6410",
        )
    if number in _FULL:
        return NoRoomError(
            what,
            got=said,
            expected="room on the server",
            state=state,
            remedy="give the server more room, then run this again",
            code="6411",
        )
    if number in _GOES_AWAY:
        return ServerUnavailableError(
            what,
            got=said,
            expected="an answer of the database server",
            state=state,
            remedy="wait for the server or the network; what is committed stays",
            code="6412",
        )
    return PermanentError(
        what,
        got=said,
        expected="the statement to succeed",
        state=state,
        remedy="mend what the server says, then run this again",
        code="6413",
    )


def _said(error: BaseException) -> str:
    text = str(error.args[1]) if len(error.args) > 1 else type(error).__name__
    number = number_of(error)
    text = text if number in _DENIED | _GOES_AWAY else _QUOTED.sub("'…'", text)
    return f"{text.splitlines()[0] if text else ''} (error {number})" if number else text
