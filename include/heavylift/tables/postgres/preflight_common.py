"""What the rules of the preflight share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heavylift.evidence.records import Finding, Severity
from heavylift.tables.model import Table, TableName

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest

MAX_LISTED = 20
"""Names that one finding lists itself."""


@dataclass(frozen=True)
class Checked:
    """What the rules look at.

    :param ours: tables that an earlier attempt of this stream has made or filled on the target.
    """

    request: TablesRequest
    source: Session
    target: Session
    tables: tuple[Table, ...]
    ours: frozenset[TableName] = frozenset()

    @property
    def oids(self) -> list[int]:
        """The chosen tables' object numbers on the source."""
        return [table.oid for table in self.tables]


def blocker(rule: str, subject: str, detail: str, remedy: str) -> Finding:
    """Return a finding that stops the move."""
    return Finding(rule=rule, severity=Severity.BLOCKER, subject=subject, detail=detail, remedy=remedy)


def warning(rule: str, subject: str, detail: str, remedy: str = "") -> Finding:
    """Return a finding that a person should weigh."""
    return Finding(rule=rule, severity=Severity.WARNING, subject=subject, detail=detail, remedy=remedy)


def remark(rule: str, subject: str, detail: str, remedy: str = "") -> Finding:
    """Return a finding that is good to know."""
    return Finding(rule=rule, severity=Severity.NOTE, subject=subject, detail=detail, remedy=remedy)


def ask(session: Session, query: str, values: Any = None) -> Any:
    """Return the first column of the first row; None where there is no row."""
    row = session.execute(query.encode(), values).fetchone()
    return row[0] if row else None


def rows(session: Session, query: str, values: Any = None) -> list[tuple[Any, ...]]:
    """Return all rows of a query."""
    return session.execute(query.encode(), values).fetchall()


def setting(session: Session, name: str) -> str:
    """Return a server's setting, or an empty text where this version has none of the name."""
    return str(ask(session, "SELECT coalesce(current_setting(%s, true), '')", [name]))


def quoted(*names: str) -> str:
    """Return a name as a statement writes it."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def of(table: TableName) -> str:
    """Return a table's name as a statement writes it."""
    return quoted(table.schema, table.name)


def listed(names: Iterable[Any]) -> str:
    """Return names for a text: the first few, and how many more."""
    every: Sequence[str] = [str(name) for name in names]
    more = f" and {len(every) - MAX_LISTED} more" if len(every) > MAX_LISTED else ""
    return ", ".join(every[:MAX_LISTED]) + more
