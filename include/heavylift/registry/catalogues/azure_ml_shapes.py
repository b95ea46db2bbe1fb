"""An Azure ML model version as a version, and back: the shapes of the resource provider's interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from heavylift.registry.catalogues.capabilities import ANY, Capabilities, Holder, Pairs, Rule
from heavylift.registry.catalogues.description import Container, Lineage, Made, Version

TAGS = Pairs(key=Rule(512, shortest=1), value=Rule(5000))
_TYPES = {"mlflow": "mlflow_model", "triton": "triton_model"}
"""Formats by kind; every other is a custom model."""
_KINDS = {word: kind for kind, word in _TYPES.items()}
_ONCE = {"containers/0/artifact": ANY, "kind": Rule(form="|".join(_TYPES))}
_KNOWN = frozenset(
    [
        "description",
        "tags",
        "isAnonymous",
        "isArchived",
        "jobName",
        "modelType",
        "modelUri",
        "provisioningState",
        "stage",
    ]
)
ARCHIVED = "archived"

CAPABILITIES = Capabilities(
    platform="azure_ml",
    model=Holder({"description": ANY}, TAGS),
    version=Holder(
        {"description": ANY, "stage": ANY, "stage_status": Rule(form=ARCHIVED), **_ONCE},
        TAGS,
        frozen=tuple(_ONCE),
    ),
    schemes=("az",),
    name=Rule(255, r"[a-zA-Z0-9][a-zA-Z0-9_-]*"),
    name_longest=255,
    name_characters="a-zA-Z0-9_",
    numbers="kept",
    number=Rule(30, r"[a-zA-Z0-9][a-zA-Z0-9._-]*"),
)
"""Model containers and versions, of a workspace or of a registry."""

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Datastore:
    """How a workspace writes the place of a blob container.

    :param uri: ``azureml://…/datastores/NAME/paths``.
    :param location: ``az://CONTAINER``.
    """

    uri: str
    location: str

    def shown(self, uri: str) -> str:
        """Return a URI as Heavylift writes it."""
        return self.location + uri.removeprefix(self.uri) if uri.startswith(f"{self.uri}/") else uri

    def written(self, uri: str) -> str:
        """Return a URI as the workspace writes it."""
        return self.uri + uri.removeprefix(self.location) if uri.startswith(f"{self.location}/") else uri


def unknown_in(properties: Raw) -> Iterator[str]:
    """Yield the fields of a version that a description has no place for."""
    for name, value in properties.items():
        if name not in _KNOWN and value not in (None, "", {}, []):
            yield name


def tags_of(properties: Raw) -> dict[str, str]:
    """Return the tags of a container or version."""
    return {str(key): str(value or "") for key, value in (properties.get("tags") or {}).items()}


def made_of(raw: Raw) -> Made:
    """Return when a thing was made."""
    told: Raw = raw.get("systemData") or {}
    names = ("createdAt", "createdBy", "lastModifiedAt")
    return Made(*(str(told.get(name) or "") for name in names))


def version_of(raw: Raw, datastore: Datastore) -> Version:
    """Return a version, without its tags."""
    properties: Raw = raw.get("properties") or {}
    uri = str(properties.get("modelUri") or "").rstrip("/")
    return Version(
        number=str(raw["name"]),
        description=str(properties.get("description") or ""),
        stage=str(properties.get("stage") or ""),
        stage_status=ARCHIVED if properties.get("isArchived") else "",
        kind=_KINDS.get(str(properties.get("modelType") or ""), ""),
        containers=(Container(artifact=datastore.shown(uri)),),
        lineage=Lineage(job=str(properties.get("jobName") or "")),
        made=made_of(raw),
    )


def body_of(version: Version, tags: Mapping[str, str], datastore: Datastore) -> dict[str, Any]:
    """Return what a version is made of, and replaced by."""
    container = version.containers[0] if version.containers else Container()
    found: dict[str, Any] = {
        "description": version.description,
        "tags": dict(tags),
        "isAnonymous": False,
        "isArchived": version.stage_status == ARCHIVED,
        "modelType": _TYPES.get(version.kind, "custom_model"),
    }
    if version.stage:
        found["stage"] = version.stage
    if container.artifact:
        found["modelUri"] = datastore.written(container.artifact)
    return {"properties": found}
