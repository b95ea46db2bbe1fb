"""Finds personal data in bytes: candidates by one linear pass, each then held to its form's check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from heavylift.compliance.entities import Entity
from heavylift.compliance.patterns import Form, Single, beginnings, engine

_SEPARATORS = b" \t\n,;|\"'=:"
_WORD = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_JOINTS, _JOINTS_AFTER, _BRACKET = frozenset(b".-/_:+"), frozenset(b".-/_:"), ord("(")
_VERSION_WORDS = (b"version", b"release", b"build", b"ver", b"v", b"rev", b"firmware", b"agent")
_NUMBER_WORDS = (b"id", b"order", b"part", b"sku", b"invoice", b"batch", b"ticket", b"serial", b"item")
_LOOK_BACK = 24
MASK_LENGTH = 32


class Hit(NamedTuple):
    """A value that is what it seems, or, where ``valid`` is not set, one that only looks like it.

    The value itself is not kept; :func:`masked` makes its shape of what stands there.

    :param start: its place in what was scanned.
    """

    entity: Entity
    start: int
    end: int
    valid: bool


def find(data: bytes) -> Iterator[Hit]:
    """Yield what is found in ``data``, in its order; a place is counted once."""
    following, singles = engine()
    fitting = beginnings()
    position = 0
    while True:
        start, end = following(data, position)
        if start < 0:
            return
        # A little more than the candidate, since a form may go on where the first that fits has ended.
        numbers = fitting(data[start : end + MASK_LENGTH])
        hit = _judge(data, start, end, [singles[number] for number in numbers])
        if hit is not None:
            yield hit
        # What only looked like something may hide something behind its first word.
        position = end if hit is not None and hit.valid else _after_first_word(data, start, end)


def _judge(data: bytes, start: int, end: int, singles: Sequence[Single]) -> Hit | None:
    looks_like: Hit | None = None
    for form, spans, alone in singles:
        found = spans(data, start)
        if found is None or found[0][1] > end + MASK_LENGTH:
            continue
        begin, stop = found[1]
        if (not alone or _stands_alone(form, data, begin, stop)) and _holds(
            form, data[begin:stop].decode("utf-8", "replace")
        ):
            return Hit(form.entity, begin, stop, valid=True)
        looks_like = looks_like or Hit(form.entity, begin, stop, valid=False)
    return looks_like


def _holds(form: Form, text: str) -> bool:
    if form.check(text):
        return True
    # An IBAN or a number may be followed by a word that the form takes in.
    shorter = text.rpartition(" ")[0]
    return form.entity is Entity.IBAN and bool(shorter) and form.check(shorter)


def _stands_alone(form: Form, data: bytes, start: int, end: int) -> bool:
    """Tell whether a value is no part of something longer: a decimal, a path, a version, an identifier."""
    if start and data[start - 1] in _WORD and data[start] != _BRACKET:
        return False
    if start > 1 and data[start - 1] in _JOINTS and data[start - 2] in _WORD:
        return False
    if end + 1 < len(data) and data[end] in _JOINTS_AFTER and data[end + 1] in _WORD:
        return False
    if form.entity is Entity.PHONE and data[start : start + 1] != b"+":
        return _word_before(data, start) not in _NUMBER_WORDS
    return form.entity is not Entity.IP_ADDRESS or not _is_version(data, start)


def _is_version(data: bytes, start: int) -> bool:
    line = data[max(0, start - _LOOK_BACK) : start].rsplit(b"\n", 1)[-1]
    if line.rstrip().endswith(b"="):
        return line.rstrip().endswith(b"==")
    return line.endswith(b"/") or _word_before(data, start) in _VERSION_WORDS


def _word_before(data: bytes, start: int) -> bytes:
    line = data[max(0, start - _LOOK_BACK) : start].rsplit(b"\n", 1)[-1]
    words = line.replace(b":", b" ").replace(b"=", b" ").replace(b"#", b" ").lower().split()
    return words[-1].strip(b"(\"'.") if words else b""


def _after_first_word(data: bytes, start: int, end: int) -> int:
    for position in range(start + 1, end):
        if data[position] in _SEPARATORS:
            return position
    return end


class _Shapes(dict[int, str]):
    """Character → what stands for it; each is looked at once."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = "9" if character.isdigit() else "a" if character.isalpha() else character
        return self[code]


_SHAPES = _Shapes()


def masked(text: str) -> str:
    """Return the shape of a value: letters as a, digits as 9, at most :data:`MASK_LENGTH` characters."""
    shape = text[:MASK_LENGTH].translate(_SHAPES)
    return shape + ("…" if len(text) > MASK_LENGTH else "")
