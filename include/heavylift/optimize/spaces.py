"""The settings that may be tried: each a choice of one value for every knob."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from heavylift.optimize.checks import demand

Value = str | int | float
Setting = tuple[tuple[str, Value], ...]
MOST_SETTINGS = 20_000
ROWS, CONNECTIONS = "rows", "connections"
"""Knobs that the client turns: rows of a request, and connections that are open at once."""
MOST_COUNT = 100_000


@dataclass(frozen=True)
class Knob:
    """One thing that may be set, and the values that it may have."""

    name: str
    values: tuple[Value, ...]

    @property
    def numeric(self) -> bool:
        """Whether its values have an order and distances."""
        return all(not isinstance(value, str) for value in self.values)


@dataclass(frozen=True)
class Space:
    """All settings.

    :raises SpecError: a knob without values, with one twice, with a name that is none, or too many settings.
    """

    knobs: tuple[Knob, ...]

    def __post_init__(self) -> None:
        """Refuse what can't be searched."""
        got = next(self._problems(), "")
        demand(not got, "reading the knobs of trials", got, "knobs with values, each once", "9245")

    def _problems(self) -> Iterator[str]:
        names = [knob.name for knob in self.knobs]
        if not names:
            yield "no knob"
        if len(set(names)) != len(names):
            yield "a knob twice"
        for knob in self.knobs:
            if not knob.name.isidentifier():
                yield f"the name {knob.name!r}"
            if not knob.values or len(set(knob.values)) != len(knob.values):
                yield f"{knob.name} without a value, or with one twice"
            if any(not math.isfinite(value) for value in knob.values if not isinstance(value, str)):
                yield f"{knob.name} with a value that is no number"
            counts = [isinstance(value, int) and 0 < value <= MOST_COUNT for value in knob.values]
            if knob.name in {ROWS, CONNECTIONS} and not all(counts):
                yield f"{knob.name} that is no count from 1 to {MOST_COUNT:,}"
        if self.size > MOST_SETTINGS:
            yield f"{self.size:,} settings; at most {MOST_SETTINGS:,} are searched"

    @property
    def size(self) -> int:
        """How many settings there are."""
        return math.prod(len(knob.values) for knob in self.knobs)

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """All settings, in the order of the knobs' values."""
        names = [knob.name for knob in self.knobs]
        found = product(*(knob.values for knob in self.knobs))
        return tuple(setting_of(dict(zip(names, values, strict=True))) for values in found)

    @cached_property
    def coordinates(self) -> NDArray[np.float64]:
        """One row for each setting, one column for each knob: numbers from 0 to 1, words numbered."""
        columns = [_places(knob) for knob in self.knobs]
        return np.array(list(product(*columns)), dtype=np.float64).reshape(self.size, len(self.knobs))


def _places(knob: Knob) -> list[float]:
    """Return where a knob's values lie; doubling counts as much wherever it is."""
    if not knob.numeric:
        return [float(number) for number in range(len(knob.values))]
    values = [float(value) for value in knob.values]
    scaled = [math.log(value) for value in values] if min(values) > 0 else values
    low, high = min(scaled), max(scaled)
    return [(each - low) / (high - low) if high > low else 0.0 for each in scaled]


def setting_of(values: Mapping[str, Value]) -> Setting:
    """Return a setting by its values, in the order of names: a record that is read back has no other."""
    return tuple(sorted(values.items()))


def knobs_of(given: Mapping[str, Sequence[Value]]) -> Space:
    """Return the space of knobs that are given as lists."""
    return Space(tuple(Knob(name, tuple(values)) for name, values in given.items()))


def titled(setting: Setting) -> str:
    """Return a setting in words."""
    return ", ".join(f"{name}={value}" for name, value in setting)


def count_of(setting: Setting, knob: str, otherwise: int) -> int:
    """Return the count that a setting has for a knob of the client's."""
    return int(dict(setting).get(knob, otherwise))


def key_of(setting: Setting) -> str:
    """Return a text that tells settings apart."""
    return json.dumps(setting, separators=(",", ":"))
