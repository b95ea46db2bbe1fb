"""Operators that translate pipelines and manifests: files for people to apply, and nothing applied."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import SpecError
from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    import threading

    from airflow.sdk import Context

    from heavylift.evidence.part_evidence import Made
    from heavylift.evidence.part_records import PartRecord
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 20


class TranslateOperator(HeavyliftOperator):
    """What the operators have in common that translate a section of the spec; not one of them by itself.

    Idempotency: each run of the task keeps a record of its own; the same files beside the spec give the same
    digest, which the record calls unchanged. Killed before its record, it has left files that none names.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Translate, keep the files as evidence, and tell what did not come along."""
        frame = self.frame(context)
        skip_where_destroyed(frame)
        record = self.work.run(self._kept(frame), "translation")
        self._tell(record)
        return dict(record.figures)

    @abstractmethod
    def make(self, frame: TaskFrame, stop: threading.Event) -> Made:
        """Return the translation; writes nothing."""

    async def _kept(self, frame: TaskFrame) -> PartRecord:
        from heavylift.aio import in_thread
        from heavylift.evidence.part_evidence import keep_part, note_part

        made = await in_thread(lambda stop, _tell: self.make(frame, stop), _silent)
        async with self.evidence(frame) as store:
            kept = await keep_part(store, frame.run, made)
            self.evidence_path = kept.ref.path
            attempt = {"attempt": frame.attempt, "run_started_by": frame.actor}
            await note_part(store, kept, frame.task_actor, attempt)
        return kept.record

    def _tell(self, record: PartRecord) -> None:
        for each in record.gaps[:MAX_NAMED]:
            told = f"accepted: {each.accepted}" if each.accepted else f"To fix: {each.remedy}"
            self.log.warning("%s: %s. %s", each.subject, each.what, told)
        for problem in record.problems[:MAX_NAMED]:
            self.log.warning("%s: %s", problem.file, problem.problem)
        for subject in record.unused:
            self.log.warning("nothing is called %s any more: take it out of accept_untranslated", subject)
        self.log.info("%s: written to the evidence, not applied: %s", record.part, record.figures)


class TranslatePipelinesOperator(TranslateOperator):
    """Translates the training pipelines of the spec, and has the target's own loader read each.

    Nothing is created on the target: the definitions lie in the evidence, for whoever does.

    Idempotency: the same definitions give the same digest; a second run adds one more record.

    :return: ``{"digest", "unchanged", "files", "definitions", "steps", "kept", "with_loss", "stubs",
        "untranslated", "open_untranslated", "invalid"}``.
    :raises NotFoundError: a definition is missing.
    :raises SpecError: one cannot be read, lies outside of the spec's folder, or is of another kind.
    """

    def make(self, frame: TaskFrame, stop: threading.Event) -> Made:
        """Translate the section ``pipelines``."""
        from heavylift.pipelines.part import PipelinesRequest, make_pipelines

        if not frame.spec.pipelines:
            raise no_section(frame, "pipelines")
        return make_pipelines(PipelinesRequest(self.spec_path, frame.spec.pipelines), stop)


class TranslateManifestsOperator(TranslateOperator):
    """Rewrites the Kubernetes manifests of the spec, and holds them against the target's schemas.

    Nothing is applied to a cluster: the manifests lie in the evidence, for whoever does.

    Idempotency: the same manifests give the same digest; a second run adds one more record.

    :return: ``{"digest", "unchanged", "files", "documents", "changed", "changes", "requirements",
        "untranslated", "open_untranslated", "invalid"}``.
    :raises NotFoundError: there are none.
    :raises SpecError: none can be read, or one lies outside of the spec's folder.
    """

    def make(self, frame: TaskFrame, stop: threading.Event) -> Made:
        """Rewrite the section ``manifests``."""
        from heavylift.manifests.part import ManifestsRequest, make_manifests

        if frame.spec.manifests is None:
            raise no_section(frame, "manifests")
        return make_manifests(ManifestsRequest(self.spec_path, frame.spec.manifests))


def skip_where_destroyed(frame: TaskFrame) -> None:
    """Do nothing in a run that makes.

    :raises AirflowSkipException: this one destroys.
    """
    if frame.options.destroy:
        raise AirflowSkipException("a run that destroys translates nothing, and takes nothing away")


def no_section(frame: TaskFrame, name: str) -> SpecError:
    """Return the error of a spec that lost a section since its DAG was built."""
    return SpecError(
        f"translating the {name} of {frame.spec.migration}",
        got=f"no section {name} in the spec",
        expected="one: the DAG was built for it",
        state="nothing was translated",
        remedy="put the section back, or start a new run once the DAG is built without it",
        code="9117",
    )


def _silent(_progress: None) -> None:
    """Take no notice of progress: a translation takes seconds."""
