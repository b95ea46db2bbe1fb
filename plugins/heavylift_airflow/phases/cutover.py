"""The DAGs that switch a live workload: ``<migration>.cutover`` and, from any moment, ``.rollback``."""

from __future__ import annotations

from collections.abc import Iterator

from airflow.sdk import DAG, BaseOperator, Param, TaskGroup, TriggerRule

from heavylift.spec import LoadedSpec, Phase
from heavylift.spec.registry_phase import spec_for
from heavylift_airflow.context import CONFIRM, EARLY, REHEARSE, WITHOUT_TARGET
from heavylift_airflow.operators.begin import BeginRunOperator
from heavylift_airflow.operators.cutover import (
    CheckReadinessOperator,
    RehearseCutoverOperator,
    TakeTurnOperator,
)
from heavylift_airflow.operators.cutover_acts import (
    AnalyseCanaryOperator,
    FinaliseCutoverOperator,
    PromoteCutoverOperator,
    RollBackOperator,
    SettleSwitchOperator,
    ShiftTrafficOperator,
)
from heavylift_airflow.operators.cutover_closing import (
    ApproveCutoverOperator,
    BuildSwitchReportOperator,
    EvaluateCutoverGateOperator,
    PublishCutoverOperator,
    SummariseSwitchOperator,
)
from heavylift_airflow.phases.assets import phase_asset
from heavylift_airflow.phases.form import dry_run_param
from heavylift_airflow.phases.gates import add_gate
from heavylift_airflow.phases.movement import dag_settings
from heavylift_airflow.phases.parts import Parts
from heavylift_airflow.sensors.pause import WatchPauseSensor
from heavylift_airflow.sensors.soak import MOMENTS, SoakSensor

SHADOW = "shadow"
"""The step in which the target gets copies of requests only."""
EVERYTHING = 100
FINALISE = "finalise"
"""What the DAG is called that closes the way back; it belongs to the phase cutover."""
SOAK = "soak"
"""What the DAG is called that tells how far the soak is; it belongs to the phase cutover."""
MOST_SOAKS = 16


def cutover_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG that brings a migration's workload to the target, or None without a section cutover."""
    spec = loaded.spec
    if spec.cutover is None:
        return None
    seen = spec_for(spec, Phase.CUTOVER)
    with DAG(
        dag_id=spec.dag_id(Phase.CUTOVER),
        schedule=None,
        params={
            **dry_run_param("Look whether the workload can be switched; open no gate and move nobody."),
            REHEARSE: Param(
                False,
                type="boolean",
                title="Rehearse",
                section="What to do",
                description="Try every step that can be tried without moving anybody, and tell how long"
                " writes would have paused.",
            ),
        },
        **dag_settings(seen, Phase.CUTOVER, loaded.path),
    ) as dag:
        _build_cutover(Parts(seen, str(loaded.path.absolute()), Phase.CUTOVER))
    return dag


def rollback_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG that brings a migration's workload back to the source, or None without a cutover."""
    spec = loaded.spec
    if spec.cutover is None:
        return None
    seen = spec_for(spec, Phase.ROLLBACK)
    with DAG(
        dag_id=spec.dag_id(Phase.ROLLBACK),
        schedule=None,
        # Somebody who needs it needs it now, not once it is switched on.
        is_paused_upon_creation=False,
        params={
            **dry_run_param("Look where everything is; bring nothing back."),
            WITHOUT_TARGET: Param(
                None,
                type=["null", "string"],
                title="Without the target",
                section="What to do",
                description="Only where the target is gone for good: the digest of what is lost, by"
                " heavylift cutover losses. Who triggers this accepts just that.",
            ),
        },
        **dag_settings(seen, Phase.ROLLBACK, loaded.path),
    ) as dag:
        _build_rollback(Parts(seen, str(loaded.path.absolute()), Phase.ROLLBACK))
    return dag


