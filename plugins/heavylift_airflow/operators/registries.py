"""Operators that move one registry: preflight, copy, verify. Those that keep it up to date stand beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import IncompleteError, IntegrityError
from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator
from heavylift_airflow.progress import TimedReporter, state_store_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.records import EvidenceRef
    from heavylift.evidence.registry_records import (
        RegistryMoveRecord,
        RegistryPreflightRecord,
        RegistryVerificationRecord,
    )
    from heavylift.registry.requests import RegistryRequest
    from heavylift.registry.work import RegistryProgress
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 5
"""How many differences an error message names; the evidence lists more."""


class RegistryOperator(HeavyliftOperator):
    """An operator that acts on one registry of the spec.

    :param registry: the registry's name in the spec. (templated)
    """

    template_fields: Sequence[str] = (*HeavyliftOperator.template_fields, "registry")

    def __init__(self, *, registry: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.registry = registry

    def request(self, frame: TaskFrame, *, live: bool = False) -> RegistryRequest:
        """Return the library's request for this registry in this run."""
        from heavylift.registry.requests import registry_request

        name = self.name_in(frame)
        return registry_request(
            frame.spec, name, frame.run, look_up, dry_run=frame.options.dry_run, live=live
        )

    def name_in(self, frame: TaskFrame) -> str:
        """Return the registry's name in this run: that of its way back where it goes back."""
        from heavylift.spec.registry_phase import BACK

        back = self.registry + BACK
        return back if back in {each.name for each in frame.spec.registries} else self.registry

    def reporter(self, context: Context, frame: TaskFrame) -> RegistryReporter:
        """Return what takes the progress of this task's work."""
        tags = {"migration": frame.spec.migration, "registry": self.registry}
        return RegistryReporter(self.log, tags, store=state_store_of(context, self.log))

    async def note(self, frame: TaskFrame, action: str, ref: EvidenceRef, details: dict[str, Any]) -> None:
        """Note in the audit trail what this task did, and link to its evidence."""
        from heavylift_airflow.trail import note

        self.evidence_path = ref.path
        async with self.evidence(frame) as store:
            subject = self.name_in(frame)
            await note(store, frame, action, subject=subject, evidence=(ref,), details=details)

    def tell_move(self, record: RegistryMoveRecord) -> dict[str, Any]:
        """Log what a copy or sync did, and return its figures.

        :raises IncompleteError: something was not moved; the first are named, the evidence has more.
        """
        from heavylift.registry.wording import move_figures, move_line, move_remarks

        self.log.info("registry %r: %s", self.registry, move_line(record))
        for line in move_remarks(record):
            self.log.warning("registry %r: %s", self.registry, line)
        if record.failure_count:
            raise _not_all_moved(record, self.evidence_path or "")
        return move_figures(record)


class PreflightRegistryOperator(RegistryOperator):
    """Chooses the way a registry moves, looks for what stands in it, and changes neither side.

    It also runs in a dry run. Idempotency: each run of the task writes a preflight of its own.

    :return: ``{"passed", "path", "copied", "tables", "rows_estimated", "size_bytes", "losses", "blockers",
        "warnings"}``.
    :raises ConflictError: something stands in the way, such as losses that nobody has accepted; each is
        named with its remedy.
    :raises UnsupportedError: no way is open.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Look, note it in the audit trail, and fail where something stands in the way."""
        from heavylift.registry.store.preflight import refuse
        from heavylift.registry.wording import preflight_figures, preflight_line

        frame = self.frame(context)
        record = self.work.run(self._look(frame), f"preflight of registry {self.registry!r}")
        self.log.info("registry %r: %s", self.registry, preflight_line(record))
        for finding in record.findings:
            self.log.warning("%s: %s: %s. To fix: %s", finding.severity.value, finding.subject,
                             finding.detail, finding.remedy)  # fmt: skip
        refuse(record)
        return preflight_figures(record)

    async def _look(self, frame: TaskFrame) -> RegistryPreflightRecord:
        from heavylift.registry.api import preflight_registry
        from heavylift.registry.wording import preflight_figures

        record, ref = await preflight_registry(self.request(frame))
        await self.note(frame, "registry.checked", ref, preflight_figures(record))
        return record


