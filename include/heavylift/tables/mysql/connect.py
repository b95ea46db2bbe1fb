"""Sessions with MySQL and MariaDB, as :mod:`heavylift.platforms.mysql` makes them; and how values move."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from heavylift.errors import ConnectionConfigError
from heavylift.platforms.mysql.connect import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    TYPES,
    Session,
    ask,
    connect,
    execute,
    is_mariadb,
    one,
    parameters,
    quoted,
    text_literal,
    where,
)

if TYPE_CHECKING:
    from heavylift.connections import Connection

__all__ = [
    "CONNECT_TIMEOUT",
    "READ_TIMEOUT",
    "TYPES",
    "Policy",
    "Session",
    "ZeroDates",
    "ask",
    "connect",
    "execute",
    "is_mariadb",
    "one",
    "parameters",
    "policy_of",
    "quoted",
    "text_literal",
    "where",
]


class ZeroDates(StrEnum):
    """What becomes of dates that no calendar has, such as ``0000-00-00``."""

    REFUSE = "refuse"
    NULL = "null"
    KEEP = "keep"
    """A target of the source's own kind holds them as they are."""


@dataclass(frozen=True)
class Policy:
    """How values that PostgreSQL holds in another way are moved; from the source connection's extra.

    :param tinyint1: ``boolean``, or ``smallint`` where ``tinyint(1)`` holds more than 0 and 1.
    :param time: ``time``, or ``interval`` where values leave 00:00 to 24:00.
    :param own: the target is of the source's own kind, and takes every value as it is.
    """

    zero_dates: ZeroDates = ZeroDates.REFUSE
    tinyint1: str = "boolean"
    time: str = "time"
    own: bool = False


_CHOICES = {
    "zero_dates": (ZeroDates.REFUSE.value, ZeroDates.NULL.value),
    "tinyint1": ("boolean", "smallint"),
    "time": ("time", "interval"),
}


def policy_of(connection: Connection) -> Policy:
    """Return the policy that a connection's extra names.

    :raises ConnectionConfigError: it names something else.
    """
    chosen = {name: connection.text(name) or choices[0] for name, choices in _CHOICES.items()}
    for name, value in chosen.items():
        if value not in _CHOICES[name]:
            raise ConnectionConfigError(
                f"reading connection {connection.conn_id!r}",
                got=f"an unknown {name} in its extra",
                expected=f"one of {', '.join(_CHOICES[name])}",
                state="nothing was touched",
                remedy=f"correct {name} in the extra of connection {connection.conn_id!r}",
                code="6402",
            )
    return Policy(ZeroDates(chosen["zero_dates"]), chosen["tinyint1"], chosen["time"])
