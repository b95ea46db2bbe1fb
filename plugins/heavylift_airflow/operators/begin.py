"""The first task of every run: nobody else at work, and a note that it began."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.skipmixin import SkipMixin

from heavylift.errors import TransientError
from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift_airflow.context import TaskFrame


class BeginRunOperator(HeavyliftOperator, SkipMixin):
    """Notes the start of a run, unless the migration's other data phase is running.

    Transfer and sync must not move the same datasets at once. A sync gives way: its run ends
    with all tasks skipped and the next one finds what is left. A transfer waits, by retrying.

    Idempotency: a second run notes one more start and changes nothing else.

    :param rival_dag_id: the DAG that must not run at the same time; None where there is none.
    :param gives_way: whether to skip the run, rather than to wait, while the rival runs.
    :raises TransientError: the rival runs; nothing has been moved.
    """

    def __init__(self, *, rival_dag_id: str | None = None, gives_way: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rival_dag_id = rival_dag_id
        self.gives_way = gives_way

    def execute(self, context: Context) -> dict[str, str]:
        """Look for the rival, then note the start."""
        frame = self.frame(context)
        rival = self.rival_dag_id
        if rival is not None and context["ti"].get_dr_count(dag_id=rival, states=["running"]):
            self._meet_rival(context)
        self.work.run(self._note(frame), f"start of run {frame.run.run}")
        return {"started_by": frame.actor}

    def _meet_rival(self, context: Context) -> None:
        if self.gives_way:
            self.log.warning("%s is running: this run does nothing, the next one will", self.rival_dag_id)
            self.skip(ti=context["ti"], tasks=context["task"].get_flat_relatives(upstream=False))
            return
        raise TransientError(
            f"start of {context['ti'].dag_id}",
            got=f"a running {self.rival_dag_id}",
            expected="no other run that moves the same datasets",
            state="nothing was moved by this run",
            remedy=f"let {self.rival_dag_id} finish, or end its run in the UI; then clear this task",
            code="8012",
        )

    async def _note(self, frame: TaskFrame) -> None:
        from heavylift_airflow.trail import note

        options = frame.options
        async with self.evidence(frame) as store:
            await note(
                store,
                frame,
                "run.started",
                actor=frame.actor,
                details={
                    "dry_run": options.dry_run,
                    "bandwidth_bytes_per_second": options.bandwidth_bytes_per_second,
                    "shard_objects": options.shard_objects,
                    "allow_many_deletes": options.allow_many_deletes,
                    "copy_anew": options.copy_anew,
                    "destroy": options.destroy,
                    "rehearse": options.rehearse,
                    **({"bring_back": list(options.bring_back)} if options.bring_back else {}),
                },
            )
