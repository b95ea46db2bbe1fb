"""The DAG that looks at the source: inventory, graph, findings and plan; then its gate, and a person."""

from __future__ import annotations

from airflow.sdk import DAG, BaseOperator, TaskGroup, TriggerRule

from heavylift.spec import LoadedSpec, Phase
from heavylift.spec.measured import utilisation_connections
from heavylift_airflow.operators.assess import MakeGraphOperator, MakePlanOperator, TakeInventoryOperator
from heavylift_airflow.operators.assess_closing import (
    BuildPlanReportOperator,
    EvaluatePlanGateOperator,
    PublishPlanOperator,
    SummarisePlanOperator,
)
from heavylift_airflow.operators.baselines import MeasureBaselineOperator, MeasureUtilisationOperator
from heavylift_airflow.operators.begin import BeginRunOperator
from heavylift_airflow.operators.quotas import ReadQuotasOperator
from heavylift_airflow.phases.assets import phase_asset
from heavylift_airflow.phases.form import dry_run_param
from heavylift_airflow.phases.gates import add_gate
from heavylift_airflow.phases.movement import dag_settings
from heavylift_airflow.phases.parts import Parts


def assess_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG that assesses one spec's source, or None where it has no section ``assess``."""
    spec = loaded.spec
    if spec.assess is None:
        return None
    with DAG(
        dag_id=spec.dag_id(Phase.ASSESS),
        schedule=None,
        params=dry_run_param("Make inventory, graph, plan and report; judge no gate and ask nobody."),
        **dag_settings(spec, Phase.ASSESS, loaded.path),
    ) as dag:
        _build(Parts(spec, str(loaded.path.absolute()), Phase.ASSESS))
    return dag


def _build(parts: Parts) -> None:
    """Add all tasks to the DAG that is being defined."""
    spec, task = parts.spec, parts.arguments
    begin = BeginRunOperator(**task("begin_run"))
    inventory = TakeInventoryOperator(**task("take_inventory"))
    inventory_connection = (spec.assess.connection if spec.assess else None) or spec.source.connection
    beside = [
        (each.connection, _listed_beside(parts, f"also_{number}", each.connection))
        for number, each in enumerate(spec.assess.also if spec.assess else (), 1)
    ]
    graph = MakeGraphOperator(**task("make_graph"))
    plan = MakePlanOperator(**task("make_plan"))
    begin >> [inventory, *(listed for _, listed in beside)] >> graph
    [graph, *_quotas(parts, begin)] >> plan
    # Whoever is asked looks at the pictures first: the report is there before the question.
    report = BuildPlanReportOperator(**task("build_report"), trigger_rule=TriggerRule.ALL_DONE)
    used = _used(parts, {inventory_connection: inventory, **dict(beside)})
    [plan, *used, *_baselines(parts, begin)] >> report
    opened = [add_gate(task, report, gate, EvaluatePlanGateOperator) for gate in spec.gates_for(Phase.ASSESS)]
    publish = PublishPlanOperator(
        **task("publish_result"), outlets=[phase_asset(spec.migration, Phase.ASSESS)]
    )
    final = BuildPlanReportOperator(**task("build_final_report"), trigger_rule=TriggerRule.ALL_DONE)
    summarise = SummarisePlanOperator(**task("summarise_run"), trigger_rule=TriggerRule.ALL_DONE)
    publish.set_upstream(opened or [plan])
    publish >> final >> summarise


def _quotas(parts: Parts, begin: BaseOperator) -> list[BaseOperator]:
    """Add a task for each region whose quotas are wanted; the plan is judged by them."""
    made: list[BaseOperator] = []
    for number, each in enumerate(parts.spec.assess.quotas if parts.spec.assess else (), 1):
        name = f"{each.platform.value} {each.region}"
        with TaskGroup(group_id=f"quotas_{number}", group_display_name=name, tooltip="What is allowed there"):
            task = ReadQuotasOperator(
                **parts.arguments("read_quotas"), connection=each.connection, region=each.region
            )
        task.set_upstream(begin)
        made.append(task)
    return made


def _used(parts: Parts, listed: dict[str, BaseOperator]) -> list[BaseOperator]:
    """Add a task for each inventory whose machines' use is wanted; it needs to know what there is."""
    made: list[BaseOperator] = []
    for number, connection in enumerate(utilisation_connections(parts.spec), 1):
        with TaskGroup(group_id=f"use_{number}", group_display_name=connection, tooltip="What machines use"):
            task = MeasureUtilisationOperator(**parts.arguments("measure_utilisation"), source=connection)
        task.set_upstream(listed[connection])
        made.append(task)
    return made


def _baselines(parts: Parts, begin: BaseOperator) -> list[BaseOperator]:
    """Add the measurements of live endpoints, one after the other: they would be each other's noise."""
    measured: list[BaseOperator] = []
    for number, wanted in enumerate(parts.spec.assess.baselines if parts.spec.assess else (), 1):
        with TaskGroup(
            group_id=f"endpoint_{number}", group_display_name=wanted.connection, tooltip="A live endpoint"
        ):
            task = MeasureBaselineOperator(
                **parts.arguments("measure_baseline"),
                endpoint=wanted.connection,
                trigger_rule=TriggerRule.ALL_DONE if measured else TriggerRule.ALL_SUCCESS,
            )
        task.set_upstream(measured[-1] if measured else begin)
        measured.append(task)
    return measured


def _listed_beside(parts: Parts, group: str, connection: str) -> BaseOperator:
    """Add the inventory of what the spec names beside its source."""
    # A connection's id may have signs that a group's may not.
    with TaskGroup(group_id=group, group_display_name=connection, tooltip="Beside the source"):
        return TakeInventoryOperator(**parts.arguments("take_inventory"), beside=connection)
