"""What a registered model is, whichever registry holds it; nothing here knows one.

Every field is text, or made of texts: what a registry does not know is empty. URIs are written as
Heavylift writes them (``s3://``, ``gs://``, ``az://``) where they lead to an object store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Report:
    """A file that tells of a model: its quality, its bias, a baseline."""

    uri: str = ""
    content_type: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Container:
    """One container that serves a model, and what it loads.

    :param artifact: URI of an archive or a folder, without a slash at its end.
    :param packing: ``archive``, ``folder``, or as the registry calls it where it is neither.
    """

    artifact: str = ""
    packing: str = ""
    image: str = ""
    image_digest: str = ""
    hostname: str = ""
    framework: str = ""
    framework_version: str = ""
    nearest_model: str = ""
    model_input: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    predict_route: str = ""
    health_route: str = ""


@dataclass(frozen=True)
class Inference:
    """What a model takes and gives, and on what it may run.

    :param schema: of inputs and outputs, as JSON.
    """

    content_types: tuple[str, ...] = ()
    response_types: tuple[str, ...] = ()
    realtime_instances: tuple[str, ...] = ()
    batch_instances: tuple[str, ...] = ()
    sample: str = ""
    domain: str = ""
    task: str = ""
    schema: str = ""


@dataclass(frozen=True)
class Lineage:
    """Where a version came from.

    :param job: the training job, or whatever made it.
    :param run: the run, or trial component, in which it was made.
    """

    run: str = ""
    experiment: str = ""
    trial: str = ""
    job: str = ""
    commit: str = ""
    repository: str = ""
    project: str = ""
    source: str = ""
    datasets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Made:
    """When and by whom a thing was made; times are ISO 8601 in UTC."""

    created_at: str = ""
    created_by: str = ""
    updated_at: str = ""


@dataclass(frozen=True)
class Version:
    """One version of a model.

    :param approval: ``approved``, ``rejected``, ``pending`` or empty.
    :param kind: the format, as far as the registry knows one.
    :param metadata: the user's own keys and values.
    """

    number: str
    description: str = ""
    approval: str = ""
    approval_note: str = ""
    stage: str = ""
    stage_status: str = ""
    stage_note: str = ""
    kind: str = ""
    containers: tuple[Container, ...] = ()
    inference: Inference = Inference()
    lineage: Lineage = Lineage()
    reports: Mapping[str, Report] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    made: Made = Made()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A registered model.

    :param aliases: name to the number of the version that it stands for.
    """

    name: str
    description: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    made: Made = Made()
    metadata: Mapping[str, str] = field(default_factory=dict)
    versions: tuple[Version, ...] = ()
