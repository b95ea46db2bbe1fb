"""The DAG that tests the moved workload: ``<migration>.workload_tests``, to be run when somebody wants to."""

from __future__ import annotations

from airflow.sdk import DAG

from heavylift.evidence.workload_records import KINDS
from heavylift.spec import LoadedSpec, Phase
from heavylift_airflow.operators.begin import BeginRunOperator
from heavylift_airflow.operators.workload import TryWorkloadOperator
from heavylift_airflow.phases.movement import dag_settings
from heavylift_airflow.phases.parts import Parts

WORKLOAD_TESTS = "workload_tests"
"""What the DAG is called; it belongs to the phase cutover, which can demand that it has passed."""


def workload_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG of a spec's workload tests, a task for each kind, or None where it has none."""
    spec = loaded.spec
    if spec.workload_tests is None:
        return None
    with DAG(
        dag_id=f"{spec.migration}.{WORKLOAD_TESTS}",
        schedule=None,
        **dag_settings(spec, Phase.CUTOVER, loaded.path),
    ) as dag:
        parts = Parts(spec, str(loaded.path.absolute()), Phase.CUTOVER)
        begin = BeginRunOperator(**parts.arguments("begin_run"))
        for kind in KINDS:
            if getattr(spec.workload_tests, kind):
                begin >> TryWorkloadOperator(**parts.arguments(f"try_{kind}"), kind=kind)
    return dag
