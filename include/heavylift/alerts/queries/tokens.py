"""Words of queries, and how they are taken one by one."""

from __future__ import annotations

import re
from collections.abc import Callable

from heavylift.alerts.queries.linear import RefusedPatternError, compiled
from heavylift.alerts.queries.model import AllOf, AnyOf, Check, Node, Not, Op
from heavylift.errors import SpecError, UnsupportedError

MAX_TEXT, MAX_DEPTH, MAX_SHOWN = 20_000, 40, 120
_ODD = re.compile(r"\(\?(?:[=!]|<[=!])|\\[1-9]|\(\?>|\(\?P[=>]|[+*?}]\+")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
COMPARISONS = {each.value: each for each in (Op.EQ, Op.NE, Op.LT, Op.LE, Op.GT, Op.GE)}


class UnsaidError(UnsupportedError):
    """A query, or a part of one, that the other language cannot say: it is listed, and the others go on."""


def malformed(got: str, expected: str) -> SpecError:
    """Return the error for a text that is no query."""
    return SpecError(
        "reading a query of logs",
        got=got[:MAX_SHOWN],
        expected=expected,
        state="nothing was written",
        remedy="correct the query",
        code="9750",
    )


def unsaid(what: str, remedy: str = "write it by hand on the target") -> UnsaidError:
    """Return the error for what cannot be said, or is not known here."""
    return UnsaidError(
        "translating a query of logs",
        got=what[:MAX_SHOWN],
        expected="something that docs/reference/log-queries.md lists",
        state="it is listed; the others are translated",
        remedy=remedy,
        code="9751",
    )


def pattern(text: str) -> str:
    """Return a regular expression as RE2 reads it.

    :raises UnsaidError: it has what RE2 lacks.
    :raises SpecError: it is none, or too large.
    """
    found = re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", text)
    if _ODD.search(found):
        raise unsaid(f"the pattern {text}", "use no look-around, back references or possessive repeats")
    try:
        compiled(found)
    except RefusedPatternError as problem:
        raise malformed(f"the pattern {text}: {problem}", "a regular expression") from None
    return found


class Reader:
    """Takes words one by one.

    :param words: kind and text; the kinds are the groups of a language's own pattern.
    """

    def __init__(self, text: str, words: re.Pattern[str]) -> None:
        if len(text) > MAX_TEXT:
            raise malformed(f"{len(text)} characters", f"at most {MAX_TEXT}")
        self.words: list[tuple[str, str]] = []
        self.at = self.depth = 0
        place = 0
        while place < len(text):
            found = words.match(text, place)
            if found is None or found.end() == place:
                raise malformed(text[place : place + 40], "a known sign")
            place = found.end()
            if found.lastgroup != "space":
                self.words.append((str(found.lastgroup), found[0]))
        self.words.append(("end", ""))

    @property
    def kind(self) -> str:
        """Return the next word's kind."""
        return self.words[self.at][0]

    def peek(self, ahead: int = 0) -> str:
        """Return the next word in lower case, without taking it."""
        return self.words[min(self.at + ahead, len(self.words) - 1)][1].lower()

    def take(self, wanted: str | None = None) -> str:
        """Take the next word.

        :raises SpecError: it is another than the wanted one.
        """
        kind, found = self.words[self.at]
        if kind == "end" or (wanted is not None and found.lower() != wanted):
            raise malformed(found or "its end", wanted or "more of it")
        self.at += 1
        return found

    def skip(self, word: str) -> bool:
        """Take a word where it is the next one."""
        if self.kind == "end" or self.peek() != word:
            return False
        self.at += 1
        return True

    def text(self) -> str:
        """Take a text in quotes."""
        if self.kind not in ("string", "raw"):
            raise malformed(self.peek() or "its end", "a text in quotes")
        kind = self.kind
        return unquoted(self.take(), raw=kind == "raw")

    def number(self) -> float:
        """Take a number."""
        sign = -1.0 if self.skip("-") else 1.0
        if self.kind != "number":
            raise malformed(self.peek() or "its end", "a number")
        return sign * float(self.take())

    def value(self) -> str | float:
        """Take a text or a number."""
        return self.text() if self.kind in ("string", "raw") else self.number()

    def commas(self, one: Callable[[], object]) -> None:
        """Take things between commas."""
        one()
        while self.skip(","):
            one()

    def end(self) -> None:
        """Demand that nothing is left.

        :raises SpecError: something is.
        """
        if self.kind != "end":
            raise malformed(self.peek(), "its end")


def condition(reader: Reader, single: Callable[[], Node], implicit: bool = False) -> Node:
    """Take a condition of ``and``, ``or`` and ``not``; ``or`` binds least.

    :param implicit: two conditions without a word between them must both hold.
    """
    reader.depth += 1
    if reader.depth > MAX_DEPTH:
        raise malformed("deep nesting", f"at most {MAX_DEPTH} levels")
    either = [_both(reader, single, implicit)]
    while reader.skip("or"):
        either.append(_both(reader, single, implicit))
    reader.depth -= 1
    return either[0] if len(either) == 1 else AnyOf(tuple(either))


def _both(reader: Reader, single: Callable[[], Node], implicit: bool) -> Node:
    parts = [_one(reader, single, implicit)]
    while reader.skip("and") or (implicit and reader.kind != "end" and reader.peek() not in ("or", ")")):
        parts.append(_one(reader, single, implicit))
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _one(reader: Reader, single: Callable[[], Node], implicit: bool) -> Node:
    if reader.peek() == "not" and reader.kind != "string":
        reader.take()
        return Not(_one(reader, single, implicit))
    if reader.skip("("):
        found = condition(reader, single, implicit)
        reader.take(")")
        return found
    return single()


def unquoted(text: str, *, raw: bool = False) -> str:
    """Return what a text in quotes says."""
    if raw:
        return text[2:-1] if text.startswith("@") else text[1:-1]

    def plain(found: re.Match[str]) -> str:
        return _ESCAPES.get(found[1], found[1] if found[1] in "\"'\\/`" else found[0])

    return re.sub(r"\\(.)", plain, text[1:-1], flags=re.DOTALL)


def quoted(text: str) -> str:
    """Return a text in double quotes.

    :raises UnsaidError: it has other control characters than line breaks and tabs.
    """
    if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text):
        raise unsaid("a text with control characters")
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(plain, escaped)
    return f'"{text}"'


def shown(value: float) -> str:
    """Return a number as all languages read it."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def seconds(text: str) -> int:
    """Return how many seconds a span such as ``5m`` is.

    :raises UnsaidError: it is none of whole seconds up to days.
    """
    found = re.fullmatch(r"(\d{1,6})(s|m|h|d)[a-z]*", text.lower())
    many = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    if found is None or text.lower().endswith(("ms", "mo")) or int(found[1]) == 0:
        raise unsaid(f"the span {text}", "use seconds, minutes, hours or days")
    return int(found[1]) * many[found[2]]


def span(total: int) -> str:
    """Return seconds as a span, in the largest unit that is whole."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if total % size == 0:
            return f"{total // size}{unit}"
    return f"{total}s"


def escaped(text: str) -> str:
    """Return a text as a regular expression that means it; RE2 knows no escape of letters."""
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text)


__all__ = [
    "COMPARISONS",
    "Check",
    "Reader",
    "UnsaidError",
    "condition",
    "escaped",
    "malformed",
    "pattern",
    "quoted",
    "seconds",
    "shown",
    "span",
    "unquoted",
    "unsaid",
]  # fmt: skip
