"""The DAG that makes the target: infrastructure in two stages that a person approves, and parts beside it."""

from __future__ import annotations

from airflow.sdk import DAG, BaseOperator, Param, TaskGroup, TriggerRule

from heavylift.evidence.infra_evidence import STAGES
from heavylift.evidence.infra_records import StageName
from heavylift.spec import Gate, LoadedSpec, Phase
from heavylift.spec.provision_parts import TRANSLATED, Part
from heavylift.spec.provision_stages import Stage, gates_of, gates_of_part
from heavylift.spec.registry_phase import spec_for
from heavylift_airflow.context import DESTROY
from heavylift_airflow.operators.access import TranslateAccessOperator, VerifyAccessOperator
from heavylift_airflow.operators.alerts import TranslateAlertsOperator
from heavylift_airflow.operators.base import HeavyliftOperator
from heavylift_airflow.operators.begin import BeginRunOperator
from heavylift_airflow.operators.endpoints import (
    ApplyEndpointsOperator,
    PlanEndpointsOperator,
    RemoveEndpointsOperator,
    VerifyEndpointsOperator,
)
from heavylift_airflow.operators.images import CopyImagesOperator, VerifyImagesOperator
from heavylift_airflow.operators.parts import TranslateManifestsOperator, TranslatePipelinesOperator
from heavylift_airflow.operators.provision import (
    ApplyInfrastructureOperator,
    GenerateInfrastructureOperator,
    PlanInfrastructureOperator,
    ScanInfrastructureOperator,
)
from heavylift_airflow.operators.provision_closing import (
    ApproveInfrastructureOperator,
    BuildInfrastructureReportOperator,
    EvaluateInfrastructureGateOperator,
    PublishInfrastructureOperator,
    SummariseInfrastructureOperator,
)
from heavylift_airflow.operators.secrets import CopySecretsOperator
from heavylift_airflow.operators.training import TranslateAutoscalingOperator, TranslateTrainingOperator
from heavylift_airflow.operators.volumes import MoveVolumesOperator
from heavylift_airflow.phases.assets import phase_asset
from heavylift_airflow.phases.form import dry_run_param
from heavylift_airflow.phases.gates import add_gate
from heavylift_airflow.phases.movement import dag_settings
from heavylift_airflow.phases.parts import Parts

_DESTROY = Param(
    False,
    type="boolean",
    title="Destroy",
    section="What to do",
    description="Destroy everything that was made: waves first, then the foundation. Each stage is planned,"
    " shown and approved like one that makes.",
)
_OPERATORS: dict[Part, tuple[str, type[HeavyliftOperator]]] = {
    Part.PIPELINES: ("translate_pipelines", TranslatePipelinesOperator),
    Part.ACCESS: ("translate_access", TranslateAccessOperator),
    Part.MANIFESTS: ("translate_manifests", TranslateManifestsOperator),
    Part.VOLUMES: ("move_volumes", MoveVolumesOperator),
    Part.TRAINING: ("translate_training", TranslateTrainingOperator),
    Part.AUTOSCALING: ("translate_autoscaling", TranslateAutoscalingOperator),
    Part.ALERTS: ("translate_alerts", TranslateAlertsOperator),
}


def provision_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG that makes one migration's target, or None where its spec has nothing for it to make."""
    spec = loaded.spec
    if not spec.parts:
        return None
    seen = spec_for(spec, Phase.PROVISION)
    params = dry_run_param("Generate, translate, scan, plan the first stage; judge no gate, change nothing.")
    if spec.infrastructure is not None or spec.endpoints:
        params |= {DESTROY: _DESTROY}
    with DAG(
        dag_id=spec.dag_id(Phase.PROVISION),
        schedule=None,
        params=params,
        **dag_settings(seen, Phase.PROVISION, loaded.path),
    ) as dag:
        _build(Parts(seen, str(loaded.path.absolute()), Phase.PROVISION))
    return dag


def _build(parts: Parts) -> None:
    """Add all tasks to the DAG that is being defined."""
    task = parts.arguments
    begin = BeginRunOperator(**task("begin_run"))
    named = parts.spec.parts
    made: BaseOperator = _endpoints_removal(parts, begin) if Part.ENDPOINTS in named else begin
    if Part.INFRASTRUCTURE in named:
        made = _infrastructure(parts, made)
    if Part.SECRETS in named:
        # By then Terraform has made the key, the store and the shells.
        made = _judged(parts, made, "copy_secrets", CopySecretsOperator, Part.SECRETS)
    if Part.IMAGES in named:
        copied = CopyImagesOperator(**task("copy_images"))
        made >> copied
        made = _judged(parts, copied, "verify_images", VerifyImagesOperator, Part.IMAGES)
    if Part.ENDPOINTS in named:
        # By then their images, secrets and shells are there.
        made = _endpoints(parts, made)
    done = [] if made is begin else [made]
    done += [_translated(parts, begin, part) for part in TRANSLATED if part in named]
    publish = PublishInfrastructureOperator(
        **task("publish_result"), outlets=[phase_asset(parts.spec.migration, Phase.PROVISION)]
    )
    report = BuildInfrastructureReportOperator(**task("build_report"), trigger_rule=TriggerRule.ALL_DONE)
    last = SummariseInfrastructureOperator(**task("summarise_run"), trigger_rule=TriggerRule.ALL_DONE)
    done >> publish >> report >> last
    # Not by way of the publication alone: that is skipped as soon as one part is, while others are at work.
    done >> report


