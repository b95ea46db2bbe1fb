"""The types of Vertex AI, listed in each region that has it."""

from __future__ import annotations

from typing import Any

from heavylift.evidence.inventory_records import Kind
from heavylift.inventory.rows import Row


def _vertex(plural: str, kind: str, means: Kind, **more: Any) -> Row:
    given: dict[str, Any] = {
        "created": "createTime", "last_used": "updateTime", "keep_tags": "labels", "name": "displayName",
        **more,
    }  # fmt: skip
    return Row(
        "aiplatform", f"GCP::VertexAI::{kind}", means,
        f"GET v1/projects/{{project}}/locations/{{region}}/{plural}", plural,
        "//aiplatform.googleapis.com/{name}", listing_permission=f"aiplatform.{plural}.list",
        aliases=("{name}",), **given,
    )  # fmt: skip


VERTEX = (
    _vertex("datasets", "Dataset", Kind.DATASET),
    _vertex("models", "Model", Kind.MODEL, framework="containerSpec.imageUri"),
    _vertex("endpoints", "Endpoint", Kind.ENDPOINT),
    _vertex(
        "deploymentResourcePools", "DeploymentResourcePool", Kind.ENDPOINT, name="", last_used="",
        keep_tags="",
    ),
    _vertex("customJobs", "CustomJob", Kind.JOB, status="state"),
    _vertex("hyperparameterTuningJobs", "HyperparameterTuningJob", Kind.JOB, status="state"),
    _vertex("tuningJobs", "TuningJob", Kind.JOB, status="state", name="tunedModelDisplayName"),
    _vertex("batchPredictionJobs", "BatchPredictionJob", Kind.JOB, status="state"),
    _vertex("dataLabelingJobs", "DataLabelingJob", Kind.JOB, status="state"),
    _vertex("trainingPipelines", "TrainingPipeline", Kind.TRAINING_PIPELINE, status="state"),
    _vertex("pipelineJobs", "PipelineJob", Kind.TRAINING_PIPELINE, status="state"),
    _vertex("schedules", "Schedule", Kind.WORKFLOW, status="state", keep_tags=""),
    _vertex("featurestores", "Featurestore", Kind.FEATURE_STORE, status="state", name=""),
    _vertex("featureGroups", "FeatureGroup", Kind.FEATURE_STORE, name=""),
    _vertex("featureOnlineStores", "FeatureOnlineStore", Kind.FEATURE_STORE, status="state", name=""),
    _vertex("tensorboards", "Tensorboard", Kind.EXPERIMENT_STORE, objects="runCount"),
    _vertex("metadataStores", "MetadataStore", Kind.EXPERIMENT_STORE, name="", keep_tags=""),
    _vertex("modelDeploymentMonitoringJobs", "ModelMonitoringJob", Kind.MONITOR, status="state"),
    _vertex("notebookRuntimes", "NotebookRuntime", Kind.NOTEBOOK, owner="runtimeUser", status="runtimeState"),
    _vertex("notebookRuntimeTemplates", "NotebookRuntimeTemplate", Kind.NOTEBOOK),
    _vertex("indexes", "Index", Kind.DATASET),
    _vertex("indexEndpoints", "IndexEndpoint", Kind.ENDPOINT),
    _vertex("persistentResources", "PersistentResource", Kind.CLUSTER, status="state"),
    _vertex("reasoningEngines", "ReasoningEngine", Kind.ENDPOINT, keep_tags=""),
    _vertex("ragCorpora", "RagCorpus", Kind.DATASET, keep_tags=""),
)  # fmt: skip
"""Every type of Vertex AI that is read."""
