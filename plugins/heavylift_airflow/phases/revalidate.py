"""The DAG that proves models: each is checked, run on both sides, and compared; then its gate is judged."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, TriggerRule, task_group

from heavylift.spec import LoadedSpec, Phase
from heavylift_airflow.notifying import deadlines_of
from heavylift_airflow.operators.begin import BeginRunOperator
from heavylift_airflow.operators.models import (
    CheckModelOperator,
    ConvertModelOperator,
    RevalidateModelOperator,
)
from heavylift_airflow.operators.models_closing import (
    BuildModelsReportOperator,
    EvaluateModelsGateOperator,
    PublishModelsOperator,
    SummariseModelsOperator,
    model_versions,
)
from heavylift_airflow.phases.assets import phase_asset
from heavylift_airflow.phases.form import dry_run_param
from heavylift_airflow.phases.gates import add_gate
from heavylift_airflow.phases.movement import EPOCH, default_args
from heavylift_airflow.phases.runbook import dag_document, read_runbook

AT_ONCE = 2
"""Models that are compared at the same time on one migration: their durations disturb each other."""


def revalidate_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG that revalidates one spec's models, or None where it has none."""
    spec = loaded.spec
    if not spec.models:
        return None
    with DAG(
        dag_id=spec.dag_id(Phase.REVALIDATE),
        description=spec.description.strip().split("\n")[0] or None,
        doc_md=dag_document(spec, Phase.REVALIDATE),
        schedule=None,
        start_date=EPOCH,
        catchup=False,
        max_active_runs=1,
        tags={f"migration:{spec.migration}", f"phase:{Phase.REVALIDATE.value}"},
        params=dry_run_param("Check the models only; run none, open no gate."),
        deadline=deadlines_of(spec, Phase.REVALIDATE, str(loaded.path.absolute())) or None,
        default_args=default_args(spec),
    ) as dag:
        _Builder(loaded).build()
    return dag


class _Builder:
    """Puts the tasks of one DAG together."""

    def __init__(self, loaded: LoadedSpec) -> None:
        self._spec = loaded.spec
        self._common = {"spec_path": str(loaded.path.absolute()), "phase": Phase.REVALIDATE.value}
        self._runbook = read_runbook(Phase.REVALIDATE)

    def build(self) -> None:
        """Add all tasks to the DAG that is being defined."""
        # A registry that is being copied holds half a model now and then.
        rival = self._spec.dag_id(Phase.REGISTRY)
        begin = BeginRunOperator(**self._task("begin_run"), rival_dag_id=rival, gives_way=False)
        models = [{"model": name, "version": version} for name, version in model_versions(self._spec)]

        @task_group(group_id="model", tooltip="One version of a model")
        def one_model(item: Any) -> None:
            self._model(item)

        proved = one_model.expand(item=models)
        begin >> proved
        opened = [
            add_gate(self._task, proved, gate, EvaluateModelsGateOperator)
            for gate in self._spec.gates_for(Phase.REVALIDATE)
        ]
        publish = PublishModelsOperator(
            **self._task("publish_result"), outlets=[phase_asset(self._spec.migration, Phase.REVALIDATE)]
        )
        report = BuildModelsReportOperator(**self._task("build_report"), trigger_rule=TriggerRule.ALL_DONE)
        summarise = SummariseModelsOperator(**self._task("summarise_run"), trigger_rule=TriggerRule.ALL_DONE)
        publish.set_upstream(opened)
        publish >> report >> summarise

    def _task(self, task_id: str) -> dict[str, Any]:
        return {**self._common, "task_id": task_id, "doc_md": self._runbook.task(task_id)}

    def _model(self, item: Any) -> None:
        """Add the tasks of one version; one that may not go is not run, and the others are."""
        common = {"model": item, "map_index_template": "{{ task.model_title }}"}
        check = CheckModelOperator(**self._task("check_model"), **common)
        # A model that endpoints answer for has no files, and its check is skipped.
        compare = RevalidateModelOperator(
            **self._task("revalidate_model"),
            **common,
            trigger_rule=TriggerRule.NONE_FAILED,
            max_active_tis_per_dagrun=AT_ONCE,
        )
        check >> compare
        if any(model.convert_to for model in self._spec.models):
            # What is not proved on the target gets no further form.
            compare >> ConvertModelOperator(
                **self._task("convert_model"), **common, max_active_tis_per_dagrun=AT_ONCE
            )
