"""Writes HCL as ``terraform fmt`` would leave it, and lets no text of anybody else be code.

Every string is quoted and escaped here and nowhere else; what is meant as code is an :class:`Expr`, which
only the project's own tables make.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_INDENT = "  "
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True)
class Expr:
    """An expression, such as ``var.region``; never made of text that comes from a platform."""

    text: str


@dataclass(frozen=True)
class Call:
    """A function of Terraform's over one value, such as ``jsonencode({ … })``."""

    function: str
    value: Any


@dataclass(frozen=True)
class Block:
    """A block: ``kind "label" "label" { … }``.

    :param body: attributes by name; a value that is a :class:`Block` or a list of them is nested.
    :param comment: lines above it; ``remarks`` lines at the start of its body.
    """

    kind: str
    labels: tuple[str, ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    comment: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def render(blocks: Iterable[Block]) -> str:
    """Return a file of blocks, one empty line between two."""
    return "\n".join("\n".join(_block(block, "")) + "\n" for block in blocks)


def quoted(text: str) -> str:
    """Return a string literal that means exactly ``text``."""
    found = []
    for at, letter in enumerate(text):
        if letter in _ESCAPES:
            found.append(_ESCAPES[letter])
        elif letter in "$%" and text[at + 1 : at + 2] == "{":
            # Doubled, it is no template.
            found.append(letter * 2)
        elif not letter.isprintable():
            found.append(f"\\u{ord(letter):04X}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08X}")
        else:
            found.append(letter)
    return '"' + "".join(found) + '"'


def comment_line(text: str) -> str:
    """Return ``text`` as one line that can stand in a comment."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def _block(block: Block, indent: str) -> list[str]:
    lines = [f"{indent}# {comment_line(line)}".rstrip() for line in block.comment]
    head = " ".join([block.kind, *(quoted(label) for label in block.labels)])
    if not block.body:
        return [*lines, f"{indent}{head} {{}}"]
    lines.append(f"{indent}{head} {{")
    lines += [f"{indent}{_INDENT}# {comment_line(line)}" for line in block.remarks]
    lines += _body(block.body, indent + _INDENT)
    lines.append(f"{indent}}}")
    return lines


def _body(body: Mapping[str, Any], indent: str) -> list[str]:
    """Return one-line attributes first, aligned; then everything longer, an empty line before each."""
    short, long = {}, []
    for name, value in body.items():
        blocks = _blocks(name, value)
        if blocks is not None:
            long += [_block(each, indent) for each in blocks]
            continue
        lines = _value(value, indent)
        if len(lines) == 1:
            short[name] = lines[0]
        else:
            long.append([f"{indent}{name} = {lines[0]}", *lines[1:]])
    width = max(map(len, short), default=0)
    parts = [[f"{indent}{name.ljust(width)} = {value}" for name, value in short.items()]] if short else []
    return _with_gaps([*parts, *long])


def _blocks(name: str, value: Any) -> list[Block] | None:
    if isinstance(value, Block):
        return [value]
    if isinstance(value, Sequence) and value and all(isinstance(each, Block) for each in value):
        return list(value)
    return None


def _with_gaps(parts: Sequence[list[str]]) -> list[str]:
    lines: list[str] = []
    for part in parts:
        lines += [*([""] if lines else []), *part]
    return lines


def _value(value: Any, indent: str) -> list[str]:
    if isinstance(value, Expr):
        return [value.text]
    if isinstance(value, Call):
        lines = _value(value.value, indent)
        lines[0] = f"{value.function}({lines[0]}"
        lines[-1] = f"{lines[-1]})"
        return lines
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, (int, float)):
        return [repr(value)]
    if isinstance(value, str):
        return [quoted(value)]
    if value is None:
        return ["null"]
    if isinstance(value, Mapping):
        return _mapping(value, indent)
    return _list(value, indent)


def _mapping(value: Mapping[str, Any], indent: str) -> list[str]:
    if not value:
        return ["{}"]
    named = {name if _IDENTIFIER.match(name) else quoted(name): each for name, each in value.items()}
    return ["{", *_body(named, indent + _INDENT), f"{indent}}}"]


def _list(value: Sequence[Any], indent: str) -> list[str]:
    items = [_value(each, indent + _INDENT) for each in value]
    if all(len(each) == 1 for each in items):
        return ["[" + ", ".join(each[0] for each in items) + "]"]
    lines = ["["]
    for each in items:
        lines += [f"{indent}{_INDENT}{each[0]}", *each[1:-1], f"{each[-1]},"]
    return [*lines, f"{indent}]"]
