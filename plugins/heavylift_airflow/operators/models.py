"""Operators of the revalidate phase: check a model, compare it on both sides, convert it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from heavylift.errors import IncompleteError, IntegrityError, SpecError
from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.model_records import (
        ModelBaseline,
        ModelCheckRecord,
        ModelComparisonRecord,
        ModelConversionRecord,
    )
    from heavylift.evidence.records import EvidenceRef
    from heavylift.models.requests import ModelRequest
    from heavylift.platforms.places import Place
    from heavylift.platforms.registered import Registered
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 5


class ModelOperator(HeavyliftOperator):
    """An operator that acts on one version of one model of the spec; mapped over all of them.

    :param model: ``{"model": name in the spec, "version": one of its versions, or empty}``. (templated)
    """

    template_fields: Sequence[str] = (*HeavyliftOperator.template_fields, "model")

    # Airflow finds the arguments of a mapped operator in the operators' own __init__ only.
    def __init__(self, *, spec_path: str, phase: str, model: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(spec_path=spec_path, phase=phase, **kwargs)
        self.model = model

    @property
    def model_title(self) -> str:
        """The model and its version, as the UI names the mapped task."""
        return f"{self.model['model']} {self.model.get('version', '')}".strip()

    def request(self, frame: TaskFrame) -> ModelRequest:
        """Return the library's request about this model in this run."""
        from heavylift.models.requests import model_request

        name, version = str(self.model["model"]), str(self.model.get("version", ""))
        return model_request(frame.spec, name, version, frame.run, look_up)

    def tell(self, line: str) -> None:
        """Take one line about what is being done."""
        self.log.info("%s: %s", self.model_title, line)

    async def note(self, frame: TaskFrame, action: str, ref: EvidenceRef, details: dict[str, Any]) -> None:
        """Note in the audit trail what was done, and link to the evidence."""
        from heavylift_airflow.trail import note

        self.evidence_path = ref.path
        async with self.evidence(frame) as store:
            await note(store, frame, action, subject=self.model_title, evidence=(ref,), details=details)


class CheckModelOperator(ModelOperator):
    """Checks one version of a model before it is run anywhere: its files, its needs, and what has arrived.

    Nothing of the model is loaded. It also runs in a dry run. Idempotency: each run of the task writes a
    check of its own and changes nothing else. A model that endpoints alone answer for has no files: skipped.

    :return: ``{"model", "version", "passed", "digest", "files", "blockers", "warnings"}``.
    :raises IncompleteError: something stands in the way; each finding is named with its remedy.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Check, note it in the audit trail, and fail where something stands in the way."""
        from airflow.sdk.exceptions import AirflowSkipException

        frame = self.frame(context)
        request = self.request(frame)
        if request.source is None:
            raise AirflowSkipException("an endpoint answers for it: there are no files to check")
        record = self.work.run(self._check(frame, request), f"check of model {self.model_title!r}")
        for finding in record.findings:
            self.log.warning(
                "%s [%s] %s: %s. To fix: %s",
                finding.severity.value, finding.rule, finding.subject, finding.detail, finding.remedy,
            )  # fmt: skip
        self.log.info("%s: %s", self.model_title, record.statement)
        if not record.passed:
            raise _stands_in_the_way(record, self.evidence_path or "")
        return check_figures(record)

    async def _check(self, frame: TaskFrame, request: ModelRequest) -> ModelCheckRecord:
        from heavylift.datasets.suites import judge_rows
        from heavylift.models.api import check_model
        from heavylift.registry.named import open_registry

        record, ref = await check_model(request, self.tell, open_registry, judge_rows)
        await self.note(frame, "model.checked", ref, check_figures(record))
        return record


