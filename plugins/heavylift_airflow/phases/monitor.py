"""The DAG that watches: one mapped look for each watched thing and side, and one last word."""

from __future__ import annotations

from airflow.sdk import DAG, TriggerRule

from heavylift.spec import LoadedSpec, Phase
from heavylift.spec.watching import looks_of
from heavylift_airflow.operators.begin import BeginRunOperator
from heavylift_airflow.operators.monitor import SummariseMonitorOperator, WatchOperator
from heavylift_airflow.phases.movement import cron_of, dag_settings
from heavylift_airflow.phases.parts import Parts


def monitor_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG that watches for one spec, or None where it has no section ``monitor``."""
    spec = loaded.spec
    if spec.monitor is None:
        return None
    with DAG(
        dag_id=spec.dag_id(Phase.MONITOR),
        schedule=cron_of(spec.schedule.monitor),
        # Before there is data there is nothing to watch, so somebody has to switch it on.
        is_paused_upon_creation=True,
        **dag_settings(spec, Phase.MONITOR, loaded.path),
    ) as dag:
        parts = Parts(spec, str(loaded.path.absolute()), Phase.MONITOR)
        begin = BeginRunOperator(**parts.arguments("begin_run"))
        looks = WatchOperator.partial(
            **parts.arguments("look"), map_index_template="{{ task.watch_title }}"
        ).expand(item=_looks(loaded))
        summarise = SummariseMonitorOperator(
            **parts.arguments("summarise_run"), trigger_rule=TriggerRule.ALL_DONE
        )
        begin >> looks >> summarise
    return dag


def _looks(loaded: LoadedSpec) -> list[dict[str, str]]:
    return [{"watch": each.watch, "side": each.side} for each in looks_of(loaded.spec)]
