"""What the DAGs of the phases that move data have in common: a dataset's tasks, a gate's, the last ones."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, TaskGroup, TriggerRule

from heavylift.spec import Dataset, Gate, MigrationSpec, Phase
from heavylift.spec.resolve import resolve_dataset
from heavylift.spec.vocabulary import Deletes, Via
from heavylift_airflow.operators.checks import CheckDatasetOperator
from heavylift_airflow.operators.closing import (
    BuildReportOperator,
    PublishPhaseOperator,
    SummariseRunOperator,
)
from heavylift_airflow.operators.compliance import CheckComplianceOperator
from heavylift_airflow.operators.deletes import DeleteGoneOperator
from heavylift_airflow.operators.services.azcopy import RunAzCopyOperator
from heavylift_airflow.operators.services.run import RunServiceOperator
from heavylift_airflow.operators.transfer import (
    CopyObjectsOperator,
    PlanTransferOperator,
    VerifyObjectsOperator,
)
from heavylift_airflow.operators.two_way import SyncTwoWayOperator
from heavylift_airflow.phases.assets import phase_asset
from heavylift_airflow.phases.gates import ArgumentsOf as ArgumentsOf
from heavylift_airflow.phases.gates import add_gate
from heavylift_airflow.phases.runbook import read_runbook


class Parts:
    """Adds tasks to the DAG that is being defined.

    :param spec: as the phase sees it.
    :param path: the spec's file, as tasks find it.
    """

    def __init__(self, spec: MigrationSpec, path: str, phase: Phase) -> None:
        self.spec = spec
        self.phase = phase
        self._common = {"spec_path": path, "phase": phase.value}
        self._runbook = read_runbook(phase)

    def arguments(self, task_id: str) -> dict[str, Any]:
        """Return the arguments that all tasks of the DAG have."""
        return {**self._common, "task_id": task_id, "doc_md": self._runbook.task(task_id)}

    def dataset(self, before: BaseOperator, dataset: Dataset) -> BaseOperator:
        """Add one dataset's tasks and return the last of them.

        :param before: what must be done first; it may have been skipped.
        """
        with TaskGroup(group_id=dataset.name, tooltip=dataset.description):
            if self.phase is Phase.SYNC and dataset.two_way is not None:
                return self._two_way(before, dataset)
            plan = PlanTransferOperator(
                **self.arguments("plan"), dataset=dataset.name, **self._unless_failed(before)
            )
            copy = CopyObjectsOperator.partial(
                **self.arguments("copy"),
                dataset=dataset.name,
                map_index_template="{{ task.shard_title }}",
                max_active_tis_per_dagrun=resolve_dataset(self.spec, dataset).limits.max_tasks,
            ).expand(shard=plan.output)
            # With nothing to copy the mapped task is skipped, and the proof is still wanted.
            verify = VerifyObjectsOperator(
                **self.arguments("verify"), dataset=dataset.name, trigger_rule=TriggerRule.NONE_FAILED
            )
            before >> plan >> copy
            following = self._deletes(dataset, verify) if self._deletes_gone(dataset) else verify
            copy >> following
            if dataset.via is not Via.HEAVYLIFT:
                # Beside the workers, which move what the service cannot.
                kind = RunAzCopyOperator if dataset.via is Via.AZCOPY else RunServiceOperator
                plan >> kind(**self.arguments("run_service"), dataset=dataset.name) >> following
            return self._checked(dataset, verify)

    def _two_way(self, before: BaseOperator, dataset: Dataset) -> BaseOperator:
        """Add the one task that plans, carries over and proves in both directions."""
        carry = SyncTwoWayOperator(
            **self.arguments("two_way"), dataset=dataset.name, **self._unless_failed(before)
        )
        before >> carry
        return self._checked(dataset, carry)

    def _checked(self, dataset: Dataset, proved: BaseOperator) -> BaseOperator:
        if not dataset.expectations:
            return proved
        check = CheckDatasetOperator(**self.arguments("check_tables"), dataset=dataset.name)
        proved >> check
        return check

    def finish(self, proved: list[BaseOperator], gates: tuple[Gate, ...]) -> None:
        """Add the gates, and the tasks that tell, report and have the last word."""
        opened = [add_gate(self.arguments, proved, gate) for gate in gates]
        publish = PublishPhaseOperator(
            **self.arguments("publish_result"), outlets=[phase_asset(self.spec.migration, self.phase)]
        )
        report = BuildReportOperator(**self.arguments("build_report"), trigger_rule=TriggerRule.ALL_DONE)
        summarise = SummariseRunOperator(**self.arguments("summarise_run"), trigger_rule=TriggerRule.ALL_DONE)
        publish.set_upstream(opened or proved)
        publish >> report >> summarise
        # A gate is evaluated once everything is done; where there is none, the report waits for all itself.
        report.set_upstream([] if opened else proved)

    def _unless_failed(self, before: BaseOperator) -> dict[str, Any]:
        # The first task of a run skips all others where it must; no rule may override that.
        is_first = not before.upstream_task_ids or isinstance(before, CheckComplianceOperator)
        return {} if is_first else {"trigger_rule": TriggerRule.NONE_FAILED}

    def _deletes_gone(self, dataset: Dataset) -> bool:
        return self.phase is Phase.SYNC and dataset.deletes is not Deletes.KEEP

    def _deletes(self, dataset: Dataset, verify: BaseOperator) -> BaseOperator:
        """Add the task that deals with what has gone from the source, once everything is copied."""
        deletes = DeleteGoneOperator(
            **self.arguments("deletes"), dataset=dataset.name, trigger_rule=TriggerRule.NONE_FAILED
        )
        deletes >> verify
        return deletes
