"""The DAG that looks for drift on the clock: one task, which changes nothing and asks nobody."""

from __future__ import annotations

from airflow.sdk import DAG

from heavylift.spec import LoadedSpec, Phase
from heavylift.spec.registry_phase import spec_for
from heavylift_airflow.operators.provision import DetectDriftOperator
from heavylift_airflow.phases.movement import cron_of, dag_settings
from heavylift_airflow.phases.parts import Parts

DRIFT = "drift"
"""What the DAG is called, after the migration's name; it belongs to the phase provision."""


def drift_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG, or None where the spec has no ``schedule.drift`` or no infrastructure."""
    spec = loaded.spec
    if spec.infrastructure is None or spec.schedule.drift is None:
        return None
    seen = spec_for(spec, Phase.PROVISION)
    with DAG(
        dag_id=f"{spec.migration}.{DRIFT}",
        schedule=cron_of(spec.schedule.drift),
        # Before anything is applied there is nothing to look at, so somebody has to switch it on.
        is_paused_upon_creation=True,
        **dag_settings(seen, Phase.PROVISION, loaded.path),
    ) as dag:
        parts = Parts(seen, str(loaded.path.absolute()), Phase.PROVISION)
        DetectDriftOperator(**parts.arguments("detect_drift"))
    return dag
