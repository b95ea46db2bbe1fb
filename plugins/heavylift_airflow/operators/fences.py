"""Operators that freeze an application's writes to one side of a database, and open them again."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from heavylift_airflow.operators.tables import DatabaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.fence_records import FenceRecord
    from heavylift_airflow.context import TaskFrame
    from heavylift_airflow.tables_progress import TablesReporter


class _FenceOperator(DatabaseOperator):
    """An act on the fence of one side of a database.

    :param side: ``source`` or ``target``, as the spec names them. (templated)
    :param epoch: of the cutover or rollback; it rises with each. (templated)
    :param within_seconds: how long sessions that are in the way may take to end.
    """

    template_fields: Sequence[str] = (*DatabaseOperator.template_fields, "side", "epoch")

    def __init__(
        self, *, database: str, side: str, epoch: int | str, within_seconds: float = 30.0, **kwargs: Any
    ) -> None:
        super().__init__(database=database, **kwargs)
        self.side = side
        self.epoch = epoch
        self.within_seconds = within_seconds

    def execute(self, context: Context) -> dict[str, Any]:
        """Act, note it in the audit trail, and return the figures."""
        from heavylift.tables.fences.wording import fence_figures, fence_line

        frame = self.moving_frame(context)
        what = f"the fence on the {self.side} of database {self.database!r}"
        record = self.work.run(self._act(frame, self.reporter(context, frame)), what)
        self.log.info("database %r: %s", self.database, fence_line(record))
        return fence_figures(record)

    @abstractmethod
    async def _act(self, frame: TaskFrame, reporter: TablesReporter) -> FenceRecord:
        """Do the act, and note it in the audit trail."""


class FreezeWritesOperator(_FenceOperator):
    """Lets no application write to the moved tables of one side any more.

    When it ends, every transaction that has written before has been committed or given up; Heavylift's own
    streams still write. Idempotency: a second run at the same epoch finds the tables frozen.

    :return: ``{"side", "act", "epoch", "writes", "tables", "already", "seconds", "position"}``.
    :raises ConflictError: a later cutover or rollback has begun (HL-8701).
    :raises TransientError: sessions were in the way for all of the time (HL-8781); nothing is frozen.
    """

    async def _act(self, frame: TaskFrame, reporter: TablesReporter) -> FenceRecord:
        from heavylift.fencing import Side
        from heavylift.tables.api import freeze_writes
        from heavylift.tables.fences.wording import fence_figures

        record, ref = await freeze_writes(
            self.request(frame),
            side=Side(self.side),
            epoch=int(self.epoch),
            within_seconds=self.within_seconds,
            tell=reporter,
        )
        await self.note(frame, "database.writes_frozen", ref, fence_figures(record))
        return record


class UnfreezeWritesOperator(_FenceOperator):
    """Lets applications write to one side again, while the other one is frozen.

    Idempotency: a second run at the same epoch finds the tables open.

    :param whatever_the_other: also while the other side is open, or cannot be asked.
    :return: as of :class:`FreezeWritesOperator`.
    :raises ConflictError: a later cutover or rollback has begun (HL-8701), or the other
        side is open (HL-8783).
    :raises TransientError: sessions were in the way for all of the time (HL-8781).
    """

    def __init__(
        self,
        *,
        database: str,
        side: str,
        epoch: int | str,
        within_seconds: float = 30.0,
        whatever_the_other: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(database=database, side=side, epoch=epoch, within_seconds=within_seconds, **kwargs)
        self.whatever_the_other = whatever_the_other

    async def _act(self, frame: TaskFrame, reporter: TablesReporter) -> FenceRecord:
        from heavylift.fencing import Side
        from heavylift.tables.api import unfreeze_writes
        from heavylift.tables.fences.wording import fence_figures

        record, ref = await unfreeze_writes(
            self.request(frame),
            side=Side(self.side),
            epoch=int(self.epoch),
            within_seconds=self.within_seconds,
            whatever_the_other=self.whatever_the_other,
            tell=reporter,
        )
        await self.note(frame, "database.writes_opened", ref, fence_figures(record))
        return record
