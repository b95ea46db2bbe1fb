"""The source's schema as PostgreSQL's own ``pg_dump`` writes it, cut into single objects."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.errors import IntegrityError
from heavylift.tables.model import TableName
from heavylift.tables.postgres.programs import Programs

if TYPE_CHECKING:
    from heavylift.connections import Connection

_OPTIONS = (
    "--format=custom", "--schema-only", "--no-owner", "--no-privileges", "--no-publications",
    "--no-subscriptions", "--no-security-labels", "--no-tablespaces", "--no-sync", "--encoding=UTF8",
    # A word that the target's version reserves need not be reserved on the source.
    "--quote-all-identifiers",
    "--lock-wait-timeout=60000",
    "--exclude-schema=heavylift",
)  # fmt: skip

_HEADER = re.compile(
    r"^--\n-- TOC entry (?P<number>\d+) \(class \d+ OID \d+\)\n(?:-- Dependencies: [\d ]+\n)?"
    r"-- Name: (?P<name>.*); Type: (?P<kind>[A-Z ]+); Schema: (?P<schema>.*); Owner: .*\n"
    r"(?:-- Data Pos: .*\n)?--\n",
    re.MULTILINE,
)
_TRAILER = re.compile(
    r"\n-- Completed on [^\n]*\n\n--\n-- PostgreSQL database dump complete\n--\n.*\Z", re.DOTALL
)
# pg_restore sets these between two objects, after the first one's text: they belong to the second.
_SETTING = re.compile(r"(?:\n*SET default_\w+ = [^\n;]*;\n+)+\Z")


@dataclass(frozen=True)
class Entry:
    """One object of a schema, or one property of it, with the statements that make it.

    :param kind: pg_dump's word: ``TABLE``, ``CONSTRAINT``, ``FK CONSTRAINT``, ``INDEX``, ``TRIGGER``…
    :param name: pg_dump's tag; for what belongs to a table it begins with the table's name.
    :param before_data: whether it must be there before rows arrive.
    """

    kind: str
    schema: str
    name: str
    statement: str
    before_data: bool

    @property
    def digest(self) -> str:
        """Return what names the entry, and exactly these statements, in the notes."""
        return hashlib.sha256(
            "\0".join((self.kind, self.schema, self.name, self.statement)).encode()
        ).hexdigest()

    def __str__(self) -> str:
        return (
            f"{self.kind.lower()} {self.schema}.{self.name}"
            if self.schema != "-"
            else f"{self.kind.lower()} {self.name}"
        )


def dump_schema(programs: Programs, source: Connection, without: Iterable[TableName]) -> tuple[Entry, ...]:
    """Return everything of the source's schema in the order in which it can be made.

    Owners and privileges are left out: roles are another phase's.

    :param without: tables that stay behind; nothing of them is read, nor a privilege on them needed.
    :raises IntegrityError: the text cannot be cut into its objects with certainty.
    """
    with tempfile.TemporaryDirectory(prefix="heavylift-schema-") as folder:
        archive = str(Path(folder) / "schema.dump")
        excluded = [f"--exclude-table={_pattern(name)}" for name in without]
        programs.run("pg_dump", [*_OPTIONS, *excluded, f"--file={archive}"], source)
        listed = programs.run("pg_restore", ["--list", archive]).decode()
        first = programs.run("pg_restore", ["--list", "--section=pre-data", archive]).decode()
        script = programs.run(
            "pg_restore",
            ["--verbose", "--no-owner", "--no-privileges", "--no-tablespaces", "--file=-", archive],
        ).decode()
    return split(script, _numbers(listed), frozenset(_numbers(first)))


def split(script: str, order: list[int], before_data: frozenset[int]) -> tuple[Entry, ...]:
    """Cut pg_restore's verbose script into its entries.

    :param order: the entries' numbers as the archive's own list gives them. A function's text may hold
        what looks like an entry's header; then the two do not agree.
    :raises IntegrityError: script and list do not agree.
    """
    headers = list(_HEADER.finditer(script))
    found = [int(header["number"]) for header in headers]
    if found != [number for number in order if number in set(found)] or len(found) != len(set(found)):
        raise IntegrityError(
            "reading the source's schema",
            got="a text of pg_restore that does not follow its own list of contents",
            expected="each object once, in the list's order",
            state="nothing was made on the target",
            remedy="look for a function or comment that holds the words '-- TOC entry' and change it",
            code="6104",
        )
    entries, setting = [], ""
    ends = [header.start() for header in headers[1:]] + [_end(script)]
    for header, end in zip(headers, ends, strict=True):
        text, following = _without_setting(script[header.end() : end])
        entries.append(
            Entry(
                header["kind"],
                header["schema"],
                header["name"],
                setting + text.strip(),
                int(header["number"]) in before_data,
            )
        )
        setting = following
    return tuple(entry for entry in entries if entry.statement)


def _end(script: str) -> int:
    trailer = _TRAILER.search(script)
    return trailer.start() if trailer else len(script)


def _without_setting(text: str) -> tuple[str, str]:
    setting = _SETTING.search(text)
    return (text[: setting.start()], setting[0].strip() + "\n") if setting else (text, "")


def _numbers(listing: str) -> list[int]:
    return [int(line.split(";", 1)[0]) for line in listing.splitlines() if line and not line.startswith(";")]


def _pattern(table: TableName) -> str:
    # Between double quotes nothing is a wildcard.
    return ".".join('"' + part.replace('"', '""') + '"' for part in (table.schema, table.name))
