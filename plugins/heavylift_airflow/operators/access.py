"""Operators of permissions: translate the source's, compare the target's with that; neither applies any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.access_records import AccessRecord, AccessVerification
    from heavylift.evidence.store import EvidenceStore
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 20


class TranslateAccessOperator(HeavyliftOperator):
    """Translates who may do what from the source to the target, never wider; applies nothing.

    Idempotency: each run of the task keeps a translation of its own; the same documents give the same digest.
    On failure: what was kept stays, and is no translation where its record is missing.

    :param names_path: JSON that says which account, identity and resource is whose counterpart. (templated)
    :param documents: files of policies beside those of the source's inventory. (templated)
    :param inventory: read the source's newest inventory.
    :param logs: access logs; permissions that none of them shows are dropped. (templated)
    :param roles_path: predefined roles of the target with their permissions. (templated)
    :param max_excess: excess that one grant may have; it is listed.
    :return: ``{"digest", "identities", "roles", "bindings", "untranslated", "unused", "excess",
        "accepted_excess", "lost", "passed"}``.
    :raises IncompleteError: somebody could do more on the target than on the source.
    :raises SpecError: a document cannot be used.
    """

    template_fields: Sequence[str] = (
        *HeavyliftOperator.template_fields, "names_path", "documents", "logs", "roles_path",
    )  # fmt: skip

    # Airflow finds the arguments of a mapped operator in the operators' own __init__ only.
    def __init__(
        self,
        *,
        spec_path: str,
        phase: str,
        names_path: str,
        documents: Sequence[str] = (),
        inventory: bool = True,
        logs: Sequence[str] = (),
        roles_path: str | None = None,
        max_excess: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(spec_path=spec_path, phase=phase, **kwargs)
        self.names_path = names_path
        self.documents = documents
        self.inventory = inventory
        self.logs = logs
        self.roles_path = roles_path
        self.max_excess = max_excess

    def execute(self, context: Context) -> dict[str, Any]:
        """Translate, keep the evidence, and refuse what would grow."""
        from heavylift.access.keeping import figures, require_no_growth

        frame = self.frame(context)
        record = self.work.run(self._translate(frame), "translation of permissions")
        for gap in record.untranslated[:MAX_NAMED]:
            self.log.warning("%s: %s: %s. To fix: %s", gap.identity, gap.permission, gap.detail, gap.remedy)
        found = figures(record)
        self.log.info("%s", found)
        require_no_growth(record)
        return found

    async def _translate(self, frame: TaskFrame) -> AccessRecord:
        from heavylift.access.api import AccessRequest, translate_access
        from heavylift.access.keeping import keep, note_translation
        from heavylift.access.logs import used_permissions
        from heavylift.access.names import read_names
        from heavylift.access.predefined import read_predefined
        from heavylift.report.access import render_access

        names = read_names(Path(self.names_path), *_places(frame))
        async with self.evidence(frame) as store:
            outcome = translate_access(
                AccessRequest(
                    run=frame.run,
                    names=names,
                    found=await self._found(store, frame),
                    max_excess=self.max_excess,
                    predefined=read_predefined(Path(self.roles_path) if self.roles_path else None),
                    used=used_permissions(names.source, map(Path, self.logs)) if self.logs else None,
                )
            )
            record, ref = await keep(store, outcome, render_access)
            self.evidence_path = ref.path
            await note_translation(store, record, ref, frame.task_actor, _attempt(frame))
        return record

    async def _found(self, store: EvidenceStore, frame: TaskFrame) -> list[tuple[str, Any]]:
        from heavylift.access.inventoried import inventoried
        from heavylift.inventory.requests import inventory_connection

        found = _read(self.documents)
        if self.inventory:
            connection = inventory_connection(frame.spec)
            found = [*await inventoried(store, frame.spec.migration, connection), *found]
        return found


class VerifyAccessOperator(HeavyliftOperator):
    """Compares the target's permissions with the run's newest translation; changes nothing.

    Idempotency: each run of the task keeps a verification of its own.

    :param documents: the target's policies and roles, exported from it. (templated)
    :param connection: the newest inventory of this connection is read, too; empty: none. (templated)
    :return: ``{"digest", "compared", "differences", "passed"}``.
    :raises NotFoundError: the run has no translation.
    :raises IncompleteError: the target differs from it.
    """

    template_fields: Sequence[str] = (*HeavyliftOperator.template_fields, "documents", "connection")

    # Airflow finds the arguments of a mapped operator in the operators' own __init__ only.
    def __init__(
        self,
        *,
        spec_path: str,
        phase: str,
        documents: Sequence[str] = (),
        connection: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(spec_path=spec_path, phase=phase, **kwargs)
        self.documents = documents
        self.connection = connection

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare, and keep the evidence."""
        from heavylift.access.keeping import require_equal

        frame = self.frame(context)
        made = self.work.run(self._verify(frame), "verification of permissions")
        found = {
            "digest": made.digest,
            "compared": made.compared,
            "differences": made.difference_count,
            "passed": made.passed,
        }
        self.log.info("%s", found)
        require_equal(made)
        return found

    async def _verify(self, frame: TaskFrame) -> AccessVerification:
        from heavylift.access.inventoried import inventoried
        from heavylift.access.keeping import keep_verification, latest_translation
        from heavylift.access.verify import verify_access

        async with self.evidence(frame) as store:
            record = await latest_translation(store, frame.run)
            found = _read(self.documents)
            if self.connection:
                found += await inventoried(store, frame.spec.migration, self.connection)
            made = verify_access(record, found, frame.run)
            ref = await keep_verification(store, made, frame.task_actor, _attempt(frame))
            self.evidence_path = ref.path
        return made


def _places(frame: TaskFrame) -> Any:
    from heavylift.access.model import Place

    spec = frame.spec
    return Place(spec.source.platform.value, ""), Place(spec.target.platform.value, "")


def _attempt(frame: TaskFrame) -> dict[str, Any]:
    return {"attempt": frame.attempt, "run_started_by": frame.actor}


def _read(paths: Sequence[str]) -> list[tuple[str, Any]]:
    from heavylift.access.documents import read_documents

    return [(path, read_documents(Path(path))) for path in paths]
