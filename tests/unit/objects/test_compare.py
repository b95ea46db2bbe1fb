"""Comparing one object on both sides amid faults: no wrong verdict, in either direction."""

from __future__ import annotations

import pytest

from heavylift.checksums import Algorithm
from heavylift.errors import ServerUnavailableError
from heavylift.objects.compare import compare_object
from tests.unit.objects.fakes import FakeStore

BODY = bytes(range(256)) * 40


def store(body: bytes = BODY, *tells: Algorithm) -> FakeStore:
    made = FakeStore(tells=frozenset(tells))
    made.fill("k", body)
    return made


@pytest.mark.parametrize("fault", ["flips", "cuts", "shorts"])
@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("told", [(), (Algorithm.SHA256,)])
async def test_a_fault_while_reading_does_not_deny_that_objects_are_equal(
    fault: str, side: str, told: tuple[Algorithm, ...]
) -> None:
    stores = {"source": store(BODY, *told), "target": store()}
    setattr(stores[side], fault, 1)
    verdict = await compare_object(stores["source"], "k", stores["target"], "k", always_read=False)
    assert verdict.equal
    assert verdict.method == ("read_back:sha256" if told else "read_both:crc32c")


async def test_two_bodies_that_are_cut_alike_are_not_taken_for_equal() -> None:
    one, other = store(), store(BODY[:-1] + b"x")
    one.shorts = other.shorts = 1
    assert not (await compare_object(one, "k", other, "k", always_read=False)).equal


async def test_a_body_that_always_breaks_off_is_an_error_and_no_verdict() -> None:
    one, other = store(b"x"), store(b"x")
    one.shorts = 1000
    with pytest.raises(ServerUnavailableError, match="HL-5033"):
        await compare_object(one, "k", other, "k", always_read=False)
