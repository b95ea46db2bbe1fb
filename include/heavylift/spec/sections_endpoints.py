"""The section for endpoints: what is brought up on the target, on which machines, with which traffic."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from heavylift.spec.base import ConnectionId, Count, Flag, Name, Number, SpecModel, Text


class EndpointKind(StrEnum):
    """Products that serve predictions."""

    SAGEMAKER = "sagemaker"
    VERTEX = "vertex"
    AZURE_ML = "azure_ml"
    KSERVE = "kserve"
    HTTP = "http"


class EndpointSource(SpecModel):
    """The endpoint that serves today; it is only read."""

    kind: EndpointKind = Field(
        description="The product; sagemaker, vertex and azure_ml are read, of others nothing is taken over."
    )
    connection: ConnectionId = Field(description="The Airflow connection of its account.")
    endpoint: Text = Field(min_length=1, description="Its name there; of Vertex AI its id.")


class EndpointTarget(SpecModel):
    """The endpoint that shall serve."""

    kind: EndpointKind = Field(description="The product: vertex, azure_ml or sagemaker.")
    connection: ConnectionId = Field(
        description="The Airflow connection of its account: with project (Google Cloud), subscription_id,"
        " resource_group and workspace (Azure), of type aws."
    )
    endpoint: Text = Field(
        pattern=r"^[a-z][a-z0-9-]{1,30}[a-z0-9]$",
        description="Its name there; of Vertex AI its id. 3 to 32 of a-z, 0-9 and -, as all three allow.",
    )
    location: Text | None = Field(
        default=None,
        description="Location or region; by default the connection's, else the target's region.",
    )
    existing: Flag = Field(
        default=False,
        description="The endpoint is there (a shell that Terraform made) and stays: deployments are added to"
        " it, and taken away from it. vertex and azure_ml.",
    )
    role: Text | None = Field(
        default=None,
        description="As whom it runs: a service account (vertex), the resource id of a managed identity"
        " (azure_ml), a role's ARN (sagemaker, required).",
    )
    network: Text | None = Field(
        default=None, description="Of vertex: the network that it is peered with, projects/…/networks/…."
    )
    key: Text | None = Field(
        default=None,
        description="The key that encrypts it, of vertex and sagemaker; Azure ML has the workspace's.",
    )


class EndpointModel(SpecModel):
    """What a deployment serves: a version of a registered model, or an artefact."""

    registered: Text | None = Field(
        default=None,
        min_length=1,
        description="Name of the model in the target's registry (sagemaker: of its model package group).",
    )
    version: Text | None = Field(
        default=None, min_length=1, description="Its version there; required with registered."
    )
    artifact: Text | None = Field(
        default=None,
        min_length=1,
        description="Where the artefact lies on the target: gs://…, s3://…/model.tar.gz, azureml://….",
    )
    form: Text = Field(
        default="custom_model",
        pattern=r"^(custom_model|mlflow_model|triton_model)$",
        description="Of azure_ml, with artifact: custom_model, mlflow_model or triton_model.",
    )


class EndpointVariable(SpecModel):
    """An environment variable of the container: a value that is no secret, or a reference to one."""

    name: Text = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="The variable.")
    value: Text | None = Field(default=None, description="Its value, where that is no secret.")
    reference: Text | None = Field(
        default=None,
        min_length=1,
        description="Where the secret lies on the target. azure_ml puts its value in place; to others the"
        " reference is handed, and the program reads the secret.",
    )


class Deployment(SpecModel):
    """One model on machines of its own, and its share of the traffic."""

    name: Text = Field(
        pattern=r"^[a-z][a-z0-9-]{1,30}[a-z0-9]$",
        description="Its name on the target, for good: another model or machine is another deployment.",
    )
    source: Text | None = Field(
        default=None,
        description="The variant or deployment of the source that it stands for; by default one of its name,"
        " or the only one. What is not given here is taken over from it.",
    )
    model: EndpointModel = Field(description="What it serves.")
    image: Text | None = Field(default=None, min_length=1, description="The serving container's image.")
    environment: Text | None = Field(
        default=None, min_length=1, description="Of azure_ml: id of an environment, in place of an image."
    )
    command: tuple[Text, ...] = Field(default=(), description="Of vertex: the container's command.")
    args: tuple[Text, ...] = Field(default=(), description="Of vertex: the command's arguments.")
    port: Count | None = Field(default=None, ge=1, le=65535, description="The container's port.")
    predict_route: Text | None = Field(default=None, description="Path of predictions, /predict.")
    health_route: Text | None = Field(default=None, description="Path of health checks, /health.")
    variables: tuple[EndpointVariable, ...] = Field(
        default=(), description="Environment variables, beside those taken over from the source."
    )
    machine: Text | None = Field(
        default=None,
        min_length=1,
        description="Type of machine; by default what the map of accelerators says of the source's.",
    )
    accelerator: Text | None = Field(
        default=None, min_length=1, description="Of vertex: NVIDIA_L4, …; the machine's own by default."
    )
    accelerators: Count | None = Field(default=None, ge=1, le=16, description="How many of them.")
    min_replicas: Count | None = Field(default=None, ge=1, le=1000, description="Replicas at least.")
    max_replicas: Count | None = Field(default=None, ge=1, le=1000, description="Replicas at most.")
    traffic: Count | None = Field(
        default=None, ge=0, le=100, description="Percent of the requests; all deployments make 100."
    )


class Smoke(SpecModel):
    """A request whose answer is known: the golden row."""

    request: Text = Field(min_length=1, description="A JSON file beside the spec: the request's body.")
    expected: Text = Field(min_length=1, description="A JSON file beside it: the answer's body.")
    tolerance: Number = Field(
        default=1e-6, ge=0.0, description="How far a number may be off, relative to the larger, or absolute."
    )


class AcceptedGap(SpecModel):
    """Something that is not carried over, and why that is all right."""

    subject: Text = Field(min_length=1, description="What the plan calls it; * stands for any text.")
    reason: Text = Field(min_length=1, description="Why it may stay behind.")


class Endpoint(SpecModel):
    """An endpoint that is brought up on the target."""

    name: Name = Field(description="Unique in this file.")
    description: Text = Field(default="", description="For people.")
    source: EndpointSource | None = Field(
        default=None, description="The endpoint that serves today; without it the spec says everything."
    )
    target: EndpointTarget = Field(description="The endpoint that shall serve.")
    deployments: tuple[Deployment, ...] = Field(min_length=1, max_length=10, description="What serves there.")
    smoke: Smoke | None = Field(
        default=None, description="A request that it must answer before it counts as serving."
    )
    accept_untranslated: tuple[AcceptedGap, ...] = Field(
        default=(), description="What may stay behind, by name and with a reason."
    )
    timeout: Count = Field(
        default=90, ge=1, le=1440, description="Minutes after which a deployment is given up waiting for."
    )
