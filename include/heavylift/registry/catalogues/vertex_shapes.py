"""A Vertex AI model version as a version, and back; limits are those that its reference tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from heavylift.registry.catalogues.capabilities import ANY, Capabilities, Holder, Pairs, Rule
from heavylift.registry.catalogues.description import Container, Lineage, Made, Report, Version

LABELS = Pairs(
    64,
    Rule(63, r"[a-z][a-z0-9_-]*"),
    Rule(63, r"[a-z0-9_-]*"),
    reserved=("goog",),
    kept="heavylift-kept--",
    slash="--",
    mark="heavylift-source-",
)
_IMAGE = Rule(form=r"([a-z0-9-]+-docker\.pkg\.dev|([a-z]+\.)?gcr\.io)/.+")
_GS = Rule(form=r"gs://.+")
_TEXTS = (("imageUri", "image"), ("predictRoute", "predict_route"), ("healthRoute", "health_route"))
_LISTS = (("command", "command"), ("args", "arguments"))
_SCHEMAS = {
    "schema.instance": "instanceSchemaUri",
    "schema.parameters": "parametersSchemaUri",
    "schema.prediction": "predictionSchemaUri",
}
_ONCE = {
    "containers/0/artifact": _GS,
    "containers/0/image": _IMAGE,
    "containers/0/environment/*": ANY,
    "containers/0/command": ANY,
    "containers/0/arguments": ANY,
    "containers/0/ports": ANY,
    "containers/0/predict_route": ANY,
    "containers/0/health_route": ANY,
    **{f"reports/{name}/uri": _GS for name in _SCHEMAS},
}
_ALIAS = (lambda text: text != "default", "other names than default")

CAPABILITIES = Capabilities(
    platform="vertex",
    model=Holder(
        {"description": ANY, "aliases/*": ANY},
        None,
        names={
            "aliases/*": Rule(
                128,
                r"[a-z][a-zA-Z0-9-]*[a-z0-9]",
                test=_ALIAS,
            )
        },
        late=("aliases/*",),
    ),
    version=Holder({"description": ANY, **_ONCE}, LABELS, frozen=tuple(_ONCE)),
    schemes=("gs",),
    name=Rule(128),
    name_longest=128,
    name_characters="A-Za-z0-9_",
    empty_models=False,
    needs_image=True,
)
"""Models and their versions. A model has no labels beside its versions'."""

_KNOWN = frozenset(
    [
        "name",
        "versionId",
        "versionAliases",
        "versionCreateTime",
        "versionUpdateTime",
        "versionDescription",
        "displayName",
        "description",
        "createTime",
        "updateTime",
        "artifactUri",
        "containerSpec",
        "predictSchemata",
        "labels",
        "etag",
        "trainingPipeline",
        "pipelineJob",
        "supportedDeploymentResourcesTypes",
        "supportedExportFormats",
        "supportedInputStorageFormats",
        "deployedModels",
        "supportedOutputStorageFormats",
        "modelSourceInfo",
        "metadataArtifact",
        "satisfiesPzs",
        "satisfiesPzi",
        "originalModelInfo",
    ]
)
_CONTAINER_KNOWN = frozenset({*(name for name, _ in _TEXTS), *(name for name, _ in _LISTS), "env", "ports"})

Raw = Mapping[str, Any]


def unknown_in(raw: Raw) -> Iterator[str]:
    """Yield the fields of a version that a description has no place for."""
    yield from (name for name in raw if name not in _KNOWN)
    container: Raw = raw.get("containerSpec") or {}
    yield from (f"containerSpec.{name}" for name in container if name not in _CONTAINER_KNOWN)


def version_of(raw: Raw) -> Version:
    """Return a version, without its labels."""
    container: Raw = raw.get("containerSpec") or {}
    schemas: Raw = raw.get("predictSchemata") or {}
    texts: dict[str, Any] = {name: str(container.get(key) or "") for key, name in _TEXTS}
    lists: dict[str, Any] = {name: tuple(map(str, container.get(key) or ())) for key, name in _LISTS}
    made = Container(
        artifact=str(raw.get("artifactUri") or "").rstrip("/"),
        environment={str(each["name"]): str(each.get("value") or "") for each in container.get("env") or ()},
        ports=tuple(str(each["containerPort"]) for each in container.get("ports") or ()),
        **texts,
        **lists,
    )
    return Version(
        number=str(raw["versionId"]),
        description=str(raw.get("versionDescription") or ""),
        containers=(made,),
        lineage=Lineage(job=str(raw.get("pipelineJob") or raw.get("trainingPipeline") or "")),
        reports={name: Report(str(schemas[key])) for name, key in _SCHEMAS.items() if schemas.get(key)},
        made=Made(
            created_at=str(raw.get("versionCreateTime") or ""),
            updated_at=str(raw.get("versionUpdateTime") or ""),
        ),
    )


def body_of(version: Version, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the model that an upload of a version takes, without its name."""
    found: dict[str, Any] = {"labels": dict(labels)}
    if version.description:
        found["versionDescription"] = version.description
    container = version.containers[0] if version.containers else Container()
    if container.artifact:
        found["artifactUri"] = container.artifact
    spec: dict[str, Any] = {key: getattr(container, name) for key, name in _TEXTS if getattr(container, name)}
    spec |= {key: list(getattr(container, name)) for key, name in _LISTS if getattr(container, name)}
    if container.environment:
        spec["env"] = [{"name": key, "value": value} for key, value in container.environment.items()]
    if container.ports:
        spec["ports"] = [{"containerPort": int(each)} for each in container.ports]
    if spec:
        found["containerSpec"] = spec
    schemas = {key: version.reports[name].uri for name, key in _SCHEMAS.items() if name in version.reports}
    if schemas:
        found["predictSchemata"] = schemas
    return found
