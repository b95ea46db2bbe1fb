"""The types of SageMaker."""

from __future__ import annotations

from typing import Any

from heavylift.evidence.inventory_records import Kind
from heavylift.inventory.rows import Extra, Parent, Row

_TAGS = Extra("ListTags", {"ResourceArn": "_id"}, "Tags", "Tags", paged=True)


def _row(kind: Kind, thing: str, items: str, **more: Any) -> Row:
    """Return the row of a type whose calls are named as nearly all of SageMaker's are."""
    fields: dict[str, Any] = {
        "listing": f"List{thing}s",
        "id": f"{thing}Arn",
        "name": f"{thing}Name",
        "detail": f"Describe{thing}",
        "detail_arguments": {f"{thing}Name": f"{thing}Name"},
        "created": "CreationTime",
        "last_used": "LastModifiedTime",
        "status": f"{thing}Status",
        "extras": (_TAGS,),
        "keep_tags": "Tags",
    }
    return Row("sagemaker", f"AWS::SageMaker::{thing}", kind, items=items, **(fields | more))


def _definition(thing: str) -> Row:
    return _row(
        Kind.MONITOR,
        f"{thing}JobDefinition",
        "JobDefinitionSummaries",
        id="JobDefinitionArn || MonitoringJobDefinitionArn",
        name="MonitoringJobDefinitionName || JobDefinitionName",
        detail_arguments={"JobDefinitionName": "MonitoringJobDefinitionName"},
        last_used="",
        status="",
    )


SAGEMAKER = (
    _row(Kind.NOTEBOOK, "NotebookInstance", "NotebookInstances"),
    _row(
        Kind.NOTEBOOK,
        "Domain",
        "Domains",
        detail_arguments={"DomainId": "DomainId"},
        status="Status",
    ),
    _row(Kind.JOB, "TrainingJob", "TrainingJobSummaries", last_used="TrainingEndTime || LastModifiedTime"),
    _row(Kind.JOB, "ProcessingJob", "ProcessingJobSummaries"),
    _row(Kind.JOB, "TransformJob", "TransformJobSummaries"),
    _row(Kind.JOB, "HyperParameterTuningJob", "HyperParameterTuningJobSummaries"),
    _row(Kind.JOB, "CompilationJob", "CompilationJobSummaries"),
    _row(Kind.JOB, "AutoMLJob", "AutoMLJobSummaries", detail="DescribeAutoMLJobV2"),
    _row(Kind.JOB, "LabelingJob", "LabelingJobSummaryList"),
    _row(Kind.MODEL, "Model", "Models", status="", last_used=""),
    _row(Kind.MODEL, "ModelCard", "ModelCardSummaries"),
    _row(Kind.ENDPOINT, "Endpoint", "Endpoints"),
    _row(Kind.ENDPOINT, "EndpointConfig", "EndpointConfigs", status="", last_used=""),
    _row(Kind.ENDPOINT, "InferenceComponent", "InferenceComponents"),
    _row(
        Kind.TRAINING_PIPELINE, "Pipeline", "PipelineSummaries", last_used="LastRunTime || LastModifiedTime"
    ),
    _row(
        Kind.FEATURE_STORE,
        "FeatureGroup",
        "FeatureGroupSummaries",
        size_bytes="OnlineStoreTotalSizeBytes",
    ),
    _row(
        Kind.MODEL_REGISTRY,
        "ModelPackageGroup",
        "ModelPackageGroupSummaryList",
        owner="CreatedBy.UserProfileName",
        last_used="",
    ),
    _row(
        Kind.MODEL,
        "ModelPackage",
        "ModelPackageSummaryList",
        name="ModelPackageName || join('/', [ModelPackageGroupName, to_string(ModelPackageVersion)])",
        detail_arguments={"ModelPackageName": "ModelPackageArn"},
        framework="InferenceSpecification.Containers[0].Framework",
        parent=Parent(
            "ListModelPackageGroups",
            "ModelPackageGroupSummaryList",
            {"ModelPackageGroupName": "ModelPackageGroupName"},
            and_without=True,
        ),
    ),
    _row(Kind.EXPERIMENT_STORE, "Experiment", "ExperimentSummaries", status=""),
    _row(Kind.EXPERIMENT_STORE, "Trial", "TrialSummaries", status=""),
    _row(
        Kind.EXPERIMENT_STORE,
        "MlflowTrackingServer",
        "TrackingServerSummaries",
        id="TrackingServerArn",
        name="TrackingServerName",
        detail_arguments={"TrackingServerName": "TrackingServerName"},
        status="TrackingServerStatus",
    ),
    _row(Kind.MONITOR, "MonitoringSchedule", "MonitoringScheduleSummaries"),
    _definition("DataQuality"),
    _definition("ModelQuality"),
    _definition("ModelBias"),
    _definition("ModelExplainability"),
    _row(Kind.CLUSTER, "Cluster", "ClusterSummaries", last_used=""),
)
"""What is read of SageMaker."""
