"""Sections for jobs, autoscaling and alerts, which the phase provision translates and hands over.

Their files lie beside the spec: below its folder, wherever the spec itself is mounted.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from heavylift.spec.base import Count, Flag, Name, Number, SpecModel, Text
from heavylift.spec.sections_parts import AcceptedGap, Beside, check_kubernetes


class JobForm(StrEnum):
    """Products that run distributed training jobs."""

    SAGEMAKER = "sagemaker"
    VERTEX = "vertex"
    AZURE_ML = "azure_ml"
    KUBERNETES = "kubernetes"


class JobCluster(StrEnum):
    """Whose machines a Kubernetes cluster has."""

    EKS = "eks"
    GKE = "gke"
    AKS = "aks"
    PLAIN = "plain"


class JobKind(StrEnum):
    """Kinds of objects of Kubernetes that a job becomes."""

    AUTO = "auto"
    PYTORCHJOB = "pytorchjob"
    MPIJOB = "mpijob"
    JOB = "job"
    JOBSET = "jobset"


class TrainingJob(SpecModel):
    """A distributed training job that is translated; what it is written for is told by its file."""

    name: Name = Field(description="Unique in this file.")
    description: Text = Field(default="", description="For people.")
    definition: Beside = Field(
        description="A file below this file's folder, or a pattern of such files (training/*.json)."
    )
    target_kind: JobForm = Field(description="What it is translated to.")
    cluster: JobCluster | None = Field(
        default=None, description="Of target_kind kubernetes, and of no other: whose machines it has."
    )
    object_kind: JobKind = Field(
        default=JobKind.AUTO, description="Of target_kind kubernetes: what the job becomes."
    )
    source_cluster: JobCluster | None = Field(
        default=None, description="Of a Kubernetes job as source: whose machines it has today; null: plain."
    )
    kubernetes_version: Annotated[str, AfterValidator(check_kubernetes)] = Field(
        default="1.33", description="Of target_kind kubernetes, in quotation marks: '1.33'."
    )
    map: Beside | None = Field(
        default=None,
        description="Addresses, images, identities and machines of the target: a YAML file likewise.",
    )
    rehearse: Flag = Field(
        default=True,
        description="Run both launchers on the worker, as processes, and compare the place of each.",
    )
    accept_untranslated: tuple[AcceptedGap, ...] = Field(
        default=(), description="What is in the way and need not be mended: the job is then left out."
    )


class ScalingKind(StrEnum):
    """Systems that scale endpoints."""

    AWS = "aws"
    HPA = "hpa"
    KEDA = "keda"
    VERTEX = "vertex"
    AZURE = "azure"


class ScalingPolicy(SpecModel):
    """Autoscaling settings that are translated, and simulated on both sides at one load."""

    name: Name = Field(description="Unique in this file.")
    description: Text = Field(default="", description="For people.")
    settings: Beside = Field(description="The source's settings: a file below this file's folder.")
    target_kind: ScalingKind = Field(description="What they are translated to.")
    load: Beside = Field(
        description="Requests of each minute: a JSON list, or a CSV with the column requests; likewise."
    )
    capacity: Number = Field(
        gt=0, le=1e9, description="Requests a minute that one replica works off: measure it."
    )
    start_seconds: Count = Field(default=180, ge=0, le=7200, description="Until a new replica works.")
    waiting: Number = Field(
        default=100.0, ge=0, le=1e9, description="Requests that may wait for each replica."
    )
    excess: Number = Field(
        default=0.1, ge=0, le=10, description="Share that the target may cost more; more is told, and passes."
    )
    accept_untranslated: tuple[AcceptedGap, ...] = Field(
        default=(),
        description="What the target cannot hold and need not: the settings are then left out where it"
        " stands in the way.",
    )


class AlertSystem(StrEnum):
    """Systems that raise alerts."""

    CLOUDWATCH = "cloudwatch"
    GOOGLE = "google"
    AZURE = "azure"
    PROMETHEUS = "prometheus"


class AlertRules(SpecModel):
    """Alert rules that are translated, and replayed on both sides over the same series."""

    name: Name = Field(description="Unique in this file.")
    description: Text = Field(default="", description="For people.")
    source_kind: AlertSystem = Field(description="What they are written for.")
    target_kind: AlertSystem = Field(description="What they are translated to.")
    documents: tuple[Beside, ...] = Field(
        default=(), description="Exports of the rules: files below this file's folder, or patterns."
    )
    dashboards: tuple[Beside, ...] = Field(
        default=(),
        description="Exports of dashboards, one a file, likewise: each line is drawn on both.",
    )
    names: Beside | None = Field(
        default=None, description="Metrics, labels and scopes of the target: a JSON file likewise."
    )
    series: tuple[Beside, ...] = Field(
        default=(), description="Series that are replayed instead of those made to try each rule; likewise."
    )
    tolerance_seconds: Number | None = Field(
        default=None,
        ge=0,
        le=86_400,
        description="Seconds that count as the same moment; null: one evaluation of the rule.",
    )
    accept_untranslated: tuple[AcceptedGap, ...] = Field(
        default=(),
        description="Rules, and widgets by their titles, that may differ or stay behind, with the reason why"
        " that is right.",
    )

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.documents and not self.dashboards:
            raise ValueError("needs documents, or dashboards")
        return self
