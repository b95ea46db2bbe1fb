"""Operators of permissions: translate the source's, compare the target's with that; neither applies any."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator
from heavylift_airflow.operators.parts import no_section, skip_where_destroyed

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.access.api import AccessRequest
    from heavylift.access.matrix import Row
    from heavylift.evidence.access_records import AccessRecord, AccessVerification
    from heavylift.evidence.part_records import PartRecord
    from heavylift.evidence.store import EvidenceStore
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 20


class TranslateAccessOperator(HeavyliftOperator):
    """Translates who may do what from the source to the target, never wider; applies nothing.

    What is asked for stands in the spec's section ``access``, unless ``names_path`` is given.
    The target's own documents lie in the evidence as files, for whoever applies them.

    Idempotency: each run of the task keeps a translation of its own; the same documents give the same digest.
    On failure: what was kept stays, and is no translation where its record is missing.

    :param names_path: JSON that says which account, identity and resource is whose counterpart. (templated)
    :param documents: files of policies beside those of the source's inventory. (templated)
    :param inventory: read the source's newest inventory.
    :param logs: access logs; permissions that none of them shows are dropped. (templated)
    :param roles_path: predefined roles of the target with their permissions. (templated)
    :param max_excess: excess that one grant may have; it is listed.
    :return: ``{"digest", "identities", "roles", "bindings", "untranslated", "unused", "excess",
        "accepted_excess", "lost", "passed", "unchanged", "files", "open_untranslated"}``.
    :raises IncompleteError: somebody could do more on the target than on the source.
    :raises NotFoundError: a file is missing.
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
        names_path: str | None = None,
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
        skip_where_destroyed(frame)
        record, part = self.work.run(self._translate(frame), "translation of permissions")
        for gap in part.gaps[:MAX_NAMED]:
            told = f"accepted: {gap.accepted}" if gap.accepted else f"To fix: {gap.remedy}"
            self.log.warning("%s: %s. %s", gap.subject, gap.what, told)
        for subject in part.unused:
            self.log.warning("nothing is called %s any more: take it out of accept_untranslated", subject)
        handed = {name: part.figures[name] for name in ("unchanged", "files", "open_untranslated")}
        found = {**figures(record), **handed}
        self.log.info("access: written to the evidence, not applied: %s", found)
        require_no_growth(record)
        return found

    async def _translate(self, frame: TaskFrame) -> tuple[AccessRecord, PartRecord]:
        from heavylift.access.api import translate_access
        from heavylift.access.keeping import keep, note_translation
        from heavylift.access.part import made_of
        from heavylift.evidence.part_evidence import keep_part
        from heavylift.report.access import render_access

        async with self.evidence(frame) as store:
            outcome = translate_access(await self._request(store, frame))
            record, ref = await keep(store, outcome, render_access)
            section = None if self.names_path else frame.spec.access
            part = await keep_part(store, frame.run, made_of(record, section), ref)
            self.evidence_path = part.ref.path
            attempt = {**_attempt(frame), "files": len(part.record.files)}
            await note_translation(store, record, ref, frame.task_actor, attempt)
        return record, part.record

    async def _request(self, store: EvidenceStore, frame: TaskFrame) -> AccessRequest:
        if self.names_path is None:
            return await _asked_by_spec(store, frame, self.spec_path)
        from heavylift.access.api import AccessRequest
        from heavylift.access.logs import used_permissions
        from heavylift.access.names import read_names
        from heavylift.access.predefined import read_predefined

        names = read_names(Path(self.names_path), *_places(frame))
        found = _read(self.documents)
        return AccessRequest(
            run=frame.run,
            names=names,
            found=[*await _inventoried(store, frame), *found] if self.inventory else found,
            max_excess=self.max_excess,
            predefined=read_predefined(Path(self.roles_path) if self.roles_path else None),
            used=used_permissions(names.source, map(Path, self.logs)) if self.logs else None,
        )


class VerifyAccessOperator(HeavyliftOperator):
    """Compares the target's permissions with the run's newest translation; changes nothing.

    What is compared stands in the spec's section ``access``, unless the arguments say it. By the spec, the
    target's own documents are also asked all that the translation's matrix asked, which finds denials; the
    matrix of the source before and the target after is kept.

    Idempotency: each run of the task keeps a verification of its own.

    :param documents: the target's policies and roles, exported from it. (templated)
    :param connection: the newest inventory of this connection is read, too; empty: none. (templated)
    :return: ``{"digest", "compared", "differences", "passed"}``.
    :raises NotFoundError: the run has no translation, or nobody has exported the target's documents.
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

        # In a dry run nobody has applied anything that could be compared.
        frame = self.moving_frame(context)
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
        from heavylift.access.asking import compare_on_target
        from heavylift.access.keeping import keep_verification, latest_translation
        from heavylift.access.verify import verify_access

        async with self.evidence(frame) as store:
            record = await latest_translation(store, frame.run)
            found = await self._found(store, frame)
            rows: Sequence[Row] = ()
            if self._by_spec(frame):
                request = await _asked_by_spec(store, frame, self.spec_path)
                asked = compare_on_target(record, request, found)
                made, rows = asked.record, asked.rows
            else:
                made = verify_access(record, found, frame.run)
            ref = await keep_verification(store, made, frame.task_actor, _attempt(frame), rows)
            self.evidence_path = ref.path
        return made

    def _by_spec(self, frame: TaskFrame) -> bool:
        return not (self.documents or self.connection) and frame.spec.access is not None

    async def _found(self, store: EvidenceStore, frame: TaskFrame) -> list[tuple[str, Any]]:
        from heavylift.access.inventoried import inventoried
        from heavylift.access.part import read_beside

        section, connection = frame.spec.access, self.connection
        if section is None or not self._by_spec(frame):
            found = _read(self.documents)
        else:
            found = read_beside(self.spec_path, section.target_documents)
            connection = frame.spec.target.connection if section.target_inventory else ""
        if connection:
            found += await inventoried(store, frame.spec.migration, connection)
        return found


async def _asked_by_spec(store: EvidenceStore, frame: TaskFrame, spec_path: str) -> AccessRequest:
    from heavylift.access.part import fetch_logs, section_request

    section = frame.spec.access
    if section is None:
        raise no_section(frame, "access")
    found = await _inventoried(store, frame) if section.reads_inventory else []
    with tempfile.TemporaryDirectory(prefix="heavylift-access-") as scratch:
        logs: list[Path] = []
        if section.access_log:
            side = frame.spec.source.connection
            found_at = None if section.access_log.startswith("file:") else look_up(side)
            logs = await fetch_logs(section.access_log, found_at, Path(scratch))
        return section_request(frame.spec, spec_path, section, frame.run, found, logs)


async def _inventoried(store: EvidenceStore, frame: TaskFrame) -> list[tuple[str, Any]]:
    from heavylift.access.inventoried import inventoried
    from heavylift.inventory.requests import inventory_connection

    return await inventoried(store, frame.spec.migration, inventory_connection(frame.spec))


def _places(frame: TaskFrame) -> Any:
    from heavylift.access.model import Place

    spec = frame.spec
    return Place(spec.source.platform.value, ""), Place(spec.target.platform.value, "")


def _attempt(frame: TaskFrame) -> dict[str, Any]:
    return {"attempt": frame.attempt, "run_started_by": frame.actor}


def _read(paths: Sequence[str]) -> list[tuple[str, Any]]:
    from heavylift.access.documents import read_documents

    return [(path, read_documents(Path(path))) for path in paths]
