"""Filters by size and age: which of the source's objects a dataset is about, beside their keys.

They are judged on the source's listing alone. An object that they leave out is not planned, not
verified and never counts as gone from the source: it is there, it is only not meant. The target's
copy of such an object stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from heavylift.spec.moments import moment_of

LEFT_OUT_SQL = """(
  coalesce(s.size_bytes < $min_size, false) OR coalesce(s.size_bytes > $max_size, false)
  OR coalesce(s.modified_us < $since_us, false) OR coalesce(s.modified_us >= $before_us, false)
)"""
"""True for a row ``s`` of the source's listing that the filters leave out; a NULL bound is none."""


@dataclass(frozen=True)
class Filters:
    """Bounds on size and time of writing; None is no bound.

    :param modified_since: as in the spec: a day, a time or an age; inclusive.
    :param modified_before: likewise; exclusive.
    """

    min_size: int | None = None
    max_size: int | None = None
    modified_since: str | None = None
    modified_before: str | None = None

    def bounds(self, now: datetime) -> dict[str, int | None]:
        """Return the values of :data:`LEFT_OUT_SQL`, by name.

        :param now: the moment from which ages are reckoned.
        """
        return {
            "min_size": self.min_size,
            "max_size": self.max_size,
            "since_us": _microseconds(self.modified_since, now),
            "before_us": _microseconds(self.modified_before, now),
        }


def _microseconds(text: str | None, now: datetime) -> int | None:
    return None if text is None else int(moment_of(text, now).timestamp() * 1_000_000)
