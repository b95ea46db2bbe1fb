"""The DAGs that give a source up: ``<migration>.decommission``, and ``.restore``, which brings it back."""

from __future__ import annotations

from airflow.sdk import DAG, BaseOperator, TriggerRule

from heavylift.spec import Gate, LoadedSpec, Phase
from heavylift.spec.vocabulary import Check
from heavylift_airflow.operators.begin import BeginRunOperator
from heavylift_airflow.operators.decommission import (
    CertifyDeletionOperator,
    CheckSourceUnusedOperator,
    DeleteSourceOperator,
    DisableSourceOperator,
    EvaluateLeavingGateOperator,
    PlanDecommissionOperator,
    RestoreSourceOperator,
)
from heavylift_airflow.operators.decommission_closing import (
    BuildLeavingReportOperator,
    SummariseLeavingOperator,
)
from heavylift_airflow.phases.form import dry_run_param
from heavylift_airflow.phases.gates import add_gate
from heavylift_airflow.phases.movement import dag_settings
from heavylift_airflow.phases.parts import Parts
from heavylift_airflow.sensors.grace import GraceSensor

RESTORE = "restore"
"""What the DAG is called that brings a source back; it belongs to the phase decommission."""


def decommission_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG that gives the source up, or None without a section decommission."""
    spec = loaded.spec
    if spec.decommission is None:
        return None
    with DAG(
        dag_id=spec.dag_id(Phase.DECOMMISSION),
        schedule=None,
        params=dry_run_param("Look whether anybody uses the source; plan and change nothing."),
        **dag_settings(spec, Phase.DECOMMISSION, loaded.path),
    ) as dag:
        _build(Parts(spec, str(loaded.path.absolute()), Phase.DECOMMISSION))
    return dag


def restore_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG that brings the source back, or None without a section decommission."""
    spec = loaded.spec
    if spec.decommission is None:
        return None
    with DAG(
        dag_id=f"{spec.migration}.{RESTORE}",
        schedule=None,
        # Somebody who needs it needs it now, not once it is switched on.
        is_paused_upon_creation=False,
        **dag_settings(spec, Phase.DECOMMISSION, loaded.path),
    ) as dag:
        parts = Parts(spec, str(loaded.path.absolute()), Phase.DECOMMISSION)
        BeginRunOperator(**parts.arguments("begin_run")) >> RestoreSourceOperator(**parts.arguments(RESTORE))
    return dag


def _build(parts: Parts) -> None:
    """Add all tasks to the DAG that is being defined."""
    task = parts.arguments
    begin = BeginRunOperator(**task("begin_run"))
    look = CheckSourceUnusedOperator(**task("check_unused"))
    plan = PlanDecommissionOperator(**task("plan"))
    planned = _gate(parts, plan, Check.SOURCE_UNUSED)
    disable = DisableSourceOperator(**task("disable"))
    grace = GraceSensor(**task("wait_grace"))
    again = CheckSourceUnusedOperator(**task("check_again"), meanwhile=True)
    agreed = _gate(parts, again, Check.GRACE_OVER)
    delete = DeleteSourceOperator(**task("delete"))
    certify = CertifyDeletionOperator(**task("certify"))
    report = BuildLeavingReportOperator(**task("build_report"), trigger_rule=TriggerRule.ALL_DONE)
    word = SummariseLeavingOperator(**task("summarise_run"), trigger_rule=TriggerRule.ALL_DONE)
    begin >> look >> plan
    planned >> disable >> grace >> again
    agreed >> delete >> certify >> report >> word


def _gate(parts: Parts, proved: BaseOperator, check: Check) -> BaseOperator:
    gate: Gate = next(each for each in parts.spec.gates_for(Phase.DECOMMISSION) if check in each.checks)
    return add_gate(parts.arguments, proved, gate, EvaluateLeavingGateOperator)
