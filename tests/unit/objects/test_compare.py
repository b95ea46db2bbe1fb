"""Comparing one object on both sides amid faults: no wrong verdict, in either direction."""

from __future__ import annotations

import pytest

from heavylift.checksums import Algorithm
from heavylift.errors import ServerUnavailableError
from heavylift.objects.compare import attribute_differences, compare_object
from heavylift.platforms.ports import ObjectAttributes
from heavylift.spec.datasets import Metadata
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


def test_an_entry_that_differed_from_another_in_case_alone_is_missed() -> None:
    def differences(source: dict[str, str], target: dict[str, str]) -> list[str]:
        one, other = ObjectAttributes(metadata=source), ObjectAttributes(metadata=target)
        return attribute_differences(one, other, Metadata(), tags=False)

    assert differences({"Key": "1"}, {"key": "1"}) == []
    assert differences({"Key": "1", "key": "2"}, {"key": "2", "Key": "1"}) == []
    for kept in ("1", "2"):
        assert len(differences({"Key": "1", "key": "2"}, {"key": kept})) == 1


def test_a_difference_tells_the_entries_that_differ_and_no_others() -> None:
    one = ObjectAttributes(metadata={"same": "s", "long": "l" * 9_000}, tags={"t": "1"})
    other = ObjectAttributes(metadata={"same": "s"}, tags={"t": "1", "u": "2"})
    metadata, tags = attribute_differences(one, other, Metadata(), tags=True)
    assert "same" not in metadata
    assert len(metadata) < 400
    assert tags == "tags: source {}, target {'u': '2'}"
