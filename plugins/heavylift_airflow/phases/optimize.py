"""The DAG that optimises: trials, sizes and purchases, what is proposed of them, and a person's approval."""

from __future__ import annotations

from airflow.sdk import DAG, TriggerRule

from heavylift.spec import LoadedSpec, Phase
from heavylift.spec.registry_phase import spec_for
from heavylift_airflow.operators.begin import BeginRunOperator
from heavylift_airflow.operators.optimize import (
    MeasureTrialsOperator,
    OptimizeOperator,
    ProposeChangesOperator,
    PurchaseMixOperator,
    RightsizeOperator,
)
from heavylift_airflow.operators.optimize_closing import (
    ApproveChangesOperator,
    BuildOptimizeReportOperator,
    EvaluateOptimizeGateOperator,
    PublishOptimizeOperator,
    SummariseOptimizeOperator,
)
from heavylift_airflow.phases.assets import phase_asset
from heavylift_airflow.phases.form import dry_run_param
from heavylift_airflow.phases.gates import add_gate
from heavylift_airflow.phases.movement import dag_settings
from heavylift_airflow.phases.parts import Parts


def optimize_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG that optimises one migration's target, or None without a section ``optimize``."""
    spec = loaded.spec
    if spec.optimize is None:
        return None
    seen = spec_for(spec, Phase.OPTIMIZE)
    with DAG(
        dag_id=spec.dag_id(Phase.OPTIMIZE),
        schedule=None,
        params=dry_run_param("Reckon sizes and purchases and propose; start no server, judge no gate."),
        **dag_settings(seen, Phase.OPTIMIZE, loaded.path),
    ) as dag:
        _build(Parts(seen, str(loaded.path.absolute()), Phase.OPTIMIZE))
    return dag


def _build(parts: Parts) -> None:
    """Add all tasks to the DAG that is being defined."""
    task, wanted = parts.arguments, parts.spec.optimize
    begin = BeginRunOperator(**task("begin_run"))
    # What has failed is not proposed on; what a dry run leaves out does not stand in the way.
    propose = ProposeChangesOperator(**task("propose"), trigger_rule=TriggerRule.NONE_FAILED)
    begin >> propose
    kinds: tuple[tuple[type[OptimizeOperator], str, str], ...] = (
        (MeasureTrialsOperator, "measure_trials", "trials"),
        (RightsizeOperator, "rightsize", "rightsizing"),
        (PurchaseMixOperator, "purchase_mix", "purchases"),
    )
    for kind, task_id, section in kinds:
        names = [each.name for each in getattr(wanted, section, ())]
        if names:
            judged = kind.partial(
                **task(task_id),
                map_index_template="{{ task.item }}",
                # Servers of two studies on one machine would slow each other down.
                max_active_tis_per_dagrun=1 if kind is MeasureTrialsOperator else None,
            ).expand(item=names)
            begin >> judged >> propose
    opened = [
        add_gate(task, propose, gate, EvaluateOptimizeGateOperator, ApproveChangesOperator)
        for gate in parts.spec.gates_for(Phase.OPTIMIZE)
    ]
    publish = PublishOptimizeOperator(
        **task("publish_result"), outlets=[phase_asset(parts.spec.migration, Phase.OPTIMIZE)]
    )
    report = BuildOptimizeReportOperator(**task("build_report"), trigger_rule=TriggerRule.ALL_DONE)
    last = SummariseOptimizeOperator(**task("summarise_run"), trigger_rule=TriggerRule.ALL_DONE)
    publish.set_upstream(opened)
    publish >> report >> last
