"""What a statement in the log means to the stream: rows come as row events, definitions only as text.

Nothing here runs or rewrites SQL. A statement is either known to leave the chosen tables' rows and columns
as they are, or one of the few that are followed, or the stream stops before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from heavylift.tables.model import TableName

_TOKENS = re.compile(
    r"""(?P<skip>\s+|--[\s][^\n]*|\#[^\n]*|/\*(?![!M]).*?\*/|/\*M?!\d*|\*/)
      |(?P<name>`(?:[^`]|``)*`)
      |(?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
      |(?P<word>[A-Za-z0-9_$\x80-\U0010ffff]+)
      |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_OBJECTS = frozenset(
    {
        "TABLE", "VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "USER", "ROLE", "SERVER", "INDEX",
        "DATABASE", "SCHEMA", "SEQUENCE", "TABLESPACE", "LOGFILE", "UNDO", "RESOURCE", "PACKAGE", "REFERENCE",
    }
)  # fmt: skip
_ELSEWHERE = frozenset(
    {
        "GRANT", "REVOKE", "SET", "FLUSH", "ANALYZE", "OPTIMIZE", "REPAIR", "CHECK", "INSTALL", "UNINSTALL",
        "SAVEPOINT", "RELEASE", "USE",
    }
)  # fmt: skip
_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "CALL", "DO", "WITH", "SELECT"})


class Verb(StrEnum):
    """What the stream does with a statement."""

    BEGIN = "begin"
    COMMIT = "commit"
    NOTHING = "nothing"
    TRUNCATE = "truncate"
    ADD = "add"
    """Columns are added, and it is known what older rows have in them."""
    INDEXES = "indexes"
    """Indexes, keys or comments only: told, not followed."""
    CREATE = "create"
    WRITE = "write"
    """Rows are changed by a statement instead of by row events."""
    ROLLBACK = "rollback"
    XA = "xa"
    OTHER = "other"


@dataclass(frozen=True)
class Addition:
    """A column that was added.

    :param default: its literal; None where there is none.
    """

    column: str
    default: str | None
    not_null: bool


@dataclass(frozen=True)
class Statement:
    """One statement.

    :param tables: those that it names, with the default schema where they name none.
    :param schemas: databases that it names as a whole.
    """

    verb: Verb
    tables: tuple[TableName, ...] = ()
    schemas: tuple[str, ...] = ()
    additions: tuple[Addition, ...] = ()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str

    @property
    def upper(self) -> str:
        return self.text.upper() if self.kind == "word" else ""

    @property
    def name(self) -> str | None:
        if self.kind == "name":
            return self.text[1:-1].replace("``", "`")
        if self.kind == "text" and self.text[0] == '"':
            return self.text[1:-1].replace('""', '"')
        return self.text if self.kind == "word" else None


def read_statement(text: str, schema: str) -> Statement:
    """Tell what a statement means.

    :param schema: the session's default database.
    """
    tokens = [
        _Token(str(found.lastgroup), found.group())
        for found in _TOKENS.finditer(text)
        if found.lastgroup != "skip"
    ]
    if tokens and tokens[-1].text == ";":
        tokens.pop()
    if not tokens:
        return Statement(Verb.NOTHING)
    return _Reader(tokens, schema).read()


