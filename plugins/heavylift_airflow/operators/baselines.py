"""Operators that measure what a live endpoint does and read what machines use, before anything moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.baseline_records import EndpointBaseline, GoldenQuality
    from heavylift.evidence.utilisation_records import UtilisationRecord
    from heavylift_airflow.context import TaskFrame


class MeasureBaselineOperator(HeavyliftOperator):
    """Asks one live endpoint at stepped rates, open-loop, and keeps latency, throughput and errors.

    It is a load on the endpoint, and bills, logs and scales it like any other. Idempotency: each run of the
    task measures afresh and keeps a record of its own, whole, at the end; one that was killed leaves none.

    :param endpoint: connection of an entry of ``assess.baselines``.
    :return: ``{"endpoint", "passed", "max_sustained", "requests", "statement"}``; the XCom ``baseline`` has
        the quantiles of each rate, the noise floor, the cost of 1,000 predictions, and of golden rows the
        metrics with their intervals; its field ``model`` is what a revalidation takes as ``baseline``.
    :raises AirflowSkipException: this is a dry run: nothing is sent.
    :raises CredentialError: the endpoint refuses the credentials.
    :raises ServerUnavailableError: it does not answer at the beginning.
    """

    def __init__(self, *, endpoint: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.endpoint = endpoint

    def execute(self, context: Context) -> dict[str, Any]:
        """Measure, hand over the figures, and note it in the audit trail."""
        frame = self.moving_frame(context)
        record = self.work.run(self._measure(frame), f"baseline of {self.endpoint}")
        for finding in record.findings:
            self.log.warning(
                "%s [%s] %s. To fix: %s", finding.severity.value, finding.rule, finding.detail, finding.remedy
            )
        context["ti"].xcom_push(key="baseline", value=baseline_of(record))
        figures = {
            "endpoint": self.endpoint,
            "passed": record.passed,
            "max_sustained": record.max_sustained,
            "requests": sum(step.planned - step.not_sent for step in record.steps),
            "statement": record.statement,
        }
        self.log.info("%s", figures)
        return figures

    async def _measure(self, frame: TaskFrame) -> EndpointBaseline:
        from heavylift.baselines.api import measure_baseline
        from heavylift.baselines.from_spec import baseline_request, baselines_wanted
        from heavylift_airflow.trail import note

        wanted = next(each for each in baselines_wanted(frame.spec) if each.connection == self.endpoint)
        request = baseline_request(frame.spec, frame.run, look_up, wanted)
        record, ref = await measure_baseline(request, lambda line: self.log.info("%s", line))
        self.evidence_path = ref.path
        details = {"passed": record.passed, "max_sustained": record.max_sustained}
        async with self.evidence(frame) as store:
            await note(
                store, frame, "baseline.measured", subject=self.endpoint, evidence=(ref,), details=details
            )
        return record


class MeasureUtilisationOperator(HeavyliftOperator):
    """Reads how much of cores, memory and accelerators the source's components use, from its monitoring.

    Only reads. Idempotency: each run of the task reads afresh and keeps a record of its own, whole, at the
    end. What may not be read, or is not answered, is a finding.

    :param source: a connection whose components are meant: the source's, or one of ``assess.also``.
    :return: ``{"wanted", "with_values", "complete", "requests", "statement"}``; the XCom ``baseline`` has the
        quantiles of each component's resources, at most 100 of them.
    :raises NotFoundError: the run has no inventory of that connection.
    :raises CredentialError: the platform does not accept the credentials.
    """

    def __init__(self, *, source: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source

    def execute(self, context: Context) -> dict[str, Any]:
        """Read, hand over the figures, and note it in the audit trail."""
        frame = self.frame(context)
        record = self.work.run(self._measure(frame), f"use of machines of {self.source}")
        for finding in record.findings:
            self.log.warning(
                "%s [%s] %s: %s. To fix: %s",
                finding.severity.value, finding.rule, finding.subject, finding.detail, finding.remedy,
            )  # fmt: skip
        context["ti"].xcom_push(key="baseline", value=utilisation_of(record))
        figures = utilisation_figures(record)
        self.log.info("%s", figures)
        return figures

    async def _measure(self, frame: TaskFrame) -> UtilisationRecord:
        from heavylift.utilisation.api import measure_utilisation
        from heavylift.utilisation.requests import utilisation_request
        from heavylift_airflow.trail import note

        request = utilisation_request(frame.spec, frame.run, look_up, self.source)
        record, ref = await measure_utilisation(request, lambda line: self.log.info("%s", line))
        self.evidence_path = ref.path
        async with self.evidence(frame) as store:
            details = utilisation_figures(record)
            await note(
                store, frame, "utilisation.read", subject=self.source, evidence=(ref,), details=details
            )
        return record


def utilisation_figures(record: UtilisationRecord) -> dict[str, Any]:
    """Return the figures of a record."""
    return {
        "wanted": record.wanted,
        "with_values": record.with_values,
        "complete": record.complete,
        "requests": record.requests,
        "statement": record.statement,
    }


_MOST_HANDED_OVER = 100


def utilisation_of(record: UtilisationRecord) -> dict[str, Any]:
    """Return quantiles by component and resource; the series stay in the evidence store."""
    return {
        "connection": record.connection,
        "components": {
            each.component: {
                one.use: {"unit": one.unit, "p50": one.p50, "p95": one.p95, "peak": one.peak}
                for one in each.series
            }
            for each in record.components[:_MOST_HANDED_OVER]
        },
    }


def baseline_of(record: EndpointBaseline) -> dict[str, Any]:
    """Return what later phases hold a target against; the histograms stay in the evidence store."""
    from heavylift.evidence.model_records import model_baseline_of

    floor = record.noise_floor
    return {
        "connection": record.connection,
        "requests_sha256": record.requests_sha256,
        "max_sustained": record.max_sustained,
        "steps": [
            {
                "rate": step.rate,
                "achieved": step.achieved,
                "error_rate": step.error_rate,
                "quantiles_ms": {f"{each.quantile:g}": each.ms for each in step.quantiles},
            }
            for step in record.steps
        ],
        "noise_floor": {f"{each.quantile:g}": each.ratio for each in floor.ratios} if floor else None,
        "usd_per_thousand": record.cost.per_thousand if record.cost else None,
        "quality": quality_of(record.quality) if record.quality else None,
        "model": model_baseline_of(record).model_dump(mode="json") if record.quality else None,
    }


def quality_of(quality: GoldenQuality) -> dict[str, Any]:
    """Return the metrics of all golden rows; those of their parts stay in the evidence store."""
    return {
        "golden_sha256": quality.golden_sha256,
        "rows": quality.rows,
        "changed": quality.changed,
        "metrics": {
            each.metric: {"value": each.value, "low": each.low, "high": each.high, "again": each.again}
            for each in quality.figures
            if not each.part
        },
    }
