"""What every connection of live traffic says in the same fields."""

from __future__ import annotations

from heavylift.connections import Connection
from heavylift.cutover.traffic.faults import wrong_connection

CONFIRM_SECONDS = 300.0
_LONGEST = 7200.0


def needed(connection: Connection, *names: str) -> tuple[str, ...]:
    """Return extra fields that must be there.

    :raises ConnectionConfigError: one is missing.
    """
    missing = [name for name in names if not connection.text(name)]
    if missing:
        expected = f"the extra fields {', '.join(names)}"
        raise wrong_connection(connection, f"no {', no '.join(missing)}", expected)
    return tuple(str(connection.text(name)) for name in names)


def confirm_seconds(connection: Connection, default: float = CONFIRM_SECONDS) -> float:
    """Return how long a change may take to come into force: the extra field of this name.

    :raises ConnectionConfigError: it is no such number.
    """
    given = connection.text("confirm_seconds")
    try:
        seconds = float(given) if given else default
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST:
        raise wrong_connection(connection, f"confirm_seconds {given!r}", f"seconds, up to {_LONGEST:g}")
    return seconds
