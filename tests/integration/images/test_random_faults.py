"""Whatever goes wrong on the way, drawn at random: the end is equal on both sides, no wrong byte kept."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.support.image_moves import between
from tests.support.made_images import demand_whole, digest, image, index, push
from tests.support.oci_server import Asked, OciServer

LARGE = b"".join(bytes([number % 251]) * 16 + number.to_bytes(4, "big") for number in range(100_000))
ON_BLOBS, ON_READS = ("429", "500", "flip", "truncate", "short"), ("429", "500")
ON_WRITES = ("429", "500", "lost", "401")


def faults(draw: random.Random) -> Callable[[Asked], str]:
    rate = draw.choice([0.02, 0.05, 0.1])
    refused: set[tuple[str, str]] = set()

    def fault(asked: Asked) -> str:
        found, key = drawn(asked), (asked.method, asked.path)
        if found == "401" and (key in refused or not asked.authorization):
            # Twice to the same request it would be credentials that are no good, which end a run; and one
            # that tells nobody's name may have been asked for it already.
            found = ""
        if found == "401" or not asked.authorization:
            refused.add(key)
        elif not found:
            refused.discard(key)
        return found

    def drawn(asked: Asked) -> str:
        if draw.random() > rate:
            return ""
        if asked.method == "GET":
            return draw.choice(ON_BLOBS if "/blobs/" in asked.path else ON_READS)
        return draw.choice(ON_WRITES)

    return fault


@pytest.mark.long
@pytest.mark.parametrize("seed", range(8))
def test_the_end_is_equal_and_no_wrong_byte_is_kept(seed: int, small: Callable[..., OciServer]) -> None:
    draw = random.Random(seed)
    both = [{"tokens": draw.random() < 0.5, "lists_referrers": draw.random() < 0.5} for _ in range(2)]
    source, target = (small(**each) for each in both)
    made = {f"i{number}": index([image([LARGE, bytes([number])]), image([b"x"])]) for number in range(5)}
    for name, each in made.items():
        signature = image([name.encode()], subject=each, artifact="application/x")
        push(source, f"ml/{name}", each, "1")
        push(source, f"ml/{name}", signature)
        if not source.lists_referrers:
            push(source, f"ml/{name}", index([signature]), f"sha256-{each.digest[7:]}")
    source.fault = target.fault = faults(draw)
    chunk = draw.choice([0, 1])
    # A row may fail, and says so; the next run does the rest.
    assert any(between(source, target, "ml", chunk_mib=chunk).passed for _ in range(5))
    assert all(digest(data) == name for name, data in target.blobs.items())
    source.fault = target.fault = None
    assert between(source, target, "ml", "verify", deep=True).equal == len(made)
    for name, each in made.items():
        demand_whole(target, f"moved/ml/{name}", each, "1")
