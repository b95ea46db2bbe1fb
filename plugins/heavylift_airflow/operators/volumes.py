"""The operator that moves what volumes hold, by Jobs on both clusters; it waits without a worker."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from heavylift.errors import IncompleteError
from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator
from heavylift_airflow.operators.parts import no_section, skip_where_destroyed
from heavylift_airflow.triggers.jobs import JobsTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.part_records import PartRecord
    from heavylift.manifests.volume_moving import Moved, VolumesRequest
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 20


class MoveVolumesOperator(HeavyliftOperator):
    """Copies what the claims of the manifests hold: a Job to the bucket, then one into the target's claim.

    Where the spec says ``apply: true`` the Jobs are created and watched in the triggerer; each copy is proved
    by the evidence that it keeps in the bucket. Otherwise, and in a dry run, they are written alone.

    Idempotency: Jobs have the same name and content in every run; one that is there is looked at and not made
    again. Killing the task stops no Job: the next try finds it.

    :return: ``{"digest", "unchanged", "files", "claims", "copied", "restored", "objects", "untranslated",
        "open_untranslated", "invalid"}``.
    :raises IncompleteError: a copy failed or is not proved; the first are named.
    :raises CredentialError: a cluster or the bucket refuses the connection.
    :raises PreconditionError: a Job of such a name has another content.
    """

    def execute(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make what is due, wait for what runs, and keep how it ended."""
        frame = self.frame(context)
        skip_where_destroyed(frame)
        request = self._request(frame)
        moved = self.work.run(self._moved(request, applies=self._applies(frame)), "moving volumes")
        if moved.running:
            self.log.info("waiting in the triggerer for %s Jobs: %s",
                          len(moved.running), ", ".join(moved.running[:MAX_NAMED]))  # fmt: skip
            section = request.section
            self.defer(
                trigger=JobsTrigger(self._conn_ids(request), moved.running, float(section.poll)),
                method_name="execute",
                kwargs={},
                timeout=timedelta(seconds=section.timeout),
            )
        record = self.work.run(self._kept(frame, moved), "keeping what was moved")
        for problem in record.problems[:MAX_NAMED]:
            self.log.error("%s: %s", problem.file, problem.problem)
        if record.invalid:
            raise _not_moved(record)
        done = "moved" if record.loader else "written to the evidence, not applied"
        self.log.info("volumes: %s: %s", done, record.figures)
        return dict(record.figures)

    def _applies(self, frame: TaskFrame) -> bool:
        manifests = frame.spec.manifests
        return bool(manifests and manifests.volumes and manifests.volumes.apply) and not frame.options.dry_run

    async def _moved(self, request: VolumesRequest, *, applies: bool) -> Moved:
        from heavylift.manifests.volume_moving import move_volumes, written_volumes

        return await move_volumes(request) if applies else written_volumes(request)

    async def _kept(self, frame: TaskFrame, moved: Moved) -> PartRecord:
        from heavylift.evidence.part_evidence import keep_part, note_part

        async with self.evidence(frame) as store:
            kept = await keep_part(store, frame.run, moved.made)
            self.evidence_path = kept.ref.path
            attempt = {"attempt": frame.attempt, "run_started_by": frame.actor}
            await note_part(store, kept, frame.task_actor, attempt)
        return kept.record

    def _request(self, frame: TaskFrame) -> VolumesRequest:
        from heavylift.manifests.volume_moving import VolumesRequest

        manifests = frame.spec.manifests
        if manifests is None or manifests.volumes is None:
            raise no_section(frame, "manifests.volumes")
        return VolumesRequest(self.spec_path, frame.spec.migration, manifests, manifests.volumes, look_up)

    def _conn_ids(self, request: VolumesRequest) -> dict[str, str]:
        section = request.section
        return {"source": section.source_connection or "", "target": section.target_connection or ""}


def _not_moved(record: PartRecord) -> IncompleteError:
    named = "; ".join(f"{each.file}: {each.problem}" for each in record.problems[:3])
    return IncompleteError(
        f"moving what {record.counts['claims']} claims hold",
        got=f"{record.invalid} copies failed or not proved: {named}",
        expected="each claim in the bucket and on the target, proved",
        state=f"{record.counts['copied']} are in the bucket, {record.counts['restored']} on the target;"
        " the source's volumes were read alone",
        remedy="mend what each Job says, delete a Job that failed (kubectl delete job), and clear this task",
        code="9374",
    )
