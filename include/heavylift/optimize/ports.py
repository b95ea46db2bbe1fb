"""What trials need of a server: to be started with a setting, asked at a rate, and ended."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from heavylift.evidence.optimize_records import TrialStep
from heavylift.optimize.spaces import Setting


class ServedTrial(Protocol):
    """A server that runs with one setting, warm."""

    async def step(self, rate: float, seed: int) -> TrialStep:
        """Ask at so many requests a second and tell whether the objective held."""
        ...


class TrialRunner(Protocol):
    """Starts servers for trials."""

    def served(self, setting: Setting, rate: float, seed: int) -> AbstractAsyncContextManager[ServedTrial]:
        """Start a server with a setting, wait until it serves, warm it up; end it at the block's end.

        :param rate: about which it is going to be asked first; the warm-up stays below.
        :raises UnservedError: it does not come up; the setting is then no candidate.
        """
        ...


class UnservedError(Exception):
    """A server could not be started with a setting; the text tells why."""
