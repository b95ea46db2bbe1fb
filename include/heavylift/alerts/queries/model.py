"""What a query of logs says, whichever language it is in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

TIME, LINE = "@timestamp", "@message"
"""A line's time, and the line as it came."""


class Language(StrEnum):
    """Whose query it is."""

    INSIGHTS = "insights"
    LOGGING = "logging"
    SQL = "sql"
    KQL = "kql"
    LOGQL = "logql"
    FILTER = "filter-pattern"


class Op(StrEnum):
    """How a field is tested."""

    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    CONTAINS = "contains"
    MATCHES = "matches"
    PRESENT = "present"


@dataclass(frozen=True)
class Check:
    """A field tested against a text or a number.

    :param fold: upper and lower case are the same.
    :param full: a pattern must match all of the field.
    :param sure: where the language's answer would be null, it is false.
    """

    op: Op
    field: str
    value: str | float = ""
    fold: bool = False
    full: bool = False
    sure: bool = False

    @property
    def numeric(self) -> bool:
        """Tell whether numbers are compared."""
        return isinstance(self.value, float)


@dataclass(frozen=True)
class Not:
    """The opposite."""

    inner: Node


@dataclass(frozen=True)
class AllOf:
    """All of them hold."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class AnyOf:
    """One of them holds."""

    parts: tuple[Node, ...]


Node: TypeAlias = "Check | Not | AllOf | AnyOf"


@dataclass(frozen=True)
class Filter:
    """Keeps the lines for which it holds."""

    node: Node


@dataclass(frozen=True)
class Parse:
    """Takes the named groups of a pattern out of a field; they are missing where it does not match."""

    field: str
    pattern: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Aggregate:
    """A number of a group: ``count`` of lines; ``sum``, ``avg``, ``min``, ``max`` of a field's numbers."""

    name: str
    function: str
    field: str = ""


@dataclass(frozen=True)
class Stats:
    """Groups lines by fields and by bins of time.

    :param bin: seconds; 0 for none. ``bin_name``: the column in which a bin's begin is told.
    :param late: a bin has its end, and not its begin.
    """

    aggregates: tuple[Aggregate, ...]
    by: tuple[str, ...] = ()
    bin: int = 0
    bin_name: str = ""
    late: bool = False


@dataclass(frozen=True)
class Sort:
    """Orders rows by one column."""

    field: str
    descending: bool


@dataclass(frozen=True)
class Limit:
    """Keeps the first rows."""

    rows: int


@dataclass(frozen=True)
class Show:
    """Chooses columns."""

    fields: tuple[str, ...]


Step: TypeAlias = "Filter | Parse | Stats | Sort | Limit | Show"


@dataclass(frozen=True)
class Query:
    """Steps, in their order. :func:`shaped` tells what of them can be translated."""

    steps: tuple[Step, ...]

    @property
    def stats(self) -> Stats | None:
        """Return how rows are grouped, where they are."""
        return next((each for each in self.steps if isinstance(each, Stats)), None)


@dataclass(frozen=True)
class Written:
    """A query in a language.

    :param parameters: what is told beside the text where it is run: order, limit, step.
    :param notes: what differs or must be done, each with its remedy.
    """

    text: str
    parameters: tuple[tuple[str, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Where:
    """Where lines lie on the target, and what fields are called there.

    :param table: KQL's table or SQL's view.
    :param selector: LogQL's stream.
    :param message: where a line's text is.
    :param fields: of the source → of the target.
    """

    table: str = ""
    selector: str = ""
    message: str = ""
    fields: tuple[tuple[str, str], ...] = ()

    def named(self, field: str) -> str:
        """Return what a field is called on the target."""
        return dict(self.fields).get(field, field)


def checks(node: Node) -> list[Check]:
    """Return all checks of a condition."""
    if isinstance(node, Check):
        return [node]
    if isinstance(node, Not):
        return checks(node.inner)
    return [each for part in node.parts for each in checks(part)]
