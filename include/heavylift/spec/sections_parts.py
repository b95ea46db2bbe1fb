"""Sections for what the phase provision translates and hands over: pipelines, access, manifests.

Their files lie beside the spec: below its folder, wherever the spec itself is mounted.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from heavylift.spec.base import ConnectionId, Count, Flag, Name, Pattern, SpecModel, Text, Url, wrong
from heavylift.spec.quantities import Seconds

_EXPECTED = "a path below this file's folder, such as pipelines/train.json or pipelines/*.json"


def _check_beside(value: str) -> str:
    parts = value.split("/")
    odd = any(ord(char) < 32 for char in value) or "\\" in value or value != value.strip()
    if not value or odd or value.startswith(("/", "~")) or ".." in parts or "://" in value:
        raise wrong("beside", _EXPECTED, "put the file below the spec's folder")
    if len(value) > 1024 or value.count("*") > 4:
        raise wrong("beside", f"{_EXPECTED}, with at most four '*'")
    return value


Beside = Annotated[str, AfterValidator(_check_beside)]
"""A file below the spec's own folder, or a shell-style pattern of such files."""


class AcceptedGap(SpecModel):
    """Something that cannot be translated, and need not be."""

    subject: Text = Field(
        min_length=1, description="As the log and the report name it; * stands for any text."
    )
    reason: Text = Field(min_length=1, description="Why; kept as evidence.")


class PipelineKind(StrEnum):
    """Products that run training pipelines."""

    SAGEMAKER = "sagemaker"
    KUBEFLOW = "kubeflow"
    VERTEX = "vertex"
    AZURE_ML = "azure_ml"
    STEP_FUNCTIONS = "step_functions"
    AIRFLOW = "airflow"


class Pipeline(SpecModel):
    """A training pipeline that is translated."""

    name: Name = Field(description="Unique in this file.")
    description: Text = Field(default="", description="For people.")
    source_kind: PipelineKind = Field(description="What it is written for.")
    target_kind: PipelineKind = Field(description="What it is translated to.")
    definition: Beside = Field(
        description="A file below this file's folder, or a pattern of such files (pipelines/*.json)."
    )
    map: Beside | None = Field(
        default=None, description="Where images, addresses and machines are on the target; a file likewise."
    )
    accept_untranslated: tuple[AcceptedGap, ...] = Field(
        default=(), description="Steps that need no equivalent, by name, with the reason why that is right."
    )


class RoleMode(StrEnum):
    """Which kind of role identities get on the target."""

    CUSTOM = "custom"
    PREDEFINED = "predefined"


class Access(SpecModel):
    """Identities and permissions."""

    documents: tuple[Beside, ...] = Field(
        default=(), description="The source's policies and roles: files below this file's folder."
    )
    inventory: Flag | None = Field(
        default=None,
        description="Read the source's newest inventory, too; null: only where documents names no file.",
    )
    names: Beside | None = Field(
        default=None,
        description="Which account, identity and resource is whose counterpart: a JSON file likewise.",
    )
    source_account: Text = Field(
        default="", description="Account, project, scope or namespace of the source; before that of names."
    )
    target_account: Text = Field(default="", description="Likewise of the target.")
    identities: tuple[Pattern, ...] = Field(
        default=("*",), description="Identities that move, as patterns of names."
    )
    exclude: tuple[Pattern, ...] = Field(default=(), description="Identities that stay.")
    roles: RoleMode = Field(
        default=RoleMode.CUSTOM, description="custom: exactly what is needed; predefined: the nearest."
    )
    predefined_roles: Beside | None = Field(
        default=None, description="The target's predefined roles with their permissions: a file likewise."
    )
    max_excess_actions: Count = Field(
        default=0,
        ge=0,
        le=10_000,
        description="Permissions beyond the needed ones that one grant may bring; each is listed.",
    )
    access_log: Url | None = Field(
        default=None,
        description="Access logs that show which permissions are used; the others are dropped. Read with the"
        " source's connection.",
    )
    accept_untranslated: tuple[AcceptedGap, ...] = Field(
        default=(),
        description="Permissions that are not granted on the target, with the reason why that is right.",
    )
    target_documents: tuple[Beside, ...] = Field(
        default=(),
        description="The target's policies and roles, exported once somebody has applied the translation:"
        " files below this file's folder. They are compared with it.",
    )
    target_inventory: Flag = Field(
        default=False, description="Compare the newest inventory of the target's connection with it, too."
    )

    @property
    def reads_inventory(self) -> bool:
        """Whether the source's inventory is read."""
        return not self.documents if self.inventory is None else self.inventory

    @property
    def is_compared(self) -> bool:
        """Whether the target's own permissions are compared with the translation."""
        return bool(self.target_documents) or self.target_inventory


class ClusterKind(StrEnum):
    """Platforms that manifests are written for."""

    EKS = "eks"
    GKE = "gke"
    AKS = "aks"
    ANY = "any"
    PLAIN = "plain"


def check_kubernetes(value: str) -> str:
    """Return a version of Kubernetes, if it is one.

    :raises PydanticCustomError: it is none.
    """
    parts = value.split(".")
    if len(parts) == 2 and all(part.isdecimal() and len(part) <= 3 for part in parts):
        return value
    raise wrong("version", "a version of Kubernetes such as '1.33'", "write it in quotation marks")


class VolumeMoves(SpecModel):
    """What the claims of the manifests hold, moved by Jobs: to a bucket, and from there."""

    bucket: Url = Field(description="Where data rests in between, with a prefix; both clusters reach it.")
    image: Text = Field(min_length=1, description="Container image with Heavylift, for both clusters.")
    target_image: Text | None = Field(
        default=None, description="The same in a registry of the target; by default image."
    )
    secret_name: Text = Field(
        default="heavylift-bucket",
        description="Secret in each namespace whose key connection has the bucket's connection, as JSON.",
    )
    user: Count = Field(default=65532, ge=0, description="Numeric user that owns the files; 0 is root.")
    apply: Flag = Field(
        default=False, description="Create the Jobs and wait for them; otherwise they are written alone."
    )
    connection: ConnectionId | None = Field(
        default=None, description="Of the bucket, to read what proves each copy; needed to apply."
    )
    source_connection: ConnectionId | None = Field(
        default=None, description="Of the source's cluster, type kubernetes; needed to apply."
    )
    target_connection: ConnectionId | None = Field(
        default=None, description="Of the target's cluster, likewise."
    )
    poll: Seconds = Field(default=30, ge=1, le=3600, description="Wait between two looks at the Jobs.")
    timeout: Seconds = Field(default=604_800, ge=60, le=7_776_000, description="Longest wait for them.")


class Manifests(SpecModel):
    """Kubernetes manifests that are rewritten for the target."""

    files: tuple[Beside, ...] = Field(
        min_length=1,
        description="Files or folders of manifests below this file's folder, or patterns of them.",
    )
    source: ClusterKind = Field(
        default=ClusterKind.ANY, description="What they were written for: eks, gke, aks or any."
    )
    target: ClusterKind = Field(description="The platform that gets them: eks, gke, aks or plain.")
    kubernetes_version: Annotated[str, AfterValidator(check_kubernetes)] = Field(
        description="Version of Kubernetes on the target, in quotation marks: '1.33'."
    )
    map: Beside | None = Field(
        default=None, description="Names of the source and of the target: a YAML file likewise."
    )
    accept_untranslated: tuple[AcceptedGap, ...] = Field(
        default=(), description="What stays as it is, with the reason why that is right."
    )
    volumes: VolumeMoves | None = Field(
        default=None, description="What their claims hold is moved; null: by others, or by hand."
    )
