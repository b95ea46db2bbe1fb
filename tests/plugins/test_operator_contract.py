"""What every operator and sensor promises Airflow: no work before it runs, and to travel whole."""

from __future__ import annotations

import json
import pickle
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.serialization.serialized_objects import DagSerialization

from heavylift_airflow.operators.access import TranslateAccessOperator, VerifyAccessOperator
from heavylift_airflow.operators.appliance import (
    CheckDeviceOperator,
    IngestDeviceOperator,
    LoadDeviceOperator,
    PlanDevicesOperator,
    ReconcileDeviceOperator,
)
from heavylift_airflow.operators.appliance_closing import PublishShipmentOperator, SummariseShipmentOperator
from heavylift_airflow.operators.appliance_steps import DeviceStepOperator
from heavylift_airflow.operators.assess import MakeGraphOperator, MakePlanOperator, TakeInventoryOperator
from heavylift_airflow.operators.assess_closing import (
    BuildPlanReportOperator,
    EvaluatePlanGateOperator,
    PublishPlanOperator,
    SummarisePlanOperator,
)
from heavylift_airflow.operators.begin import BeginRunOperator
from heavylift_airflow.operators.checks import CheckDatasetOperator
from heavylift_airflow.operators.closing import (
    BuildReportOperator,
    PublishPhaseOperator,
    SummariseRunOperator,
)
from heavylift_airflow.operators.deletes import DeleteGoneOperator
from heavylift_airflow.operators.features import (
    CopyFeatureStoreOperator,
    PreflightFeatureStoreOperator,
    VerifyFeatureStoreOperator,
)
from heavylift_airflow.operators.gates import EvaluateGateOperator, GateApprovalOperator
from heavylift_airflow.operators.models import CheckModelOperator, RevalidateModelOperator
from heavylift_airflow.operators.models_closing import (
    BuildModelsReportOperator,
    EvaluateModelsGateOperator,
    PublishModelsOperator,
    SummariseModelsOperator,
)
from heavylift_airflow.operators.registries import (
    CopyRegistryOperator,
    PreflightRegistryOperator,
    VerifyRegistryOperator,
)
from heavylift_airflow.operators.registries_following import SwitchRegistryOperator, SyncRegistryOperator
from heavylift_airflow.operators.services.azcopy import RunAzCopyOperator
from heavylift_airflow.operators.services.run import RunServiceOperator
from heavylift_airflow.operators.streams import (
    MirrorStreamOperator,
    TranslateGroupsOperator,
    VerifyStreamOperator,
)
from heavylift_airflow.operators.tables import (
    PreflightTablesOperator,
    SnapshotTablesOperator,
    VerifyTablesOperator,
)
from heavylift_airflow.operators.tables_changes import (
    DrainChangesOperator,
    EndStreamOperator,
    ReverseSyncOperator,
    SyncChangesOperator,
)
from heavylift_airflow.operators.transfer import (
    CopyObjectsOperator,
    PlanTransferOperator,
    VerifyObjectsOperator,
)
from heavylift_airflow.sensors.gate import GateSensor
from heavylift_airflow.sensors.pause import WatchPauseSensor
from heavylift_airflow.sensors.replication import ReplicationCaughtUpSensor