def finalise_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG that closes the way back after the soak, or None without a section cutover."""
    spec = loaded.spec
    if spec.cutover is None:
        return None
    seen = spec_for(spec, Phase.CUTOVER)
    with DAG(
        dag_id=f"{spec.migration}.{FINALISE}",
        schedule=None,
        params={
            CONFIRM: Param(
                None,
                type=["null", "string"],
                title="Confirm",
                section="What to do",
                description="The migration's name. After this there is no rollback; nothing is deleted.",
            ),
            EARLY: Param(
                False,
                type="boolean",
                title="Before the soak is over",
                section="What to do",
                description="Close the way back although the soak that the spec asks for is not over.",
            ),
        },
        **dag_settings(seen, Phase.CUTOVER, loaded.path),
    ) as dag:
        parts = Parts(seen, str(loaded.path.absolute()), Phase.CUTOVER)
        begin = BeginRunOperator(**parts.arguments("begin_run"))
        begin >> FinaliseCutoverOperator(**parts.arguments("finalise"))
    return dag


def soak_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG that tells people how far the soak is, begun by each cutover; None without a section."""
    spec = loaded.spec
    if spec.cutover is None:
        return None
    seen = spec_for(spec, Phase.CUTOVER)
    settings = dag_settings(seen, Phase.CUTOVER, loaded.path)
    with DAG(
        dag_id=f"{spec.migration}.{SOAK}",
        schedule=[phase_asset(spec.migration, Phase.CUTOVER)],
        # It only tells, and a soak that nobody switched on would be forgotten.
        is_paused_upon_creation=False,
        # A cutover after a rollback begins another soak while the run of the first still waits; and a run of
        # days has no deadline of a cutover's.
        **{**settings, "max_active_runs": MOST_SOAKS, "deadline": None},
    ) as dag:
        parts = Parts(seen, str(loaded.path.absolute()), Phase.CUTOVER)
        before: BaseOperator | None = None
        for moment in MOMENTS:
            sensor = SoakSensor(**parts.arguments(f"soak_{moment}"), moment=moment)
            if before is not None:
                before >> sensor
            before = sensor
    return dag


def _build_cutover(parts: Parts) -> None:
    """Add all tasks to the DAG that is being defined."""
    task = parts.arguments
    begin = BeginRunOperator(**task("begin_run"))
    look = CheckReadinessOperator(**task("check_readiness"))
    rehearse = RehearseCutoverOperator(**task("rehearse"))
    begin >> look >> rehearse
    opened: list[BaseOperator] = [
        add_gate(parts.arguments, look, gate, EvaluateCutoverGateOperator, ApproveCutoverOperator)
        for gate in parts.spec.gates_for(Phase.CUTOVER)
    ]
    turn = TakeTurnOperator(**task("take_turn"))
    turn.set_upstream(opened or look)
    promote = PromoteCutoverOperator(**task("promote"))
    # In the triggerer, which goes on where scheduler and workers die; there before the first freeze.
    beside = WatchPauseSensor(**task("watch_pause"), watched=promote.task_id)
    beside.set_upstream(opened or look)
    watched: BaseOperator = turn
    for step in _steps(parts):
        watched = _step(parts, step, watched)
    watched >> promote
    settle = SettleSwitchOperator(**task("settle"))
    promote >> settle
    # Whatever became of the tasks between them, nothing stays between the sides.
    settle.as_teardown(setups=turn, on_failure_fail_dagrun=True)
    publish = PublishCutoverOperator(
        **task("publish_result"), outlets=[phase_asset(parts.spec.migration, Phase.CUTOVER)]
    )
    promote >> publish
    _close(parts, [publish, settle, rehearse, beside])


def _steps(parts: Parts) -> Iterator[str]:
    """Yield what comes before all requests go to the target: the shadow, then percentages below 100."""
    traffic = parts.spec.cutover.traffic if parts.spec.cutover else None
    if traffic is None:
        return
    if traffic.shadow:
        yield SHADOW
    yield from (str(step) for step in traffic.steps if step < EVERYTHING)


def _step(parts: Parts, step: str, before: BaseOperator) -> BaseOperator:
    """Add one step and return its last task: shift, then watch."""
    shadow = step == SHADOW
    tooltip = "Copies of requests, whose answers nobody sees" if shadow else f"{step} % of live requests"
    with TaskGroup(group_id=f"step_{step}", tooltip=tooltip):
        shift = ShiftTrafficOperator(
            **parts.arguments("shift"),
            target_percent=0 if shadow else int(step),
            mirror_percent=EVERYTHING if shadow else 0,
        )
        analyse = AnalyseCanaryOperator(**parts.arguments("analyse"), step=step)
        before >> shift >> analyse
    return analyse


def _build_rollback(parts: Parts) -> None:
    """Add all tasks to the DAG that is being defined."""
    task = parts.arguments
    begin = BeginRunOperator(**task("begin_run"))
    back = RollBackOperator(**task("roll_back"))
    beside = WatchPauseSensor(**task("watch_pause"), watched=back.task_id)
    begin >> back
    _close(parts, [back, beside])


def _close(parts: Parts, last: list[BaseOperator]) -> None:
    report = BuildSwitchReportOperator(**parts.arguments("build_report"), trigger_rule=TriggerRule.ALL_DONE)
    word = SummariseSwitchOperator(**parts.arguments("summarise_run"), trigger_rule=TriggerRule.ALL_DONE)
    report.set_upstream(last)
    report >> word
