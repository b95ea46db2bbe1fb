"""Operators of the assess phase: list the source, make its graph, find what stands in the way, and plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift_airflow.hooks.object_store import look_up
from heavylift_airflow.operators.base import HeavyliftOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from heavylift.evidence.assessment_records import AssessmentRecord
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.inventory_records import GraphRecord, InventoryRecord
    from heavylift.inventory.collect import Progress
    from heavylift_airflow.context import TaskFrame

MAX_NAMED = 10
_TELL_EVERY = 25
"""Types and regions between two lines of progress."""


class TakeInventoryOperator(HeavyliftOperator):
    """Lists the components of the spec's source, or of what the spec names beside it, with read calls only.

    Idempotency: each run of the task takes an inventory of its own. After an attempt that was killed or
    lacked answers the next one reads only what was not read. What could not be read is a finding, never a
    silently shorter list.

    :param beside: connection of an entry of ``assess.also``; the source's where empty.
    :return: ``{"components", "complete", "gaps", "requests"}``, and ``appeared``, ``gone``, ``changed`` where
        there was an inventory before.
    :raises IncompleteError: some types gave no answer for now; what was read is kept.
    :raises CredentialError: the platform does not accept the credentials.
    """

    def __init__(self, *, beside: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.beside = beside

    def execute(self, context: Context) -> dict[str, Any]:
        """Take the inventory, and note it in the audit trail."""
        frame = self.frame(context)
        what = self.beside or frame.spec.source.platform.value
        record = self.work.run(self._take(frame), f"inventory of {what}")
        for finding in record.findings[:MAX_NAMED]:
            self.log.warning(
                "%s [%s] %s. To fix: %s", finding.severity.value, finding.rule, finding.detail, finding.remedy
            )
        figures = inventory_figures(record)
        self.log.info("%s", figures)
        return figures

    async def _take(self, frame: TaskFrame) -> InventoryRecord:
        from heavylift.inventory.api import take_inventory
        from heavylift.inventory.requests import inventory_request
        from heavylift_airflow.trail import note

        request = inventory_request(frame.spec, frame.run, look_up, self.beside)
        record, ref = await take_inventory(request, self.tell)
        self.evidence_path = ref.path
        async with self.evidence(frame) as store:
            details = inventory_figures(record)
            await note(
                store, frame, "inventory.taken", subject=record.connection, evidence=(ref,), details=details
            )
        return record

    def tell(self, progress: Progress) -> None:
        """Log how far it is, now and then."""
        if progress.units_done % _TELL_EVERY == 0 or progress.units_done == progress.units:
            self.log.info(
                "%s of %s types and regions read, %s components",
                progress.units_done, progress.units, progress.components,
            )  # fmt: skip


class MakeGraphOperator(HeavyliftOperator):
    """Makes edges of what the components of this run's inventory name, and finds what nothing answers to.

    Idempotency: each run of the task makes a graph of its own; the platform is not asked.

    :return: ``{"edges", "cycles", "outside", "unexplained"}``.
    :raises NotFoundError: the run has no inventory.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Make the graph, and note it in the audit trail."""
        frame = self.frame(context)
        record = self.work.run(self._make(frame), "making of the graph")
        figures = graph_figures(record)
        self.log.info("%s", figures)
        return figures

    async def _make(self, frame: TaskFrame) -> GraphRecord:
        from heavylift.inventory.api import make_graph
        from heavylift.inventory.requests import acceptances_of, further_connections, inventory_connection
        from heavylift_airflow.trail import note

        spec, connection = frame.spec, inventory_connection(frame.spec)
        async with self.evidence(frame) as store:
            drawn = await make_graph(
                store, spec.migration, connection, acceptances_of(spec),
                also=further_connections(spec), run=frame.run,
            )  # fmt: skip
            self.evidence_path = drawn.ref.path
            details = graph_figures(drawn.record)
            await note(store, frame, "graph.made", subject=connection, evidence=(drawn.ref,), details=details)
        return drawn.record


class MakePlanOperator(HeavyliftOperator):
    """Finds what stands in the way, and plans what moves how and when, in which waves, at what cost.

    Idempotency: each run of the task keeps a plan of its own; the same inventory and spec give the same plan,
    to the digest.

    :return: ``{"plan_digest", "components", "waves", "blockers", "open_blockers", "unknown_sizes",
        "days_p50", "days_p90", "usd_low", "usd_high", "target"}``; the XCom ``baseline`` has how long jobs
        took on the source.
    :raises NotFoundError: the run has no inventory, or no graph.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Make the plan, hand over its numbers, and note it in the audit trail."""
        frame = self.frame(context)
        record = self.work.run(self._make(frame), "making of the plan")
        jobs = [each.model_dump(mode="json") for each in record.baselines[:MAX_NAMED]]
        context["ti"].xcom_push(key="baseline", value={"jobs": jobs, "plan_digest": record.plan_digest})
        for rule in record.rules:
            if rule.severity == "blocker":
                self.log.warning(
                    "[%s] %s times, %s accepted: %s: %s. To fix: %s",
                    rule.rule, rule.count, rule.accepted, rule.first.component, rule.first.evidence,
                    rule.first.remedy,
                )  # fmt: skip
        figures = plan_figures(record)
        self.log.info("%s", figures)
        return figures

    async def _make(self, frame: TaskFrame) -> AssessmentRecord:
        from heavylift.assess.api import make_assessment
        from heavylift.inventory.requests import inventory_connection
        from heavylift.spec import load_spec
        from heavylift_airflow.trail import note

        connection = inventory_connection(frame.spec)
        async with self.evidence(frame) as store:
            # The frame's spec is what this phase sees; the approval holds for all that later ones carry out.
            whole = load_spec(self.spec_path)
            record, ref = await make_assessment(
                store,
                frame.spec,
                connection,
                frame.run,
                whole=whole,
                database_of=database_of,
                beside=Path(self.spec_path).parent,
            )
            self.evidence_path = ref.path
            await note(
                store, frame, "plan.made", subject=record.plan_digest, evidence=_refs(record, ref),
                details=plan_figures(record),
            )  # fmt: skip
        return record


def database_of(connection: str) -> str:
    """Return the name of the database that a connection leads to."""
    return look_up(connection).schema or ""


def inventory_figures(record: InventoryRecord) -> dict[str, Any]:
    """Return an inventory's figures."""
    figures = {
        "components": record.component_count,
        "complete": record.complete,
        "gaps": sum(finding.severity.value == "blocker" for finding in record.findings),
        "requests": record.requests,
    }
    if record.diff:
        names = ("appeared", "gone", "changed")
        figures |= {name: getattr(record.diff, name) for name in names}
    return figures


def graph_figures(record: GraphRecord) -> dict[str, Any]:
    """Return a graph's figures."""
    return {
        "edges": record.edges,
        "cycles": record.cycle_count,
        "outside": record.outside,
        "unexplained": record.unexplained,
    }


def plan_figures(record: AssessmentRecord) -> dict[str, Any]:
    """Return a plan's figures."""
    return {
        "plan_digest": record.plan_digest,
        "target": record.target,
        "components": record.components,
        "waves": record.wave_count,
        "blockers": record.blockers,
        "open_blockers": record.open_blockers,
        "unknown_sizes": record.unknown_sizes,
        "days_p50": record.duration.p50,
        "days_p90": record.duration.p90,
        "usd_low": record.costs.total.low,
        "usd_high": record.costs.total.high,
    }


def _refs(record: AssessmentRecord, ref: EvidenceRef) -> tuple[EvidenceRef, ...]:
    return ref, record.plan, record.input
