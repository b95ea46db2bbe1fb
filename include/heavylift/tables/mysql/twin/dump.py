"""The source's schema as its own dump program writes it, cut into single objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heavylift.tables.fences.port import PREFIX
from heavylift.tables.model import TableName
from heavylift.tables.mysql.connect import quoted
from heavylift.tables.mysql.twin.programs import DumpProgram

if TYPE_CHECKING:
    from heavylift.connections import Connection

_OPTIONS = (
    "--no-data", "--routines", "--triggers", "--events", "--skip-comments", "--skip-lock-tables",
    "--skip-add-drop-table", "--no-tablespaces", "--quote-names",
)  # fmt: skip
_NAME = r"(?:`(?:[^`]|``)+`|[^\s`.(]+)"
_HEAD = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:ALGORITHM\s*=\s*\w+\s+)?"
    rf"(?:DEFINER\s*=\s*(?P<definer>{_NAME}@{_NAME}|{_NAME})\s+)?"
    r"(?:SQL\s+SECURITY\s+\w+\s+)?(?:AGGREGATE\s+)?"
    r"(?P<kind>TABLE|VIEW|TRIGGER|PROCEDURE|FUNCTION|EVENT|SEQUENCE|PACKAGE(?:\s+BODY)?)\s+"
    rf"(?:IF\s+NOT\s+EXISTS\s+)?(?:{_NAME}\s*\.\s*)?(?P<name>{_NAME})",
    re.IGNORECASE,
)
_MARKS = re.compile(r"/\*M?!\d*|\*/")
_SETTING = re.compile(
    r"SET\s+(?P<name>sql_mode|character_set_client|collation_connection|time_zone)\s*=\s*(?P<value>.*)",
    re.IGNORECASE | re.DOTALL,
)
_DEFINER = re.compile(rf"DEFINER\s*=\s*(?:{_NAME}@{_NAME}|{_NAME})", re.IGNORECASE)
_ENABLED = re.compile(r"(ON\s+COMPLETION\s+(?:NOT\s+)?PRESERVE\s+)ENABLE\b", re.IGNORECASE)
_LATER = re.compile(r"\s*(?:(?:UNIQUE |FULLTEXT |SPATIAL |VECTOR )?KEY )")
_FOREIGN = re.compile(rf"\s*CONSTRAINT (?P<name>{_NAME}) FOREIGN KEY ")
_FIRST_COLUMN = re.compile(rf"\((?P<name>{_NAME})")


@dataclass(frozen=True)
class Entry:
    """One object of a database, with the statement that makes it.

    :param kind: ``table``, ``view``, ``trigger``, ``procedure``, ``function``, ``event``, ``sequence``…
    :param definer: the account that it belongs to, as the server spells it; empty where it has none.
    :param settings: what the session must be set to before the statement.
    """

    kind: str
    name: TableName
    statement: str
    definer: str = ""
    settings: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def anonymous(self) -> str:
        """Return the statement without its definer: whoever runs it becomes that."""
        return _DEFINER.sub("", self.statement, count=1) if self.definer else self.statement

    @property
    def asleep(self) -> str:
        """Return an event's statement that makes it, but does not let it run."""
        return _ENABLED.sub(r"\1DISABLE", self.statement, count=1)


@dataclass(frozen=True)
class TableParts:
    """A table's statement, cut in what must be there before its rows and what is better made after them.

    :param bare: makes columns, primary key and checks.
    :param keys: the secondary indexes, as ALTER TABLE adds them.
    :param foreign: the foreign keys, by name.
    """

    bare: str
    keys: tuple[str, ...]
    foreign: dict[str, str] = field(default_factory=dict)


def dump_schema(program: DumpProgram, connection: Connection, schemas: Iterable[str]) -> tuple[Entry, ...]:
    """Return every object of some databases, in an order in which they can be made."""
    entries: list[Entry] = []
    for schema in schemas:
        entries += split(program.run(connection, [*_OPTIONS, schema]), schema)
    # What keeps writers away from one side has no business on the other.
    return tuple(each for each in entries if each.kind != "trigger" or not each.name.name.startswith(PREFIX))


def split(script: str, schema: str) -> list[Entry]:
    """Cut the program's script into objects; of one that is made twice the last counts.

    Views are made twice: first as stand-ins, so that others can refer to them.
    """
    found: dict[tuple[str, str], Entry] = {}
    settings: dict[str, str] = {}
    for statement in _statements(script):
        plain = _MARKS.sub(" ", statement).strip()
        setting = _SETTING.match(plain)
        if setting:
            name, value = setting["name"].lower(), setting["value"].strip()
            settings.pop(name, None)
            if not value.startswith("@"):  # else what was before is put back
                settings[name] = value
            continue
        head = _HEAD.match(plain)
        if head is None:
            continue
        kind = " ".join(head["kind"].lower().split())
        name = unquoted(head["name"])
        found.pop((kind, name), None)
        found[kind, name] = Entry(
            kind,
            TableName(schema, name),
            statement,
            head["definer"] or "",
            tuple(settings.items()) if kind not in {"table", "sequence"} else (),
        )
    return list(found.values())


def _statements(script: str) -> Iterator[str]:
    """Yield statements: each ends with the delimiter at the end of a line, and newlines are escaped."""
    delimiter, lines = ";", list[str]()
    for line in script.splitlines():
        if line.startswith("DELIMITER ") and not lines:
            delimiter = line[len("DELIMITER ") :].strip()
            continue
        if not lines and (not line.strip() or line.startswith("--")):
            continue
        lines.append(line)
        if line.rstrip().endswith(delimiter):
            yield "\n".join(lines).rstrip().removesuffix(delimiter).rstrip()
            lines = []


def parts_of(entry: Entry, automatic: str) -> TableParts:
    """Cut a table's statement; the server writes each column, index and constraint on a line of its own.

    :param automatic: the column that the server numbers, which must be first in some index from the start.
    """
    first, *rest = entry.statement.split("\n")
    end = next(at for at, line in enumerate(rest) if line.startswith(")"))
    kept: list[str] = []
    keys: list[str] = []
    foreign: dict[str, str] = {}
    needs = automatic and not any(_leads(line, automatic, "PRIMARY KEY") for line in rest[:end])
    for line in (each.removesuffix(",") for each in rest[:end]):
        constraint = _FOREIGN.match(line)
        if constraint:
            foreign[unquoted(constraint["name"])] = line.strip()
        elif _LATER.match(line) and not (needs and _leads(line, automatic, "KEY")):
            keys.append(line.strip())
        else:
            needs = needs and not (_LATER.match(line) and _leads(line, automatic, "KEY"))
            kept.append(line)
    made = first.replace("CREATE TABLE ", f"CREATE TABLE {quoted(entry.name.schema)}.", 1)
    return TableParts("\n".join([made, ",\n".join(kept), *rest[end:]]), tuple(keys), foreign)


def _leads(line: str, column: str, word: str) -> bool:
    if word not in line.split("(", 1)[0]:
        return False
    found = _FIRST_COLUMN.search(line)
    return found is not None and unquoted(found["name"]) == column


def unquoted(name: str) -> str:
    """Return a name without its quotes."""
    return name[1:-1].replace("``", "`") if name.startswith("`") else name
