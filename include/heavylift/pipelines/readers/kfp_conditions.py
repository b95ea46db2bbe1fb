"""Conditions as KFP writes them: a small part of CEL."""

from __future__ import annotations

import re
from collections.abc import Mapping

from heavylift.pipelines.model import Combine, Compare, Condition, Expression, Literal
from heavylift.pipelines.readers.untranslatable import UntranslatableStepError

_TOKEN = re.compile(
    r"\s*(?:(?P<input>inputs\.parameter(?:_value)?s\[(?P<q>['\"])(?P<name>.+?)(?P=q)\](?:\.\w+_value)?)"
    r"|(?P<cast>int|double|string|bool)\(|(?P<text>'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")"
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<word>true|false|null)\b"
    r"|(?P<mark>&&|\|\||==|!=|<=|>=|<|>|!|\(|\)))"
)


def parse_condition(text: str, names: Mapping[str, Expression]) -> Condition:
    """Return the condition that ``text`` means.

    :param names: what the inputs stand for.
    :raises UntranslatableStepError: it is written in a way that is not known.
    """
    reader = _Reader(text, names)
    found = reader.either()
    if reader.at < len(reader.tokens):
        raise reader.problem()
    return found


class _Reader:
    def __init__(self, text: str, names: Mapping[str, Expression]) -> None:
        self.text, self.names, self.at = text, names, 0
        self.tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(text.rstrip()):
            found = _TOKEN.match(text, position)
            if not found:
                raise self.problem()
            kind = found.lastgroup or ""
            kind = "input" if found["input"] else kind
            self.tokens.append((kind, found["name"] if kind == "input" else found[kind]))
            position = found.end()

    def problem(self) -> UntranslatableStepError:
        return UntranslatableStepError(
            f"the condition {self.text[:200]!r} is not known", "write it with comparisons, &&, || and !"
        )

    def _mark(self, *marks: str) -> str:
        if self.at < len(self.tokens) and self.tokens[self.at] in [("mark", mark) for mark in marks]:
            self.at += 1
            return self.tokens[self.at - 1][1]
        return ""

    def either(self) -> Condition:
        parts = [self._both()]
        while self._mark("||"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Combine("or", tuple(parts))

    def _both(self) -> Condition:
        parts = [self._one()]
        while self._mark("&&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Combine("and", tuple(parts))

    def _one(self) -> Condition:
        if self._mark("!"):
            return Combine("not", (self._one(),))
        if self._mark("("):
            found = self.either()
            if not self._mark(")"):
                raise self.problem()
            return found
        left = self._value()
        operator = self._mark("==", "!=", "<=", ">=", "<", ">")
        if not operator:
            return Compare("==", left, Literal(True))
        return Compare(operator, left, self._value())

    def _value(self) -> Expression:
        if self.at >= len(self.tokens):
            raise self.problem()
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "input" and text in self.names:
            return self.names[text]
        if kind == "cast":
            found = self._value()
            if not self._mark(")"):
                raise self.problem()
            return found
        if kind == "text":
            return Literal(re.sub(r"\\(.)", r"\1", text[1:-1]))
        if kind == "number":
            return Literal(float(text) if re.search(r"[.eE]", text) else int(text))
        if kind == "word":
            return Literal({"true": True, "false": False, "null": None}[text])
        raise self.problem()
