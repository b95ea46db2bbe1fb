"""Operators that move one feature store: preflight, copy, verify."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from heavylift.errors import IncompleteError, IntegrityError
from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator
from heavylift_airflow.operators.registries import MAX_NAMED, RegistryReporter
from heavylift_airflow.progress import state_store_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.feature_records import FeatureVerificationRecord
    from heavylift.evidence.records import EvidenceRef
    from heavylift.evidence.registry_records import RegistryMoveRecord, RegistryPreflightRecord
    from heavylift.registry.features.requests import FeatureRequest
    from heavylift_airflow.context import TaskFrame


class FeatureStoreOperator(HeavyliftOperator):
    """An operator that acts on one feature store of the spec.

    :param store: the feature store's name in the spec. (templated)
    """

    template_fields: Sequence[str] = (*HeavyliftOperator.template_fields, "store")

    def __init__(self, *, store: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.store = store

    def request(self, frame: TaskFrame) -> FeatureRequest:
        """Return the library's request for this feature store in this run."""
        from heavylift.registry.features.requests import feature_request

        return feature_request(frame.spec, self.store, frame.run, look_up, dry_run=frame.options.dry_run)

    def reporter(self, context: Context, frame: TaskFrame) -> RegistryReporter:
        """Return what takes the progress of this task's work."""
        tags = {"migration": frame.spec.migration, "registry": self.store}
        return RegistryReporter(self.log, tags, store=state_store_of(context, self.log))

    async def note(self, frame: TaskFrame, action: str, ref: EvidenceRef, details: dict[str, Any]) -> None:
        """Note in the audit trail what this task did, and link to its evidence."""
        from heavylift_airflow.trail import note

        self.evidence_path = ref.path
        async with self.evidence(frame) as store:
            await note(store, frame, action, subject=self.store, evidence=(ref,), details=details)


class PreflightFeatureStoreOperator(FeatureStoreOperator):
    """Reads both feature stores, lists what is lost and what stands in the way, and changes neither.

    It also runs in a dry run. Idempotency: each run of the task writes a preflight of its own.

    :return: ``{"passed", "copied", "blockers", "warnings", …}``.
    :raises ConflictError: something stands in the way; each is named with its remedy.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Look, note it in the audit trail, and fail where something stands in the way."""
        from heavylift.registry.store.preflight import refuse
        from heavylift.registry.wording import preflight_figures

        frame = self.frame(context)
        record = self.work.run(self._look(frame), f"preflight of feature store {self.store!r}")
        for loss in record.losses:
            self.log.warning("feature store %r: lost: %s %s of %s: %s", self.store, loss.count, loss.item,
                             loss.what, loss.reason)  # fmt: skip
        refuse(record)
        return preflight_figures(record)

    async def _look(self, frame: TaskFrame) -> RegistryPreflightRecord:
        from heavylift.registry.features.api import preflight_features
        from heavylift.registry.wording import preflight_figures

        record, ref = await preflight_features(self.request(frame))
        await self.note(frame, "features.checked", ref, preflight_figures(record))
        return record


class CopyFeatureStoreOperator(FeatureStoreOperator):
    """Copies definitions, histories and what is served, or brings a copy up to date.

    Idempotency: views bear marks of what was written, and one that was begun is gone on with; where
    definition and files of the history are as they were, nothing is written.

    :return: as of :class:`CopyRegistryOperator`.
    :raises ConflictError: something stands in the way; nothing was touched.
    :raises IncompleteError: the target refused some views; the others were moved, and the evidence tells why.
    :raises TransientError: it was cut short; a retry goes on with the rest.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Copy, and note it in the audit trail."""
        from heavylift.registry.wording import move_figures, move_line

        frame = self.moving_frame(context)
        record = self.work.run(
            self._copy(frame, self.reporter(context, frame)), f"copy of feature store {self.store!r}"
        )
        self.log.info("feature store %r: %s", self.store, move_line(record))
        if not record.passed:
            raise _not_whole(record)
        return move_figures(record)

    async def _copy(self, frame: TaskFrame, reporter: RegistryReporter) -> RegistryMoveRecord:
        from heavylift.registry.features.api import copy_features
        from heavylift.registry.wording import move_figures

        record, ref = await copy_features(self.request(frame), reporter)
        await self.note(frame, "features.copied", ref, move_figures(record))
        return record


class VerifyFeatureStoreOperator(FeatureStoreOperator):
    """Reads both sides afresh: definitions, whole histories, sampled keys online, and joins by time.

    Idempotency: it changes nothing; each run of the task writes a verification of its own.

    :return: ``{"passed", "differences", "views"}``.
    :raises IntegrityError: the sides differ; the first things are named, the evidence has more.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare, note it in the audit trail, and fail where the sides differ."""
        frame = self.moving_frame(context)
        verifying = self._verify(frame, self.reporter(context, frame))
        record = self.work.run(verifying, f"verification of feature store {self.store!r}")
        figures = _figures(record)
        context["ti"].xcom_push(key="verification", value=figures)
        if not record.passed:
            raise _differs(record, self.evidence_path or "")
        self.log.info("feature store %r: %s", self.store, record.statement)
        return figures

    async def _verify(self, frame: TaskFrame, reporter: RegistryReporter) -> FeatureVerificationRecord:
        from heavylift.registry.features.api import verify_features

        record, ref = await verify_features(self.request(frame), reporter)
        await self.note(frame, "features.verified", ref, _figures(record))
        return record


def _figures(record: FeatureVerificationRecord) -> dict[str, Any]:
    return {
        "passed": record.passed,
        "differences": record.difference_count,
        "views": len(record.histories),
    }


def _not_whole(record: RegistryMoveRecord) -> IncompleteError:
    named = "; ".join(f"{each.id}: {each.reason}" for each in record.failures[:MAX_NAMED])
    return IncompleteError(
        f"copy of feature store {record.registry!r}",
        got=f"{record.failure_count} views that were not moved ({named})",
        expected="all of them",
        state="the others were moved; a view that was begun is marked, and gone on with",
        remedy="mend what is named, and clear this task with Downstream",
        code="7720",
    )


def _differs(record: FeatureVerificationRecord, path: str) -> IntegrityError:
    named = ", ".join(f"{each.kind} {each.what} {each.id}" for each in record.differences[:MAX_NAMED])
    return IntegrityError(
        f"verification of feature store {record.store!r}",
        got=record.statement + (f" ({named})" if named else ""),
        expected="equal definitions, histories, served rows and joins",
        state=f"nothing was changed by comparing; up to 1,000 differences are named in {path}",
        remedy="find out who else writes to either side, and stop that; clear copy_features with Downstream",
        code="7721",
    )
