"""The DAG of registries and feature stores: copied, brought up to date again and again, proved each time."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, BaseOperator, TaskGroup, TriggerRule

from heavylift.spec import LoadedSpec, Phase
from heavylift.spec.registry_phase import artifacts_of, may_go_back, spec_for, switched_registries
from heavylift.spec.sections_data import FeatureStore, Registry
from heavylift_airflow.operators.begin import BeginRunOperator
from heavylift_airflow.operators.features import (
    CopyFeatureStoreOperator,
    PreflightFeatureStoreOperator,
    VerifyFeatureStoreOperator,
)
from heavylift_airflow.operators.registries import (
    CopyRegistryOperator,
    PreflightRegistryOperator,
    VerifyRegistryOperator,
)
from heavylift_airflow.operators.registries_following import SyncRegistryOperator
from heavylift_airflow.phases.compliance import add_compliance
from heavylift_airflow.phases.form import form_params, way_back_params
from heavylift_airflow.phases.movement import cron_of, dag_settings
from heavylift_airflow.phases.parts import Parts


def registry_dag(loaded: LoadedSpec) -> DAG | None:
    """Return the DAG of one spec's registries and feature stores, or None where it has none."""
    spec = spec_for(loaded.spec, Phase.REGISTRY)
    if not (spec.registries or spec.feature_stores):
        return None
    with DAG(
        dag_id=spec.dag_id(Phase.REGISTRY),
        schedule=cron_of(spec.schedule.registry),
        # With a schedule it writes unasked, so somebody has to switch it on.
        is_paused_upon_creation=True if spec.schedule.registry else None,
        params=form_params(Phase.REGISTRY)
        | way_back_params([each.name for each in spec.registries if may_go_back(each)]),
        **dag_settings(spec, Phase.REGISTRY, loaded.path),
    ) as dag:
        parts = Parts(spec, str(loaded.path.absolute()), Phase.REGISTRY)
        begin = BeginRunOperator(**parts.arguments("begin_run"))
        first = add_compliance(parts.arguments, Phase.REGISTRY, begin, spec)
        proved = [_registry(parts, first, registry) for registry in spec.registries]
        proved += [_feature_store(parts, first, each) for each in spec.feature_stores]
        parts.finish(proved, spec.gates_for(Phase.REGISTRY))
    return dag


def _registry(parts: Parts, begin: BaseOperator, registry: Registry) -> BaseOperator:
    """Add one registry's tasks, its artifacts' among them, and return the last of them.

    Artifacts follow what names them, so that whatever the target's server tells of is there at the end.
    """
    name = registry.name
    rule: dict[str, Any] = {"trigger_rule": TriggerRule.NONE_FAILED}
    switched = registry in switched_registries(parts.spec)
    with TaskGroup(group_id=f"registry_{name}", tooltip=registry.description):
        preflight = PreflightRegistryOperator(**parts.arguments("preflight_registry"), registry=name)
        copy = CopyRegistryOperator(**parts.arguments("copy_registry"), registry=name)
        # A copy that is there already skips the task before.
        sync = SyncRegistryOperator(**parts.arguments("sync_registry"), registry=name, begin=switched, **rule)
        verify = VerifyRegistryOperator(**parts.arguments("verify_registry"), registry=name, **rule)
        begin >> preflight >> copy >> sync
    moved = [parts.dataset(sync, dataset) for dataset in artifacts_of(parts.spec, registry)]
    verify.set_upstream(moved or [sync])
    return verify


def _feature_store(parts: Parts, begin: BaseOperator, store: FeatureStore) -> BaseOperator:
    """Add one feature store's tasks, and return the last of them."""
    with TaskGroup(group_id=f"features_{store.name}", tooltip=store.description):
        preflight = PreflightFeatureStoreOperator(**parts.arguments("preflight_features"), store=store.name)
        copy = CopyFeatureStoreOperator(**parts.arguments("copy_features"), store=store.name)
        verify = VerifyFeatureStoreOperator(**parts.arguments("verify_features"), store=store.name)
        begin >> preflight >> copy >> verify
    return verify
