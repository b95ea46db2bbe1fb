"""Which request suffers which fault: drawn from a seed, so that what failed can be run again."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """What a request is about, as far as faults care."""

    DOWNLOAD = "bytes of an object come down"
    UPLOAD = "bytes of an object go up"
    WRITE = "something else changes"
    READ = "something else is asked"


REFUSED = ("busy", "throttle", "throttle_after", "error", "expired", "denied", "full", "quota")
"""Answered in the store's place; the store never sees the request."""

UNANSWERED = ("reset", "lost", "error_after", "stall")
"""No answer, or not the true one: ``lost`` and ``error_after`` only after the store has carried it out."""

DAMAGED = ("truncate", "short", "flip_answer", "flip_request", "stall_body", "slow")
"""Bytes are missing, wrong or late. ``short`` is a truncation whose Content-Length says nothing of it."""

FAULTS = (*REFUSED, *UNANSWERED, *DAMAGED)

_ONLY = {
    "short": {Kind.DOWNLOAD},
    "flip_answer": {Kind.DOWNLOAD},
    "stall_body": {Kind.DOWNLOAD},
    "slow": {Kind.DOWNLOAD},
    "flip_request": {Kind.UPLOAD},
    "full": {Kind.UPLOAD, Kind.WRITE},
    "quota": {Kind.UPLOAD, Kind.WRITE},
}


def applies(fault: str, kind: Kind) -> bool:
    """Tell whether a request of this kind can suffer the fault.

    Listings and metadata have no checksum of their own, so only objects' bytes are changed.
    """
    return fault not in _ONLY or kind in _ONLY[fault]


_SUFFERED = {kind: tuple(fault for fault in FAULTS if applies(fault, kind)) for kind in Kind}


@dataclass(frozen=True)
class Storm:
    """From the first to the last request of these numbers, nothing but one fault."""

    fault: str
    first: int
    last: int


@dataclass(frozen=True)
class Schedule:
    """What happens to the n-th request of a side.

    :param rates: each fault's probability for one request; a request suffers at most one.
    """

    seed: object
    rates: Mapping[str, float] = field(default_factory=dict)
    storms: tuple[Storm, ...] = ()

    def fault(self, number: int, kind: Kind) -> str:
        """Return the fault of the request with this number, from 1; nothing where it is let through."""
        for storm in self.storms:
            if storm.first <= number <= storm.last and applies(storm.fault, kind):
                return storm.fault
        drawn = random.Random(f"{self.seed}:{number}").random()
        for fault in _SUFFERED[kind]:
            drawn -= self.rates.get(fault, 0.0)
            if drawn < 0:
                return fault
        return ""


MILD = ("busy", "throttle", "throttle_after", "error", "reset", "lost", "error_after", "truncate")
ROUGH = ("short", "flip_answer", "flip_request", "slow")
RARE = ("stall", "stall_body")
NEVER_ENDING = 10**9


def draw_schedule(seed: object, *, target: bool) -> Schedule:
    """Return a schedule of its own for each seed: sprinkled faults, storms, or a permission that goes.

    :param target: the side that is written to; only it can be full.
    """
    dice = random.Random(f"schedule:{seed}")
    if dice.random() < 0.12:
        return Schedule(seed)
    rates = {fault: dice.uniform(0.01, 0.06) for fault in dice.sample(MILD, dice.randint(1, 5))}
    rates |= {fault: dice.uniform(0.02, 0.15) for fault in dice.sample(ROUGH, dice.randint(0, 3))}
    rates |= {fault: dice.uniform(0.002, 0.012) for fault in RARE if dice.random() < 0.3}
    storms: list[Storm] = []
    if dice.random() < 0.35:
        first = dice.randint(1, 60)
        fault = dice.choice(("busy", "throttle", "error", "reset", "lost", "error_after"))
        storms.append(Storm(fault, first, first + dice.randint(4, 40)))
    if dice.random() < 0.2:
        gone = ("expired", "denied", "full", "quota") if target else ("expired", "denied")
        first = dice.randint(1, 80)
        last = NEVER_ENDING if dice.random() < 0.5 else first + dice.randint(0, 10)
        storms.append(Storm(dice.choice(gone), first, last))
    return Schedule(seed, rates, tuple(storms))
