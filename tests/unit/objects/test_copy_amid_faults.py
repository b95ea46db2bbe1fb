"""One object copied amid faults drawn from a seed: nothing wrong is ever left to be seen."""

from __future__ import annotations

import random
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from heavylift.checksums import Algorithm
from heavylift.errors import HeavyliftError, ServerUnavailableError
from heavylift.evidence.store import open_evidence
from heavylift.objects.budget import MemoryBudget
from heavylift.objects.copier import Copier
from heavylift.objects.copy_object import copy_object
from heavylift.objects.journal import UploadJournal
from heavylift.objects.manifest import PlanRow
from heavylift.platforms.ports import PartReceipt, PutReceipt, Upload
from heavylift.spec.datasets import Metadata
from tests.unit.objects.fakes import FakeStore

PART = 4096
SEEDS = range(100)
TOLD = ((), (Algorithm.CRC32C,), (Algorithm.MD5,), (Algorithm.CRC64NVME,), (Algorithm.MD5_PARTS,))


@dataclass
class FaultyStore(FakeStore):
    """A store in memory whose acts fail now and then, before they have their effect or after it."""

    dice: random.Random = field(default_factory=random.Random)
    rate: float = 0.0

    def _maybe(self, what: str) -> None:
        if self.dice.random() < self.rate:
            raise ServerUnavailableError(what, got="no answer")

    def _spoil_next_download(self) -> None:
        for fault in ("flips", "cuts", "shorts"):
            if self.dice.random() < self.rate:
                setattr(self, fault, 1)

    def flipped(self, body: bytes) -> bytes:
        # Not always the same bit: two downloads that are wrong alike cannot be told by anybody.
        if len(body) < 100:
            return body
        at = self.dice.randrange(len(body))
        return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]

    async def head(self, key: str) -> Any:
        self._maybe("head")
        return await super().head(key)

    def get(self, key: str, **how: Any) -> Any:
        self._spoil_next_download()
        return super().get(key, **how)

    async def put(self, key: str, *rest: Any, **more: Any) -> PutReceipt:
        self._maybe("put")
        self.rejects = int(self.dice.random() < self.rate)
        done = await super().put(key, *rest, **more)
        self._maybe("put, after its effect")
        return done

    async def put_part(self, upload: Upload, *rest: Any) -> PartReceipt:
        self._maybe("part")
        self.rejects = int(self.dice.random() < self.rate)
        done = await super().put_part(upload, *rest)
        self._maybe("part, after its effect")
        return done

    async def begin_upload(self, *rest: Any) -> Upload:
        self._maybe("begin")
        return await super().begin_upload(*rest)


def drawn_source(dice: random.Random) -> FaultyStore:
    size = dice.choice((0, 1, 500, PART - 1, PART, PART + 1, 3 * PART, 5 * PART + 7))
    tells = dice.choice(TOLD)
    source = FaultyStore(tells=frozenset(tells))
    if Algorithm.MD5_PARTS in tells:
        step = dice.choice((PART // 2, PART, 3000))
        source.part_sizes = tuple(min(step, size - at) for at in range(0, size, step)) or (0,)
    source.fill("k", dice.randbytes(size))
    return source


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_wrong_is_left_to_be_seen(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    source, target = drawn_source(dice), FaultyStore()
    source.dice = target.dice = dice
    target.receipts = dice.random() < 0.7
    body = source.objects["k"].body
    async with open_evidence(f"file://{tmp_path}/evidence") as evidence:
        for attempt in range(8):
            source.rate = target.rate = 0.0 if attempt == 7 else dice.uniform(0, 0.3)
            copier = Copier(
                source=source,
                target=target,
                source_prefix="",
                target_prefix="moved/",
                budget=MemoryBudget(1 << 20),
                journal=UploadJournal(evidence, "m", "d"),
                keep=Metadata(),
                part_bytes=PART,
                arrived=lambda size: None,
                look_first=attempt > 0,
            )
            row = PlanRow("k", "copy", len(body), source.version("k"), None)
            done = None
            with suppress(HeavyliftError) if source.rate else nullcontext():
                done = await copy_object(copier, row)
            assert done is None or target.objects["moved/k"].body == body
            assert target.objects.keys() <= {"moved/k"}
            assert all(stored.body == body for stored in target.objects.values())
    assert target.objects.keys() == {"moved/k"}
