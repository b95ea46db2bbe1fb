"""What a switch has done so far, step by step, with the time that each took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from heavylift.errors import HeavyliftError
from heavylift.evidence.switch_records import DatabaseProof, SwitchStep

Tell = Callable[[str], None]


@dataclass
class Journal:
    """One attempt's steps; whoever watches is told each as it ends.

    :param clock: seconds, rising; a test's own where it must not wait.
    """

    tell: Tell
    clock: Callable[[], float] = time.monotonic
    steps: list[SwitchStep] = field(default_factory=list)
    proofs: dict[str, DatabaseProof] = field(default_factory=dict)
    frozen_at: float | None = None
    opened_at: float | None = None
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    @contextmanager
    def step(self, step: str, subject: str = "") -> Iterator[None]:
        """Note what happens inside, and how it ended."""
        at = self.clock()
        try:
            yield
        except BaseException as error:
            self._note(step, subject, at, done=False, detail=_brief(error))
            raise
        self._note(step, subject, at, done=True)

    def freezing(self) -> None:
        """Note that from now on somebody may be kept from writing."""
        if self.frozen_at is None:
            self.frozen_at = self.clock()

    def opened(self) -> None:
        """Note that everybody may write again."""
        self.opened_at = self.clock()

    @property
    def paused_seconds(self) -> float:
        """For how long writes were kept back, until now or until they were let go on."""
        if self.frozen_at is None:
            return 0.0
        return (self.opened_at if self.opened_at is not None else self.clock()) - self.frozen_at

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return self.clock() - self.began

    def _note(self, step: str, subject: str, at: float, *, done: bool, detail: str = "") -> None:
        self.steps.append(
            SwitchStep(
                step=step,
                subject=subject,
                began_seconds=round(at - self.began, 4),
                seconds=round(self.clock() - at, 4),
                done=done,
                detail=detail,
            )
        )
        named = f"{step} {subject}".strip()
        self.tell(f"{named}: {self.clock() - at:.2f} s" if done else f"{named}: did not succeed: {detail}")


def _brief(error: BaseException) -> str:
    return str(error) if isinstance(error, HeavyliftError) else type(error).__name__