class _Reader:
    def __init__(self, tokens: Sequence[_Token], schema: str) -> None:
        self._tokens = tokens
        self._schema = schema

    def _word(self, at: int) -> str:
        return self._tokens[at].upper if at < len(self._tokens) else ""

    def read(self) -> Statement:
        first = self._word(0)
        simple = {
            "BEGIN": Verb.BEGIN, "START": Verb.BEGIN, "COMMIT": Verb.COMMIT, "ROLLBACK": Verb.ROLLBACK,
            "XA": Verb.XA,
        }  # fmt: skip
        if first in simple:
            return Statement(simple[first])
        if first in _ELSEWHERE:
            return Statement(Verb.NOTHING)
        if first in _WRITES:
            return Statement(Verb.WRITE, self._mentioned())
        if first == "TRUNCATE":
            return Statement(Verb.TRUNCATE, self._names(2 if self._word(1) == "TABLE" else 1)[:1])
        if first == "RENAME":
            if self._word(1) in {"USER", "ROLE"}:
                return Statement(Verb.NOTHING)
            return Statement(Verb.OTHER, self._mentioned() + self._names(2))
        if first in {"CREATE", "ALTER", "DROP"}:
            return self._definition(first)
        return Statement(Verb.OTHER, self._mentioned())

    def _definition(self, first: str) -> Statement:
        at = next((at for at in range(1, len(self._tokens)) if self._word(at) in _OBJECTS), None)
        if at is None:
            return Statement(Verb.OTHER, self._mentioned())
        kind = self._word(at)
        before = {self._word(each) for each in range(1, at)}
        if kind == "TABLE":
            if "TEMPORARY" in before:
                return Statement(Verb.NOTHING)
            return self._table(first, at + 1, replaces="REPLACE" in before)
        if kind == "INDEX":
            on = next((each for each in range(at, len(self._tokens)) if self._word(each) == "ON"), at)
            return Statement(Verb.INDEXES, self._names(on + 1)[:1])
        if kind in {"DATABASE", "SCHEMA"} and first == "DROP":
            name = self._tokens[self._past_if(at + 1)].name or ""
            return Statement(Verb.OTHER, schemas=(name,))
        return Statement(Verb.NOTHING)

    def _past_if(self, at: int) -> int:
        """Return the place behind IF EXISTS and IF NOT EXISTS."""
        while self._word(at) in {"IF", "NOT", "EXISTS"}:
            at += 1
        return at

    def _table(self, first: str, at: int, *, replaces: bool) -> Statement:
        start = self._past_if(at)
        names = self._names(start)
        if first == "DROP":
            return Statement(Verb.OTHER, names)
        if first == "CREATE":
            return Statement(Verb.OTHER if replaces else Verb.CREATE, names[:1])
        return self._alter(names[:1], start)

    def _names(self, at: int) -> tuple[TableName, ...]:
        """Return the names in a list, from a place on."""
        found = []
        at = self._past_if(at)
        while at < len(self._tokens):
            name, at = self._name(at)
            if name is None:
                break
            found.append(name)
            if at >= len(self._tokens) or self._tokens[at].text not in {","}:
                break
            at += 1
        return tuple(found)

    def _name(self, at: int) -> tuple[TableName | None, int]:
        first = self._tokens[at].name
        if first is None:
            return None, at
        if at + 2 < len(self._tokens) and self._tokens[at + 1].text == ".":
            second = self._tokens[at + 2].name
            if second is not None:
                return TableName(first, second), at + 3
        return TableName(self._schema, first), at + 1

    def _mentioned(self) -> tuple[TableName, ...]:
        """Return every name that could be a table's: too many rather than too few."""
        found = []
        for at, token in enumerate(self._tokens):
            if token.name is None or (at and self._tokens[at - 1].text == "."):
                continue
            name, _ = self._name(at)
            if name is not None:
                found.append(name)
        return tuple(found)

    def _alter(self, table: tuple[TableName, ...], at: int) -> Statement:
        _, at = self._name(at)
        parts = _split(self._tokens[at:])
        additions = []
        for part in parts:
            if _is_harmless(part):
                continue
            added = _addition(part)
            if added is None:
                return Statement(Verb.OTHER, table)
            additions.append(added)
        if additions:
            return Statement(Verb.ADD, table, additions=tuple(additions))
        return Statement(Verb.INDEXES, table)


def _split(tokens: Sequence[_Token]) -> list[list[_Token]]:
    """Return what stands between commas that are in no parentheses."""
    parts: list[list[_Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == "," and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


_INDEX_WORDS = frozenset({"INDEX", "KEY", "UNIQUE", "FULLTEXT", "SPATIAL", "CONSTRAINT", "FOREIGN", "CHECK"})
_OPTIONS = frozenset(
    {
        "COMMENT", "AUTO_INCREMENT", "ALGORITHM", "LOCK", "STATS_PERSISTENT", "STATS_AUTO_RECALC",
        "KEY_BLOCK_SIZE", "ROW_FORMAT",
    }
)  # fmt: skip


def _is_harmless(part: Sequence[_Token]) -> bool:
    """Tell whether one action of ALTER TABLE leaves rows, columns and the primary key as they are."""
    words = [token.upper for token in part]
    second = words[1] if len(words) > 1 else ""
    if words[0] == "ADD":
        return second in _INDEX_WORDS and "PRIMARY" not in words
    if words[0] == "DROP":
        return second in _INDEX_WORDS
    if words[0] == "RENAME":
        return second in {"INDEX", "KEY"}
    if words[0] == "ALTER":
        return "DEFAULT" in words or second == "INDEX"
    return words[0] in _OPTIONS


_UNSAFE = frozenset(
    {
        "AUTO_INCREMENT", "GENERATED", "AS", "PRIMARY", "UNIQUE", "KEY", "CHECK", "PERSISTENT", "STORED",
        "VIRTUAL", "SYSTEM",
    }
)  # fmt: skip


def _addition(part: Sequence[_Token]) -> Addition | None:
    """Return the column that one action adds; None where older rows' values are not told by it."""
    words = [token.upper for token in part]
    if words[0] != "ADD":
        return None
    at = 2 if len(words) > 1 and words[1] == "COLUMN" else 1
    while at < len(words) and words[at] in {"IF", "NOT", "EXISTS"}:
        at += 1
    if at >= len(part) or part[at].name is None or _UNSAFE & set(words[at + 1 :]):
        return None
    not_null = any(words[each : each + 2] == ["NOT", "NULL"] for each in range(at, len(words)))
    default: str | None = None
    if "DEFAULT" in words[at:]:
        place = words.index("DEFAULT", at) + 1
        found = _literal(part[place:])
        if found is None:
            return None
        default = None if found == "NULL" else found[1:]
    return Addition(str(part[at].name), default, not_null)


def _literal(tokens: Sequence[_Token]) -> str | None:
    """Return a literal behind ``=``, or ``NULL``; None where it is something else."""
    if not tokens:
        return None
    if tokens[0].upper == "NULL":
        return "NULL"
    if tokens[0].kind == "text":
        return "=" + tokens[0].text[1:-1].replace("''", "'").replace("\\\\", "\\")
    text = ""
    for token in tokens:
        if token.text in {"-", "+", "."} or re.fullmatch(r"\d+", token.text):
            text += token.text
        else:
            break
    return "=" + text if re.fullmatch(r"[-+]?\d+(\.\d+)?", text) else None
