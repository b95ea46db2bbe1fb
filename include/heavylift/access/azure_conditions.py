"""The part of Azure's role assignment conditions (version 2.0) that is understood: parsed and evaluated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from heavylift.access.conditions import Context, moment
from heavylift.access.globs import matches
from heavylift.access.tokens import MAX_DEPTH, NotUnderstoodError, tokens_of

BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
PATH = f"@Resource[{BLOBS}:path]"
CONTAINER = "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name]"
PREFIX = f"@Request[{BLOBS}:prefix]"
NOW = "@Environment[UtcNow]"
_TOKEN = re.compile(
    r"\s*(?:(?P<act>(?:Sub)?(?:Operation|Action)Matches\{'[^']*'\})|(?P<attribute>@\w+\[[^\]]*\])"
    r"|(?P<text>'(?:[^']|'')*')|(?P<word>&&|\|\||!|[()]|[A-Za-z]+))"
)
T = TypeVar("T")
_OPERATORS = frozenset(
    {
        "StringEquals", "StringNotEquals", "StringStartsWith", "StringNotStartsWith", "StringLike",
        "StringNotLike",
        "DateTimeLessThan", "DateTimeLessThanEquals", "DateTimeGreaterThan", "DateTimeGreaterThanEquals",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A request as conditions see it.

    :param action: the action, and ``part`` its suboperation.
    """

    action: str
    part: str
    container: str
    path: str
    context: Context


class Meaning(Protocol[T]):
    """What the parts of a condition stand for: truth values, or regions."""

    def matched(self, what: str, value: str) -> T:
        """Return what ``ActionMatches`` or ``SubOperationMatches`` stands for."""
        ...

    def test(self, attribute: str, operator: str, value: str) -> T:
        """Return what a comparison stands for."""
        ...

    def either(self, parts: Sequence[T]) -> T:
        """Return what OR makes of parts."""
        ...

    def every(self, parts: Sequence[T]) -> T:
        """Return what AND makes of parts."""
        ...

    def negated(self, part: T) -> T:
        """Return the opposite."""
        ...


def met(condition: str, asked: Asked) -> bool:
    """Evaluate a condition.

    :raises NotUnderstoodError: there is more in it than is known.
    """
    return read(condition, _Truth(asked))


def read(condition: str, meaning: Meaning[T]) -> T:
    """Return what a condition stands for.

    :raises NotUnderstoodError: there is more in it than is known.
    """
    return _Reading(tokens_of(condition, _TOKEN), meaning).whole()


class _Reading(Generic[T]):
    """Reads a condition once, from left to right."""

    def __init__(self, tokens: list[str], meaning: Meaning[T]) -> None:
        self.tokens, self.meaning, self.at, self.depth = tokens, meaning, 0, 0

    def whole(self) -> T:
        result = self._either()
        if self.at != len(self.tokens):
            raise NotUnderstoodError(self.tokens[self.at])
        return result

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _take(self) -> str:
        found = self._peek()
        if not found:
            raise NotUnderstoodError("the end")
        self.at += 1
        return found

    def _either(self) -> T:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise NotUnderstoodError("too deep")
        found = [self._all()]
        while self._peek() in ("OR", "||"):
            self._take()
            found.append(self._all())
        self.depth -= 1
        return self.meaning.either(found)

    def _all(self) -> T:
        found = [self._not()]
        while self._peek() in ("AND", "&&"):
            self._take()
            found.append(self._not())
        return self.meaning.every(found)

    def _not(self) -> T:
        barred = False
        while self._peek() in ("!", "NOT"):
            self._take()
            barred = not barred
        found = self._unit()
        return self.meaning.negated(found) if barred else found

    def _unit(self) -> T:
        found = self._take()
        if found == "(":
            result = self._either()
            if self._take() != ")":
                raise NotUnderstoodError("no closing bracket")
            return result
        if "Matches{" in found:
            what, _, value = found.partition("'")
            return self.meaning.matched(what.removesuffix("{"), value[:-2])
        if found.startswith("@"):
            operator, text = self._take(), self._take()
            if operator in _OPERATORS and text.startswith("'"):
                return self.meaning.test(found, operator, text[1:-1].replace("''", "'"))
        raise NotUnderstoodError(found)


@dataclass(frozen=True)
class _Truth:
    """A condition as true or false."""

    asked: Asked

    def matched(self, what: str, value: str) -> bool:
        given = self.asked.part if what.startswith("Sub") else self.asked.action
        return matches(value, given, ignore_case=True)

    def either(self, parts: Sequence[bool]) -> bool:
        return any(parts)

    def every(self, parts: Sequence[bool]) -> bool:
        return all(parts)

    def negated(self, part: bool) -> bool:
        return not part

    def test(self, attribute: str, operator: str, value: str) -> bool:
        given = self._given(attribute)
        if operator.startswith("DateTime"):
            now, then = moment(given).timestamp(), moment(value).timestamp()
            how = operator.removeprefix("DateTime")
            if how.startswith("Less"):
                return now < then or (how.endswith("Equals") and now == then)
            return now > then or (how.endswith("Equals") and now == then)
        barred = "Not" in operator
        plain = operator.replace("Not", "")
        return (
            barred
            != {
                "StringEquals": given == value,
                "StringStartsWith": given.startswith(value),
                "StringLike": matches(value, given),
            }[plain]
        )

    def _given(self, attribute: str) -> str:
        known = {
            PATH: self.asked.path,
            CONTAINER: self.asked.container,
            PREFIX: next(iter(self.asked.context.get("list_prefix", ())), ""),
            NOW: next(iter(self.asked.context.get("time", ())), ""),
        }
        if attribute not in known:
            raise NotUnderstoodError(attribute)
        return known[attribute]


def quoted(text: str) -> str:
    """Return ``text`` as a string of the language."""
    return "'" + text.replace("'", "''") + "'"
