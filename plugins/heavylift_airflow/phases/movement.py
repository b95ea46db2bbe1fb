"""The DAGs of the two phases that move data: transfer, once, and sync, again and again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, BaseOperator, CronTriggerTimetable, TaskGroup, TriggerRule

from heavylift.spec import Dataset, Gate, LoadedSpec, MigrationSpec, Phase
from heavylift.spec.resolve import resolve_dataset
from heavylift.spec.vocabulary import Deletes, Via
from heavylift_airflow.callbacks import tell_failure, tell_retry
from heavylift_airflow.operators.begin import BeginRunOperator
from heavylift_airflow.operators.checks import CheckDatasetOperator
from heavylift_airflow.operators.closing import (
    BuildReportOperator,
    PublishPhaseOperator,
    SummariseRunOperator,
)
from heavylift_airflow.operators.deletes import DeleteGoneOperator
from heavylift_airflow.operators.gates import EvaluateGateOperator, GateApprovalOperator
from heavylift_airflow.operators.services.azcopy import RunAzCopyOperator
from heavylift_airflow.operators.services.run import RunServiceOperator
from heavylift_airflow.operators.transfer import (
    CopyObjectsOperator,
    PlanTransferOperator,
    VerifyObjectsOperator,
)
from heavylift_airflow.phases.assets import phase_asset
from heavylift_airflow.phases.databases import add_database
from heavylift_airflow.phases.form import form_params
from heavylift_airflow.phases.runbook import dag_document, read_runbook
from heavylift_airflow.phases.streams import add_stream
from heavylift_airflow.retry import HeavyliftRetryPolicy
from heavylift_airflow.sensors.gate import GateSensor

_RIVALS = {Phase.TRANSFER: Phase.SYNC, Phase.SYNC: Phase.TRANSFER}
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def movement_dag(loaded: LoadedSpec, phase: Phase) -> DAG | None:
    """Return the DAG of ``phase`` for one spec, or None where it has nothing to move."""
    spec = loaded.spec
    if not (spec.datasets or spec.databases or spec.streams):
        return None
    with DAG(
        dag_id=spec.dag_id(phase),
        description=spec.description.strip().split("\n")[0] or None,
        doc_md=dag_document(spec, phase),
        schedule=_schedule(spec, phase),
        start_date=EPOCH,
        catchup=False,
        max_active_runs=1,
        # A sync moves data unasked, so somebody has to switch it on.
        is_paused_upon_creation=True if phase is Phase.SYNC else None,
        tags={f"migration:{spec.migration}", f"phase:{phase.value}"},
        params=form_params(phase, databases=bool(spec.databases)),
        default_args=default_args(spec),
    ) as dag:
        _Builder(loaded, phase).build()
    return dag


def _schedule(spec: MigrationSpec, phase: Phase) -> CronTriggerTimetable | list[Asset] | None:
    if phase is Phase.TRANSFER and any(dataset.appliance for dataset in spec.datasets):
        # What devices brought is reconciled: now the rest follows online.
        return [phase_asset(spec.migration, Phase.APPLIANCE)]
    if phase is not Phase.SYNC or spec.schedule.sync is None:
        return None
    return CronTriggerTimetable(spec.schedule.sync, timezone="UTC")


def default_args(spec: MigrationSpec) -> dict[str, Any]:
    """Return what all tasks of a migration have in common: owner, retries, callbacks."""
    defaults = spec.defaults
    return {
        "owner": spec.owner,
        "retries": defaults.retries,
        "retry_delay": timedelta(seconds=defaults.retry_delay),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(seconds=defaults.max_retry_delay),
        "retry_policy": HeavyliftRetryPolicy(defaults.retry_delay, defaults.max_retry_delay),
        "on_failure_callback": tell_failure,
        "on_retry_callback": tell_retry,
    }


class _Builder:
    """Puts the tasks of one DAG together."""

    def __init__(self, loaded: LoadedSpec, phase: Phase) -> None:
        self._spec = loaded.spec
        self._phase = phase
        self._common = {"spec_path": str(loaded.path.absolute()), "phase": phase.value}
        self._runbook = read_runbook(phase)

    def build(self) -> None:
        """Add all tasks to the DAG that is being defined."""
        rival = self._spec.dag_id(_RIVALS[self._phase])
        begin = BeginRunOperator(
            **self._task("begin_run"), rival_dag_id=rival, gives_way=self._phase is Phase.SYNC
        )
        proved = [self._dataset(begin, dataset) for dataset in self._spec.datasets]
        proved += [
            add_database(self._task, self._phase, begin, database) for database in self._spec.databases
        ]
        proved += [add_stream(self._task, begin, stream) for stream in self._spec.streams]
        opened = [self._gate(proved, gate) for gate in self._spec.gates_for(self._phase)]
        publish = PublishPhaseOperator(
            **self._task("publish_result"), outlets=[phase_asset(self._spec.migration, self._phase)]
        )
        report = BuildReportOperator(**self._task("build_report"), trigger_rule=TriggerRule.ALL_DONE)
        summarise = SummariseRunOperator(**self._task("summarise_run"), trigger_rule=TriggerRule.ALL_DONE)
        publish.set_upstream(opened or proved)
        publish >> report >> summarise

    def _task(self, task_id: str) -> dict[str, Any]:
        return {**self._common, "task_id": task_id, "doc_md": self._runbook.task(task_id)}

    def _dataset(self, begin: BaseOperator, dataset: Dataset) -> BaseOperator:
        """Add one dataset's tasks and return the last of them."""
        with TaskGroup(group_id=dataset.name, tooltip=dataset.description):
            plan = PlanTransferOperator(**self._task("plan"), dataset=dataset.name)
            copy = CopyObjectsOperator.partial(
                **self._task("copy"),
                dataset=dataset.name,
                map_index_template="{{ task.shard_title }}",
                max_active_tis_per_dagrun=resolve_dataset(self._spec, dataset).limits.max_tasks,
            ).expand(shard=plan.output)
            # With nothing to copy the mapped task is skipped, and the proof is still wanted.
            verify = VerifyObjectsOperator(
                **self._task("verify"), dataset=dataset.name, trigger_rule=TriggerRule.NONE_FAILED
            )
            begin >> plan >> copy
            following = self._deletes(dataset, verify) if self._deletes_gone(dataset) else verify
            copy >> following
            if dataset.via is not Via.HEAVYLIFT:
                # Beside the workers, which move what the service cannot.
                kind = RunAzCopyOperator if dataset.via is Via.AZCOPY else RunServiceOperator
                plan >> kind(**self._task("run_service"), dataset=dataset.name) >> following
            if not dataset.expectations:
                return verify
            check = CheckDatasetOperator(**self._task("check_tables"), dataset=dataset.name)
            verify >> check
            return check

    def _deletes_gone(self, dataset: Dataset) -> bool:
        return self._phase is Phase.SYNC and dataset.deletes is not Deletes.KEEP

    def _deletes(self, dataset: Dataset, verify: BaseOperator) -> BaseOperator:
        """Add the task that deals with what has gone from the source, once everything is copied."""
        deletes = DeleteGoneOperator(
            **self._task("deletes"), dataset=dataset.name, trigger_rule=TriggerRule.NONE_FAILED
        )
        deletes >> verify
        return deletes

    def _gate(self, proved: list[BaseOperator], gate: Gate) -> BaseOperator:
        """Add one gate's tasks and return the last of them."""
        # No dataset can be called so: their names have no underscore.
        with TaskGroup(group_id=f"gate_{gate.name}", tooltip=gate.description):
            evaluate = EvaluateGateOperator(
                **self._task("evaluate"), gate=gate.name, trigger_rule=TriggerRule.ALL_DONE
            )
            opened = GateSensor(**self._task("wait"), gate=gate.name)
            evaluate.set_upstream(proved)
            evaluate >> opened
            if not gate.approval.required:
                return opened
            approve = GateApprovalOperator(
                **self._task("approve"),
                gate=gate.name,
                response_timeout=timedelta(seconds=gate.approval.timeout),
                assigned_users=[{"id": user, "name": user} for user in gate.approval.assigned_users] or None,
            )
            opened >> approve
            return approve
