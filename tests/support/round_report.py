"""What is told of a round of faults: a line of JSON each where HEAVYLIFT_FAULT_REPORT names a file."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol


class Drawn(Protocol):
    """A round as its seed has drawn it."""

    @property
    def seed(self) -> int:
        """What it was drawn from."""


class Running(Protocol):
    """A round under way."""

    figures: dict[str, Any]

    def run(self) -> object:
        """Run it; fails where a claim does not hold."""

    def told(self) -> str:
        """Return what it saw, in lines."""


def keep_round(line: Mapping[str, Any]) -> None:
    """Add a round's line to the report that is asked for."""
    if report := os.environ.get("HEAVYLIFT_FAULT_REPORT"):
        with Path(report).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def run_round(drawn: Drawn, running: Running, note: Callable[[dict[str, Any]], None]) -> None:
    """Run a round, keep its line and note it, whether it holds or not."""
    print(drawn, flush=True)
    began, held = time.monotonic(), False
    try:
        running.run()
        held = True
    except BaseException as error:
        # pytest tells it only when all rounds are over.
        print(f"{type(error).__name__}: {error}", flush=True)
        raise
    finally:
        seconds = round(time.monotonic() - began, 1)
        line = {"seed": drawn.seed, "round": str(drawn), "held": held, "seconds": seconds, **running.figures}
        keep_round(line)
        note(line)
        print(running.told(), flush=True)
    return held