class CopyRegistryOperator(RegistryOperator):
    """Copies a whole registry; at store level as of one moment. Skipped where a complete copy is there.

    Idempotency: the target's database notes each table that has arrived, so a retry after a crash copies
    only the rest and brings the others to its own moment. Stopping it ends it between two statements;
    no unfinished table is ever visible. Through the interface each thing tells where it came from, and a
    retry makes none twice.

    :return: ``{"path", "rows", "inserted", "updated", "deleted", "kept", "written", "tables", "leftovers",
        "losses", "source_moment"}``.
    :raises ConflictError: something stands in the way; nothing was touched.
    :raises IncompleteError: through the interface: things that were refused; all else has arrived.
    :raises TransientError: it was cut short, or another run is at work; a retry goes on with the rest.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Copy, and note it in the audit trail."""
        frame = self.moving_frame(context)
        record = self.work.run(
            self._copy(frame, self.reporter(context, frame)), f"copy of registry {self.registry!r}"
        )
        if record is None:
            raise AirflowSkipException("a complete copy is there: the sync goes on from it")
        return self.tell_move(record)

    async def _copy(self, frame: TaskFrame, reporter: RegistryReporter) -> RegistryMoveRecord | None:
        from heavylift.registry.api import copy_registry, is_copied
        from heavylift.registry.wording import move_figures

        request = self.request(frame)
        if await is_copied(request):
            return None
        record, ref = await copy_registry(request, reporter)
        await self.note(frame, "registry.copied", ref, move_figures(record))
        return record


class VerifyRegistryOperator(RegistryOperator):
    """Compares both servers field by field through their public interface, and both databases by digests.

    While teams write to the source it first brings the target up to date; what then differs is brought
    up to date and read once more, and what the source shows changed between the readings is told apart.
    Idempotency: each run of the task writes a verification of its own.

    :param frozen: nobody writes to the source any more, as at a cutover: nothing is synced or excused.
    :return: ``{"passed", "differences", "equal", "different", "missing", "extra", "newer", "kept", "tables",
        "tables_unequal", "unread"}``.
    :raises IntegrityError: the sides differ; the first things are named, the evidence has more.
    :raises TransientError: a server could not be read, so that nothing was concluded.
    """

    def __init__(self, *, registry: str, frozen: bool = False, **kwargs: Any) -> None:
        super().__init__(registry=registry, **kwargs)
        self.frozen = frozen

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare, note it in the audit trail, and fail where the sides differ."""
        from heavylift.registry.wording import verification_figures

        frame = self.moving_frame(context)
        record = self.work.run(
            self._verify(frame, self.reporter(context, frame)), f"verification of registry {self.registry!r}"
        )
        figures = verification_figures(record)
        context["ti"].xcom_push(key="verification", value=figures)
        if not record.passed:
            raise _differs(record, self.evidence_path or "")
        self.log.info("registry %r: %s", self.registry, record.statement)
        return figures

    async def _verify(self, frame: TaskFrame, reporter: RegistryReporter) -> RegistryVerificationRecord:
        from heavylift.mirror import api as mirror
        from heavylift.mirror.followed import is_followed
        from heavylift.registry.api import verify_registry
        from heavylift.registry.wording import verification_figures

        request = self.request(frame, live=not self.frozen)
        followed = await is_followed(request)
        record, ref = await (mirror.verify_following if followed else verify_registry)(request, reporter)
        await self.note(frame, "registry.verified", ref, verification_figures(record))
        return record


class RegistryReporter(TimedReporter):
    """Tells how far a registry is: metrics ``heavylift.registry.*``."""

    prefix = "heavylift.registry"
    gauges = ("tables_done", "rows", "size_bytes")

    def line(self, progress: RegistryProgress) -> str:
        """Return one line about how far the work is."""
        from heavylift.registry.wording import progress_line

        return progress_line(progress)


def _not_all_moved(record: RegistryMoveRecord, path: str) -> IncompleteError:
    from heavylift.evidence.wording import counted

    named = "; ".join(
        f"{each.what} {each.id}: {each.reason}" + (f" [{each.code}]" if each.code else "")
        for each in record.failures[:MAX_NAMED]
    )
    return IncompleteError(
        f"{record.act} of registry {record.registry!r}",
        got=f"{counted(record.failure_count, 'thing')} that did not arrive as they are: {named}",
        expected="everything, or a loss that is listed and accepted",
        state=f"all else has arrived; up to 1,000 are named in {path}",
        remedy="mend what each names, on the side that it names, then clear this task: it goes on with these",
        code="9610",
    )


def _differs(record: RegistryVerificationRecord, path: str) -> IntegrityError:
    named = ", ".join(f"{each.kind} {each.what} {each.id}" for each in record.differences[:MAX_NAMED])
    return IntegrityError(
        f"verification of registry {record.registry!r}",
        got=record.statement + (f" ({named})" if named else ""),
        expected="equal things on both servers",
        state=f"nothing was changed by comparing; up to 1,000 differences are named in {path}",
        remedy="find out who else writes to the target's server, and stop that; then clear this registry's"
        " sync_registry with Downstream",
        code="8220",
    )
