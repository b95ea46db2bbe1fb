"""Lines that try a query hard: missing and null fields, other case, numbers as texts, the borders of bins."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Iterator

from heavylift.alerts.queries.linear import RefusedPatternError, compiled
from heavylift.alerts.queries.lines import Line, line
from heavylift.alerts.queries.model import LINE, Check, Filter, Op, Parse, Query, checks

START = 1_700_000_000_000 // 86_400_000 * 86_400_000
MOST = 600
_WORDS = ("abc", "17", "GET", "4.5", "/a/b", "2024-01-02")


def trial_lines(query: Query) -> list[Line]:
    """Return lines for a query; the same query gives the same lines."""
    wanted: dict[str, list[Check]] = {}
    for step in query.steps:
        for each in checks(step.node) if isinstance(step, Filter) else ():
            wanted.setdefault(each.field, []).append(each)
    stats = query.stats
    for name in (
        (*(stats.by if stats else ()), *(each.field for each in stats.aggregates if each.field))
        if stats
        else ()
    ):
        wanted.setdefault(name, [])
    numbers = {each.field for each in stats.aggregates} if stats else set()
    fields = {
        name: _values(found, number=name in numbers) for name, found in wanted.items() if name[0] not in "@_"
    }
    texts = list(_texts(query, wanted))
    chance = random.Random(1)  # noqa: S311 - it makes lines, no secrets.
    # Lines of JSON have the texts, too: some platforms keep no text of them.
    raws: list[str] = [*texts, *(_object({}, text) for text in texts)]
    combined = list(itertools.islice(itertools.product(*fields.values()), 20_000))
    chance.shuffle(combined)
    raws += [
        _object(dict(zip(fields, values, strict=True)), chance.choice(["", *texts]))
        for values in combined[: MOST - len(raws)]
    ]
    raws += [chance.choice(raws) for _ in range(MOST // 4)]
    chance.shuffle(raws)
    times = _times(stats.bin if stats else 0, len(raws))
    return [line(number, at, raw) for number, (at, raw) in enumerate(zip(times, raws, strict=True))]


class _Missing:
    """No such field."""


_NONE = _Missing()


def _values(found: list[Check], *, number: bool) -> list[object]:
    values: list[object] = [_NONE, None, "other", ""]
    for each in found:
        if isinstance(each.value, float):
            near = (each.value - 1, each.value, each.value + 0.5)
            values += [int(one) if one == int(one) else one for one in near]
            values += [f"{each.value:g}", "abc"]
        elif each.op is Op.MATCHES:
            values += list(_matching(each.value))
        elif each.value:
            values += [each.value, each.value.swapcase(), f"{each.value}x", f"a {each.value} b"]
    if number or not found:
        values += [1, 2.5, 1000, "7"]
    return list({repr(each): each for each in values}.values())


def _object(values: dict[str, object], note: str) -> str:
    made: dict[str, object] = {"note": note} if note else {}
    for name, value in values.items():
        if isinstance(value, _Missing):
            continue
        place, parts = made, name.split(".")
        for part in parts[:-1]:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):
                break
            place = inner
        else:
            place[parts[-1]] = value
    return json.dumps(made, ensure_ascii=False, separators=(",", ":"))


def _texts(query: Query, wanted: dict[str, list[Check]]) -> Iterator[str]:
    yield from ("a plain line", "{broken json", "[1, 2]")
    for each in wanted.get(LINE, []):
        if isinstance(each.value, str) and each.op is not Op.MATCHES:
            yield from (f"x {each.value} y", f"x {each.value.swapcase()} y", each.value)
        elif isinstance(each.value, str):
            yield from (f"x{text}y" for text in _matching(each.value))
    for step in query.steps:
        if isinstance(step, Parse) and step.field == LINE:
            values = [each.value for name in step.names for each in wanted.get(name, [])]
            near = [
                f"{float(each) + by:g}" for each in values if isinstance(each, float) for by in (-1, 0, 1)
            ]
            told = [each for each in values if isinstance(each, str) and each]
            yield from _matching(step.pattern, (*near, *told, *_WORDS))


def _matching(shape: str, words: tuple[str, ...] = _WORDS) -> Iterator[str]:
    """Yield texts that a pattern of plain words and simple groups matches, and others of upper case."""
    pieces = [each for each in re.split(r"(\((?:\?P<\w+>|\?:)?[^()]*\))", shape) if each]
    for word in words:
        text = ""
        for piece in pieces:
            if piece.startswith("("):
                inner = re.sub(r"^\((\?P<\w+>|\?:)?", "", piece)[:-1]
                options = [word, *words, *inner.split("|")]
                text += next((each for each in options if _fits(inner, each)), word)
            else:
                plain = re.sub(r"\\s[+*]?", " ", piece).replace("^", "").replace("$", "")
                plain = re.sub(r"\\d\+?|\[0-9\]\+?", "5", plain).replace(".*", "-")
                plain = re.sub(r"(\w)[+?]", r"\1", plain)
                text += re.sub(r"\\(.)", r"\1", plain)
        if compiled(shape).search(text):
            yield text
            yield text.swapcase()


def _fits(inner: str, text: str) -> bool:
    """Tell whether a part of a pattern matches all of a text; a part may be none by itself."""
    try:
        return bool(compiled(inner).fullmatch(text))
    except RefusedPatternError:
        return False


def _times(bin_: int, count: int) -> Iterator[int]:
    """Yield times, all different: the first and last milliseconds of bins among them."""
    size = (bin_ or 60) * 1000
    for each in range(count):
        start = START + each // 5 * size
        yield start + (0, 1, size // 2, size - 2, size - 1)[each % 5]
