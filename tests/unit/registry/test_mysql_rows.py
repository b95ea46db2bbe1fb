"""Numbers of single precision are told as they were given."""

from __future__ import annotations

import random
import struct

import pytest

from heavylift.registry.store.mysql_rows import shortest_single


def single(value: float) -> float:
    """Return what a column of single precision holds of a number."""
    (held,) = struct.unpack("<f", struct.pack("<f", value))
    return float(held)


@pytest.mark.parametrize("given", [0.1, -2.5, 0.0, 1e10, 1234567.0, 16777217.5, 3.4028235e38, 1e-45, 33.33])
def test_the_shortest_number_that_is_held_so(given: float) -> None:
    found = shortest_single(single(given))
    assert single(found) == single(given)
    assert len(repr(found)) <= len(repr(single(given)))


def test_what_has_six_digits_comes_back_as_it_was_given() -> None:
    chance = random.Random(1)
    for _ in range(2000):
        given = float(f"{chance.uniform(-1, 1) * 10 ** chance.randint(-30, 30):.6g}")
        assert shortest_single(single(given)) == given
