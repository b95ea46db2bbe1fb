"""The DAG that drills the fail-over on a schedule: ``<migration>.drill``."""

from __future__ import annotations

from airflow.sdk import DAG, Param, TriggerRule

from heavylift.spec import LoadedSpec, Phase
from heavylift.spec.registry_phase import spec_for
from heavylift_airflow.context import REHEARSE
from heavylift_airflow.operators.begin import BeginRunOperator
from heavylift_airflow.operators.cutover_closing import SummariseSwitchOperator
from heavylift_airflow.operators.drills import DrillFailoverOperator
from heavylift_airflow.operators.workload import TryWorkloadOperator
from heavylift_airflow.phases.movement import cron_of, dag_settings
from heavylift_airflow.phases.parts import Parts

DRILL = "drill"
"""What the DAG is called; it belongs to the phase cutover, which can demand that it has passed."""


def drill_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG that drills a migration's fail-over, or None where its spec names no drills."""
    spec = loaded.spec
    if spec.cutover is None or spec.cutover.drills is None:
        return None
    seen = spec_for(spec, Phase.CUTOVER)
    with DAG(
        dag_id=f"{spec.migration}.{DRILL}",
        schedule=cron_of(spec.cutover.drills.schedule),
        # It freezes the target unasked, so somebody has to switch it on.
        is_paused_upon_creation=True,
        params={REHEARSE: Param(True, const=True, title="Nobody is moved", section="What it does")},
        **dag_settings(seen, Phase.CUTOVER, loaded.path),
    ) as dag:
        parts = Parts(seen, str(loaded.path.absolute()), Phase.CUTOVER)
        begin = BeginRunOperator(
            **parts.arguments("begin_run"), rival_dag_id=spec.dag_id(Phase.CUTOVER), gives_way=True
        )
        drilled = DrillFailoverOperator(**parts.arguments("drill"))
        # Of a drill that was put off there is nothing to say; of one that failed there is.
        word = SummariseSwitchOperator(
            **parts.arguments("summarise_run"), trigger_rule=TriggerRule.NONE_SKIPPED
        )
        begin >> drilled >> word
        if spec.workload_tests is not None and spec.workload_tests.continuity is not None:
            tried = TryWorkloadOperator(**parts.arguments("try_continuity"), kind="continuity")
            drilled >> tried >> word
    return dag
