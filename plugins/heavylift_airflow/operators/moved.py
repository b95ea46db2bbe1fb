"""What the operators of secrets and of images have in common: each thing proved, or named with its reason."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 20


@dataclass(frozen=True)
class Moving:
    """The library's part in moving one kind of things.

    :param request: makes the request of a task.
    :param begin: notes in the audit trail that something is about to be written; ``keep`` keeps the record.
    :param require: raises where a thing is not proved.
    """

    request: Callable[[TaskFrame], Any]
    begin: Callable[..., Awaitable[None]]
    keep: Callable[..., Awaitable[Any]]
    require: Callable[[Any], None]


class MovedOperator(HeavyliftOperator):
    """An operator whose act gives a record of rows, each with an outcome."""

    writes = True

    @abstractmethod
    def moving(self) -> Moving:
        """Return what the library does for this kind of things."""

    def _carried(self, frame: TaskFrame, act: Callable[[Any], Awaitable[Any]], title: str) -> dict[str, Any]:
        """Act, keep the record, name what has a reason, and fail where something is not proved."""
        moving = self.moving()
        record = self.work.run(self._kept(frame, moving, act), title)
        for each in [each for each in record.rows if each.reason][:MAX_NAMED]:
            self.log.warning("%s: %s: %s. To fix: %s", each.source, each.outcome, each.reason, each.remedy)
        found = {**record.counts, "digest": record.digest}
        self.log.info("%s", found)
        moving.require(record)
        return found

    async def _kept(self, frame: TaskFrame, moving: Moving, act: Callable[[Any], Awaitable[Any]]) -> Any:
        async with self.evidence(frame) as store:
            attempt = {"attempt": frame.attempt, "run_started_by": frame.actor}
            if self.writes:
                await moving.begin(store, frame.run, frame.task_actor, attempt)
            record = await act(moving.request(frame))
            ref = await moving.keep(store, record, frame.task_actor, attempt)
            self.evidence_path = ref.path
        return record