# A spec that is nowhere: whoever reads it before running fails.
COMMON: dict[str, Any] = {"task_id": "task", "spec_path": "/nowhere/spec.yaml", "phase": "transfer"}
DEVICE: dict[str, Any] = {
    "dataset": "data",
    "device": {"device": "data-01", "objects": 2, "size_bytes": 3},
}
MODEL = {"model": "fraud", "version": "3"}
SHARD = {"shard": 1, "objects": 2, "size_bytes": 3}
KINDS: dict[type, dict[str, Any]] = {
    BeginRunOperator: {"rival_dag_id": "m.sync", "gives_way": True},
    PlanTransferOperator: {"dataset": "data"},
    CopyObjectsOperator: {"dataset": "data", "shard": SHARD},
    VerifyObjectsOperator: {"dataset": "data"},
    RunServiceOperator: {"dataset": "data"},
    RunAzCopyOperator: {"dataset": "data"},
    DeleteGoneOperator: {"dataset": "data"},
    CheckDatasetOperator: {"dataset": "data"},
    EvaluateGateOperator: {"gate": "proved"},
    GateSensor: {"gate": "proved"},
    WatchPauseSensor: {"watched": "promote"},
    GateApprovalOperator: {"gate": "proved", "response_timeout": timedelta(hours=1)},
    PublishPhaseOperator: {},
    BuildReportOperator: {},
    SummariseRunOperator: {},
    MirrorStreamOperator: {"stream": "events"},
    VerifyStreamOperator: {"stream": "events", "drained": True},
    TranslateGroupsOperator: {"stream": "events", "require_all": True},
    PlanDevicesOperator: {"dataset": "data"},
    LoadDeviceOperator: DEVICE,
    CheckDeviceOperator: DEVICE,
    IngestDeviceOperator: DEVICE,
    ReconcileDeviceOperator: DEVICE,
    DeviceStepOperator: {**DEVICE, "state": "shipped"},
    PublishShipmentOperator: {},
    SummariseShipmentOperator: {},
    TakeInventoryOperator: {},
    MakeGraphOperator: {},
    MakePlanOperator: {},
    EvaluatePlanGateOperator: {"gate": "proved"},
    PublishPlanOperator: {},
    BuildPlanReportOperator: {},
    SummarisePlanOperator: {},
    CheckModelOperator: {"model": MODEL},
    RevalidateModelOperator: {"model": MODEL, "baseline": None},
    EvaluateModelsGateOperator: {"gate": "proved"},
    PublishModelsOperator: {},
    BuildModelsReportOperator: {},
    SummariseModelsOperator: {},
    PreflightTablesOperator: {"database": "features"},
    SnapshotTablesOperator: {"database": "features"},
    VerifyTablesOperator: {"database": "features", "direction": "reverse", "frozen": True},
    SyncChangesOperator: {"database": "features", "follow": True, "follow_seconds": 60.0},
    DrainChangesOperator: {"database": "features", "within_seconds": 5.0},
    ReverseSyncOperator: {"database": "features", "act": "prepare"},
    EndStreamOperator: {"database": "features", "direction": "reverse"},
    PreflightFeatureStoreOperator: {"store": "features"},
    CopyFeatureStoreOperator: {"store": "features"},
    VerifyFeatureStoreOperator: {"store": "features"},
    PreflightRegistryOperator: {"registry": "history"},
    CopyRegistryOperator: {"registry": "history"},
    SyncRegistryOperator: {"registry": "history"},
    SwitchRegistryOperator: {"registry": "history"},
    VerifyRegistryOperator: {"registry": "history", "frozen": True},
    TranslateAccessOperator: {"names_path": "/nowhere/names.json", "logs": ["/nowhere/log.json"]},
    VerifyAccessOperator: {"documents": ["/nowhere/policy.json"]},
    ReplicationCaughtUpSensor: {"database": "features", "max_lag_seconds": 3.0},
}

every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def build(kind: type) -> BaseOperator:
    operator: BaseOperator = kind(**COMMON, **KINDS[kind])
    return operator


@every_kind
def test_making_an_operator_reads_nothing_and_keeps_its_arguments(kind: type) -> None:
    task = build(kind)
    for name, value in {**COMMON, **KINDS[kind]}.items():
        assert getattr(task, name) == value


@every_kind
def test_template_fields_are_attributes(kind: type) -> None:
    task = build(kind)
    assert "spec_path" in task.template_fields
    for name in task.template_fields:
        assert hasattr(task, name)


@every_kind
def test_an_operator_survives_pickling(kind: type) -> None:
    task = build(kind)
    task.on_kill()  # makes what an attempt holds on to
    again = pickle.loads(pickle.dumps(task))
    for name in KINDS[kind]:
        assert getattr(again, name) == getattr(task, name)


@every_kind
def test_an_operator_survives_the_serialised_dag(kind: type) -> None:
    with DAG("small.transfer", schedule=None) as dag:
        build(kind)
    document = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    task = DagSerialization.from_dict(document).get_task("task")
    assert task.task_type == kind.__name__
    assert [link.name for link in task.operator_extra_links] == ["Evidence"]


@every_kind
def test_keyword_arguments_only(kind: type) -> None:
    with pytest.raises(Exception, match="keyword"):
        kind("task")
