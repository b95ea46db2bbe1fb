"""The DAG that makes the target: files from the approved plan, a scan, two stages that a person approves."""

from __future__ import annotations

from collections.abc import Sequence

from airflow.sdk import DAG, BaseOperator, Param, TaskGroup, TriggerRule

from heavylift.evidence.infra_evidence import STAGES
from heavylift.evidence.infra_records import StageName
from heavylift.spec import LoadedSpec, Phase
from heavylift.spec.provision_stages import Stage, gates_of, gates_with
from heavylift.spec.registry_phase import spec_for
from heavylift.spec.vocabulary import Check
from heavylift_airflow.context import DESTROY
from heavylift_airflow.operators.begin import BeginRunOperator
from heavylift_airflow.operators.images import CopyImagesOperator, VerifyImagesOperator
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
from heavylift_airflow.phases.assets import phase_asset
from heavylift_airflow.phases.form import dry_run_param
from heavylift_airflow.phases.gates import add_gate
from heavylift_airflow.phases.movement import dag_settings
from heavylift_airflow.phases.parts import Parts


def provision_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG that makes one migration's target, or None without a section ``infrastructure``."""
    spec = loaded.spec
    if spec.infrastructure is None:
        return None
    seen = spec_for(spec, Phase.PROVISION)
    with DAG(
        dag_id=spec.dag_id(Phase.PROVISION),
        schedule=None,
        params={
            **dry_run_param("Generate, scan and plan the first stage; judge no gate and change nothing."),
            DESTROY: Param(
                False,
                type="boolean",
                title="Destroy",
                section="What to do",
                description="Destroy everything that was made: waves first, then the foundation. Each stage"
                " is planned, shown and approved like one that makes.",
            ),
        },
        **dag_settings(seen, Phase.PROVISION, loaded.path),
    ) as dag:
        _build(Parts(seen, str(loaded.path.absolute()), Phase.PROVISION))
    return dag


def _build(parts: Parts) -> None:
    """Add all tasks to the DAG that is being defined."""
    task = parts.arguments
    begin = BeginRunOperator(**task("begin_run"))
    generate = GenerateInfrastructureOperator(**task("generate"))
    scan = ScanInfrastructureOperator(**task("scan"))
    begin >> generate >> scan
    done: BaseOperator = scan
    for stage in STAGES:
        done = _stage(parts, stage, done)
    if parts.spec.secrets is not None:
        done = _moved(parts, done, [CopySecretsOperator(**task("copy_secrets"))], Check.SECRETS_EQUAL)
    if parts.spec.containers is not None:
        images = [CopyImagesOperator(**task("copy_images")), VerifyImagesOperator(**task("verify_images"))]
        done = _moved(parts, done, images, Check.IMAGES_EQUAL)
    publish = PublishInfrastructureOperator(
        **task("publish_result"), outlets=[phase_asset(parts.spec.migration, Phase.PROVISION)]
    )
    report = BuildInfrastructureReportOperator(**task("build_report"), trigger_rule=TriggerRule.ALL_DONE)
    last = SummariseInfrastructureOperator(**task("summarise_run"), trigger_rule=TriggerRule.ALL_DONE)
    done >> publish >> report >> last


def _stage(parts: Parts, stage: StageName, before: BaseOperator) -> BaseOperator:
    """Add one stage and return its last task: plan, gates, application."""
    tooltip = "The foundation where the run makes, the waves where it destroys; then the other"
    with TaskGroup(group_id=f"{stage}_stage", tooltip=tooltip if stage == "first" else "The other half"):
        plan = PlanInfrastructureOperator(**parts.arguments("plan"), stage=stage)
        before >> plan
        opened = [
            add_gate(
                parts.arguments,
                plan,
                gate,
                EvaluateInfrastructureGateOperator,
                ApproveInfrastructureOperator,
            )
            for gate in gates_of(Stage(stage), parts.spec.gates_for(Phase.PROVISION))
        ]
        apply = ApplyInfrastructureOperator(**parts.arguments("apply"), stage=stage)
        apply.set_upstream(opened)
    return apply


def _moved(parts: Parts, before: BaseOperator, acts: Sequence[BaseOperator], check: Check) -> BaseOperator:
    """Add what is moved after both stages and its gates, and return the last task.

    It follows both stages: by then Terraform has made the keys, the stores and the registries.
    """
    done = before
    for act in acts:
        done >> act
        done = act
    for gate in gates_with(check, parts.spec.gates_for(Phase.PROVISION)):
        done = add_gate(
            parts.arguments,
            done,
            gate,
            EvaluateInfrastructureGateOperator,
            ApproveInfrastructureOperator,
        )
    return done
