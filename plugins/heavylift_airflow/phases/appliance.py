"""The DAG of the offline path: devices are planned, ordered, loaded, shipped, ingested, reconciled."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from airflow.sdk import DAG, BaseOperator, TaskGroup, TriggerRule, task_group

from heavylift.spec import Dataset, LoadedSpec, Phase
from heavylift.spec.appliances import Ingest
from heavylift_airflow.operators.appliance import (
    CheckDeviceOperator,
    IngestDeviceOperator,
    LoadDeviceOperator,
    PlanDevicesOperator,
    ReconcileDeviceOperator,
)
from heavylift_airflow.operators.appliance_closing import PublishShipmentOperator, SummariseShipmentOperator
from heavylift_airflow.operators.appliance_steps import DeviceStepOperator
from heavylift_airflow.operators.begin import BeginRunOperator
from heavylift_airflow.phases.assets import phase_asset
from heavylift_airflow.phases.compliance import add_compliance
from heavylift_airflow.phases.form import form_params
from heavylift_airflow.phases.movement import dag_settings
from heavylift_airflow.phases.runbook import read_runbook

_TITLE = "{{ task.device['device'] }}"


def appliance_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG of one spec's offline path, or None where no dataset travels on devices."""
    spec = loaded.spec
    datasets = [dataset for dataset in spec.datasets if dataset.appliance is not None]
    if not datasets:
        return None
    with DAG(
        dag_id=spec.dag_id(Phase.APPLIANCE),
        schedule=None,
        params=form_params(),
        **dag_settings(spec, Phase.APPLIANCE, loaded.path),
    ) as dag:
        _Builder(loaded).build(datasets)
    return dag


class _Builder:
    """Puts the tasks of one DAG together."""

    def __init__(self, loaded: LoadedSpec) -> None:
        self._spec = loaded.spec
        self._common = {"spec_path": str(loaded.path.absolute()), "phase": Phase.APPLIANCE.value}
        self._runbook = read_runbook(Phase.APPLIANCE)

    def build(self, datasets: list[Dataset]) -> None:
        """Add all tasks to the DAG that is being defined."""
        transfer = self._spec.dag_id(Phase.TRANSFER)
        begin = BeginRunOperator(**self._task("begin_run"), rival_dag_id=transfer, gives_way=False)
        first = add_compliance(self._task, Phase.APPLIANCE, begin, self._spec)
        # A device that was lost skips the rest of its tasks; the evidence tells whether all is settled.
        publish = PublishShipmentOperator(
            **self._task("publish_result"),
            outlets=[phase_asset(self._spec.migration, Phase.APPLIANCE)],
            trigger_rule=TriggerRule.NONE_FAILED,
        )
        summarise = SummariseShipmentOperator(
            **self._task("summarise_run"), trigger_rule=TriggerRule.ALL_DONE
        )
        for dataset in datasets:
            self._dataset(first, publish, summarise, dataset)
        publish >> summarise

    def _task(self, task_id: str) -> dict[str, Any]:
        return {**self._common, "task_id": task_id, "doc_md": self._runbook.task(task_id)}

    def _dataset(
        self, begin: BaseOperator, publish: BaseOperator, summarise: BaseOperator, dataset: Dataset
    ) -> None:
        with TaskGroup(group_id=dataset.name, tooltip=dataset.description):
            plan = PlanDevicesOperator(**self._task("plan_devices"), dataset=dataset.name)

            @task_group(group_id="device", tooltip="One device, from its order to its reconciliation")
            def device(item: Any) -> None:
                self._device(dataset, item)

            devices = device.expand(item=plan.output)
        begin >> plan
        # Also directly, so that a dataset with no device at all comes to its end.
        plan >> publish
        devices >> publish
        # One device that fails ends the wait of the event at once, but the others travel on.
        devices >> summarise

    def _device(self, dataset: Dataset, item: Any) -> None:
        common = {"dataset": dataset.name, "device": item, "map_index_template": _TITLE}
        by_copy = dataset.appliance is not None and dataset.appliance.ingest is Ingest.COPY

        def ask(task_id: str, state: str) -> DeviceStepOperator:
            return DeviceStepOperator(**self._task(task_id), **common, state=state)

        chain = [
            ask("order", "ordered"),
            ask("deliver", "delivered"),
            LoadDeviceOperator(**self._task("load"), **common),
            CheckDeviceOperator(**self._task("check"), **common),
            ask("ship", "shipped"),
            IngestDeviceOperator(**self._task("ingest"), **common) if by_copy else ask("ingest", "ingested"),
            ReconcileDeviceOperator(**self._task("reconcile"), **common),
        ]
        for before, after in pairwise(chain):
            before >> after