class RevalidateModelOperator(ModelOperator):
    """Runs one version of a model on both sides and proves that it behaves alike, or fails.

    Each side runs in a process and an environment of its own, without secrets and, where the worker
    allows, without a network. Idempotency: each run of the task writes a comparison of its own. Stopping
    it ends the models' processes at once.

    :param baseline: what the source did when it was measured earlier, as a record's ``baseline``: an XCom of
        that measurement. The target must hold it as well. (templated)
    :return: ``{"model", "version", "passed", "rows", "mismatched", "mismatch_bound", "p95_ratio"}``; the XCom
        ``baseline`` has what the source did in this run.
    :raises IntegrityError: the target differs; the reasons are named.
    :raises ConflictError: its files were not found to be safe; nothing was run.
    """

    template_fields: Sequence[str] = (*ModelOperator.template_fields, "baseline")

    def __init__(
        self,
        *,
        spec_path: str,
        phase: str,
        model: Mapping[str, str],
        baseline: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(spec_path=spec_path, phase=phase, model=model, **kwargs)
        self.baseline = baseline

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare, note it in the audit trail, and fail where the sides differ."""
        frame = self.moving_frame(context)
        baseline = read_baseline(self.baseline)
        record = self.work.run(self._compare(frame, baseline), f"revalidation of model {self.model_title!r}")
        if record.baseline is not None:
            context["ti"].xcom_push(key="baseline", value=record.baseline.model_dump(mode="json"))
        for finding in record.findings:
            self.log.warning("%s [%s] %s", finding.severity.value, finding.rule, finding.detail)
        if not record.passed:
            raise _differs(record, self.evidence_path or "")
        self.log.info("%s: %s", self.model_title, record.statement)
        return comparison_figures(record)

    async def _compare(self, frame: TaskFrame, baseline: ModelBaseline | None) -> ModelComparisonRecord:
        from heavylift.datasets.suites import judge_rows
        from heavylift.models.api import revalidate_model
        from heavylift.registry.named import open_registry

        request = self.request(frame)
        record, ref = await revalidate_model(request, self.tell, baseline, open_registry, judge_rows)
        await self.note(frame, "model.compared", ref, comparison_figures(record))
        return record


class ConvertModelOperator(ModelOperator):
    """Makes a portable form of one version of a model, proves that it answers alike, and registers it.

    The model is converted in a process and an environment of its own. Idempotency: a second run finds the
    new version by its tags, or its folder by its name, and changes nothing. On failure nothing was
    registered, or what was begun is completed by the next run. Models without ``convert_to`` are skipped.

    :return: ``{"model", "version", "passed", "place", "already", "forms"}``: of the first form, and
        the place of each.
    :raises IncompleteError: an operator has no converter, or the answers differ; the record tells which.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Convert to each form, note it in the audit trail, and fail where one is not proved."""
        from airflow.sdk.exceptions import AirflowSkipException

        frame = self.moving_frame(context)
        into = self._into(frame)
        if into is None:
            raise AirflowSkipException("no portable form is asked for")
        title = f"conversion of model {self.model_title!r}"
        records = [self.work.run(self._convert(frame, into, form), title) for form in self._forms(frame)]
        for record in records:
            if not record.passed:
                raise _not_converted(record, self.evidence_path or "")
            self.log.info("%s: %s", self.model_title, record.statement)
        return {**conversion_figures(records[0]), "forms": {each.form: each.place for each in records}}

    def _forms(self, frame: TaskFrame) -> list[str]:
        found = next(each for each in frame.spec.models if each.name == self.model["model"])
        return [form.value for form in found.convert_to]

    def _into(self, frame: TaskFrame) -> Place | Registered | None:
        from heavylift.models.requests import converted_place

        return converted_place(frame.spec, self.model["model"], self.model.get("version", ""), look_up)

    async def _convert(self, frame: TaskFrame, into: Place | Registered, form: str) -> ModelConversionRecord:
        from heavylift.models.portable import Conversion, convert_model
        from heavylift.registry.named import open_registry

        conversion = Conversion(self.request(frame), into, form)
        record, ref = await convert_model(conversion, self.tell, open_registry)
        await self.note(frame, "model.converted", ref, conversion_figures(record))
        return record


def read_baseline(found: Mapping[str, Any] | None) -> ModelBaseline | None:
    """Return a baseline that came as an XCom.

    :raises SpecError: it is none.
    """
    if not found:
        return None
    from pydantic import ValidationError

    from heavylift.evidence.model_records import ModelBaseline

    try:
        return ModelBaseline.model_validate(dict(found))
    except ValidationError as error:
        raise SpecError(
            "reading a model's baseline",
            got=" ".join(str(error).split())[:300],
            expected="the field baseline of a comparison's record",
            state="nothing was run",
            remedy="hand over the XCom 'baseline' of an earlier revalidation, or none",
            code="7570",
        ) from error


def check_figures(record: ModelCheckRecord) -> dict[str, Any]:
    """Return a check's figures."""
    severities = [finding.severity.value for finding in record.findings]
    return {
        "model": record.model,
        "version": record.version,
        "passed": record.passed,
        "digest": record.digest,
        "files": len(record.files),
        "blockers": severities.count("blocker"),
        "warnings": severities.count("warning"),
    }


def comparison_figures(record: ModelComparisonRecord) -> dict[str, Any]:
    """Return a comparison's figures."""
    latency = record.latency
    return {
        "model": record.model,
        "version": record.version,
        "passed": record.passed,
        "rows": record.rows,
        "mismatched": record.mismatched,
        "mismatch_bound": record.mismatch_bound,
        "p95_ratio": latency.quantiles["p95"][2] if latency else None,
    }


def conversion_figures(record: ModelConversionRecord) -> dict[str, Any]:
    """Return a conversion's figures."""
    return {
        "model": record.model,
        "version": record.version,
        "passed": record.passed,
        "place": record.place,
        "already": record.already,
    }


def _not_converted(record: ModelConversionRecord, path: str) -> IncompleteError:
    return IncompleteError(
        f"conversion of model {record.model!r} {record.version} to {record.form}".replace("  ", " "),
        got=record.statement,
        expected="a form that answers as the model does",
        state=f"nothing was registered or written there; the record is {path}",
        remedy="replace the parts without a converter, or take convert_to out of the spec",
        code="7816",
    )


def _stands_in_the_way(record: ModelCheckRecord, path: str) -> IncompleteError:
    blockers = [finding for finding in record.findings if finding.severity.value == "blocker"]
    named = "; ".join(f"[{each.rule}] {each.subject}: {each.detail}" for each in blockers[:MAX_NAMED])
    return IncompleteError(
        f"check of model {record.model!r} {record.version}".strip(),
        got=f"{len(blockers)} findings that stand in the way ({named})",
        expected="none",
        state=f"nothing of the model was loaded or changed; the record is {path}",
        remedy=f"{blockers[0].remedy}; then clear this task",
        code="7571",
    )


def _differs(record: ModelComparisonRecord, path: str) -> IntegrityError:
    return IntegrityError(
        f"revalidation of model {record.model!r} {record.version}".strip(),
        got="; ".join(record.reasons[:MAX_NAMED]),
        expected="answers and durations as on the source, within the spec's tolerance",
        state=f"both sides are as they were; the record is {path}",
        remedy="find out which version the target has, and with which packages it ran; its runbook tells how",
        code="7572",
    )
