"""What a folder of refreshed prices says of itself: when, whence, and which rows kept their price."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from heavylift.errors import SpecError

_FORMAT = "heavylift/prices/v1"


@dataclass(frozen=True)
class Refreshed:
    """One platform's refresh.

    :param machines: types with a new price; ``egress`` and ``requests`` likewise.
    :param kept: table → name of what kept its price → why.
    :param calls: requests that were sent.
    """

    platform: str
    region: str
    source: str
    read_at: str
    machines: int
    egress: int
    requests: int
    kept: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    calls: int = 0

    @property
    def kept_count(self) -> int:
        """How many rows kept their price."""
        return sum(len(rows) for rows in self.kept.values())

    def document(self) -> dict[str, Any]:
        """Return what is written beside the tables."""
        return {"format": _FORMAT, **asdict(self)}

    @property
    def line(self) -> str:
        """One line for the plan's assumptions."""
        return (
            f"prices of {self.platform} are those of {self.region} on {self.read_at[:10]} by {self.source}:"
            f" {self.machines} machines, {self.egress} lists of egress, {self.requests} kinds of requests;"
            f" {self.kept_count} kept the price of the table that comes with Heavylift"
        )


def refreshed_path(folder: Path, platform: str) -> Path:
    """Return where a folder says what was refreshed of a platform."""
    return folder / f"prices-{platform}.json"


def refreshed_in(folder: Path | None) -> tuple[Refreshed, ...]:
    """Return what a folder says of its prices; nothing where it is none of refreshed tables.

    :raises SpecError: one of these files can't be understood.
    """
    found = []
    for path in sorted(folder.glob("prices-*.json")) if folder is not None else ():
        try:
            told = json.loads(path.read_bytes())
            fields = {name: told[name] for name in Refreshed.__dataclass_fields__}
            if told["format"] != _FORMAT:
                raise ValueError("another format")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SpecError(
                f"reading {path}",
                got=type(error).__name__,
                expected="what 'heavylift prices refresh' wrote",
                state="nothing was planned",
                remedy="refresh the prices again, or take the file away",
                code="9422",
            ) from None
        found.append(Refreshed(**fields))
    return tuple(found)
