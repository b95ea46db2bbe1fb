"""The record beside a weighted name that carries the epoch, and what a time to live means for a switch."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

MARK_TTL = 60
_SETTLED_SECONDS = 600
_FORM = re.compile(r"^heavylift epoch=(\d+) at=(\d+) write=([0-9a-f]+)$")


@dataclass(frozen=True)
class Mark:
    """What the record beside says.

    :param at: when the split was written, in seconds since 1970.
    :param write: differs each time, so that replacing the record exactly is a compare-and-swap.
    """

    epoch: int = 0
    at: int = 0
    write: str = ""

    @property
    def text(self) -> str:
        """The record's value, in quotes as both services keep it."""
        return f'"heavylift epoch={self.epoch} at={self.at} write={self.write}"'


def is_fresh(mark: Mark) -> bool:
    """Tell whether a split was written so lately that servers may not know it yet."""
    return mark.at > time.time() - _SETTLED_SECONDS


def new_mark(epoch: int) -> Mark:
    """Return the mark of a split that is written now."""
    return Mark(epoch, int(time.time()), secrets.token_hex(6))


def mark_in(value: str) -> Mark:
    """Return what a record says; one that is not ours counts as epoch 0."""
    found = _FORM.match(value.strip().strip('"'))
    return Mark(int(found[1]), int(found[2]), found[3]) if found else Mark()


def mark_name(record: str) -> str:
    """Return the name of the record that stands beside ``record``."""
    return f"_heavylift.{record}"


def ttl_detail(mark: Mark, ttl: int) -> dict[str, str]:
    """Return what people need to know: resolvers may give the earlier answer until the TTL has passed."""
    told = {"ttl_seconds": str(ttl)}
    if mark.at:
        told["everywhere_at"] = datetime.fromtimestamp(mark.at + ttl, UTC).isoformat()
    return told


def full_name(name: str) -> str:
    """Return a DNS name in small letters with its dot at the end."""
    return name.lower().rstrip(".") + "."