def _endpoints(parts: Parts, before: BaseOperator) -> BaseOperator:
    """Add what brings endpoints up, and return the last task."""
    with TaskGroup(group_id="endpoints", tooltip="Models, endpoints, deployments and traffic on the target"):
        planned = _judged(parts, before, "plan_endpoints", PlanEndpointsOperator, Part.ENDPOINTS)
        apply = ApplyEndpointsOperator(**parts.arguments("apply_endpoints"))
        planned >> apply
        return _judged(parts, apply, "verify_endpoints", VerifyEndpointsOperator, Part.SERVING)


def _endpoints_removal(parts: Parts, begin: BaseOperator) -> BaseOperator:
    """Add what a run that destroys does first, and any other passes by; return the last task."""
    with TaskGroup(group_id="endpoints_removal", tooltip="Where the run destroys: endpoints go first"):
        plan = PlanEndpointsOperator(**parts.arguments("plan_removal"), removal=True)
        begin >> plan
        opened = [
            _gate(parts, plan, gate)
            for gate in gates_of_part(Part.ENDPOINTS_REMOVAL, parts.spec.gates_for(Phase.PROVISION))
        ]
        # In a run that makes, the gate is passed by; that this run destroys was approved, it looks up itself.
        remove = RemoveEndpointsOperator(
            **parts.arguments("remove_endpoints"), trigger_rule=TriggerRule.NONE_FAILED
        )
        remove.set_upstream(opened or [plan])
    return remove


def _infrastructure(parts: Parts, begin: BaseOperator) -> BaseOperator:
    """Add what Terraform does, and return the last task."""
    generate = GenerateInfrastructureOperator(**parts.arguments("generate"))
    scan = ScanInfrastructureOperator(**parts.arguments("scan"))
    begin >> generate >> scan
    done: BaseOperator = scan
    for stage in STAGES:
        done = _stage(parts, stage, done)
    return done


def _stage(parts: Parts, stage: StageName, before: BaseOperator) -> BaseOperator:
    """Add one stage and return its last task: plan, gates, application."""
    tooltip = "The foundation where the run makes, the waves where it destroys; then the other"
    with TaskGroup(group_id=f"{stage}_stage", tooltip=tooltip if stage == "first" else "The other half"):
        plan = PlanInfrastructureOperator(**parts.arguments("plan"), stage=stage)
        before >> plan
        gates = gates_of(Stage(stage), parts.spec.gates_for(Phase.PROVISION))
        opened = [_gate(parts, plan, gate) for gate in gates]
        apply = ApplyInfrastructureOperator(**parts.arguments("apply"), stage=stage)
        apply.set_upstream(opened)
    return apply


def _translated(parts: Parts, begin: BaseOperator, part: Part) -> BaseOperator:
    """Add a part beside the infrastructure, and return its last task."""
    tooltip = "Written to the evidence, applied by nobody here"
    with TaskGroup(group_id=part.value, tooltip="Jobs on both clusters" if part is Part.VOLUMES else tooltip):
        last = _judged(parts, begin, *_OPERATORS[part], part)
        if part is Part.ACCESS and Part.TARGET_ACCESS in parts.spec.parts:
            last = _judged(parts, last, "verify_access", VerifyAccessOperator, Part.TARGET_ACCESS)
    return last


def _judged(
    parts: Parts, before: BaseOperator, name: str, kind: type[HeavyliftOperator], part: Part
) -> BaseOperator:
    """Add a task and the gates of its part, one after the other, and return the last."""
    task = kind(**parts.arguments(name))
    before >> task
    done: BaseOperator = task
    for gate in gates_of_part(part, parts.spec.gates_for(Phase.PROVISION)):
        done = _gate(parts, done, gate)
    return done


def _gate(parts: Parts, before: BaseOperator, gate: Gate) -> BaseOperator:
    return add_gate(
        parts.arguments, before, gate, EvaluateInfrastructureGateOperator, ApproveInfrastructureOperator
    )
