"""A model package as a version, and a version as a model package: SageMaker's own shapes, nothing sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from heavylift.registry.catalogues.description import (
    Container,
    Inference,
    Lineage,
    Made,
    Model,
    Report,
    Version,
)
from heavylift.registry.catalogues.sagemaker_rules import APPROVALS, REPORTS

Shape = Mapping[str, Any]
ARCHIVE, FOLDER = "archive", "folder"
_APPROVED = {word: name for name, word in APPROVALS.items()}
_ENDS = (("S3Uri", "uri"), ("ContentType", "content_type"), ("ContentDigest", "digest"))
_PARTS = (
    ("Image", "image"),
    ("ImageDigest", "image_digest"),
    ("ContainerHostname", "hostname"),
    ("Framework", "framework"),
    ("FrameworkVersion", "framework_version"),
    ("NearestModelName", "nearest_model"),
)
_LISTS = (
    ("SupportedContentTypes", "content_types"),
    ("SupportedResponseMIMETypes", "response_types"),
    ("SupportedRealtimeInferenceInstanceTypes", "realtime_instances"),
    ("SupportedTransformInstanceTypes", "batch_instances"),
)
_LINEAGE = (
    ("CommitId", "commit"),
    ("Repository", "repository"),
    ("GeneratedBy", "job"),
    ("ProjectId", "project"),
)
_TEXTS = (("SamplePayloadUrl", "sample"), ("Domain", "domain"), ("Task", "task"))
KNOWN = frozenset(
    [
        "ModelPackageGroupName",
        "ModelPackageVersion",
        "ModelPackageArn",
        "ModelPackageDescription",
        "CreationTime",
        "CreatedBy",
        "LastModifiedTime",
        "LastModifiedBy",
        "ModelApprovalStatus",
        "ApprovalDescription",
        "ModelLifeCycle",
        "Domain",
        "Task",
        "InferenceSpecification",
        "MetadataProperties",
        "ModelMetrics",
        "DriftCheckBaselines",
        "SamplePayloadUrl",
        "SourceUri",
        "CustomerMetadataProperties",
        "ModelPackageStatus",
        "ModelPackageStatusDetails",
        "CertifyForMarketplace",
        "ModelPackageName",
        "SkipModelValidation",
        "ModelPackageRegistrationType",
    ]
)
"""Fields of a description that a version has a place for, and those that only tell of a package's making."""
CONTAINER_KNOWN = frozenset(
    {
        *(name for name, _ in _PARTS),
        "ModelDataUrl",
        "ModelDataSource",
        "Environment",
        "ModelInput",
        "ModelDataETag",
    }
)


def model_of(group: Shape) -> Model:
    """Return a model package group as a model, without its tags."""
    return Model(
        str(group["ModelPackageGroupName"]),
        str(group.get("ModelPackageGroupDescription") or ""),
        made=Made(_time(group.get("CreationTime")), _person(group.get("CreatedBy"))),
    )


def version_of(package: Shape) -> Version:
    """Return a model package as a version, without its metadata."""
    inference: Shape = package.get("InferenceSpecification") or {}
    cycle: Shape = package.get("ModelLifeCycle") or {}
    origin: Shape = package.get("MetadataProperties") or {}
    lists: dict[str, Any] = {name: tuple(map(str, inference.get(key) or ())) for key, name in _LISTS}
    return Version(
        number=str(package["ModelPackageVersion"]),
        description=str(package.get("ModelPackageDescription") or ""),
        approval=_APPROVED.get(str(package.get("ModelApprovalStatus") or ""), ""),
        approval_note=str(package.get("ApprovalDescription") or ""),
        stage=str(cycle.get("Stage") or ""),
        stage_status=str(cycle.get("StageStatus") or ""),
        stage_note=str(cycle.get("StageDescription") or ""),
        containers=tuple(_container(each) for each in inference.get("Containers") or ()),
        inference=Inference(
            **lists,
            **_given(package, _TEXTS),
        ),
        lineage=Lineage(
            **_given(origin, _LINEAGE),
            source=str(package.get("SourceUri") or ""),
        ),
        reports=_reports(package),
        made=Made(
            _time(package.get("CreationTime")),
            _person(package.get("CreatedBy")),
            _time(package.get("LastModifiedTime")),
        ),
    )


def _container(part: Shape) -> Container:
    source: Shape = (part.get("ModelDataSource") or {}).get("S3DataSource") or {}
    artifact, packing = str(part.get("ModelDataUrl") or ""), ARCHIVE if part.get("ModelDataUrl") else ""
    if source:
        artifact = str(source.get("S3Uri") or "").rstrip("/")
        packing = f"{source.get('S3DataType')}:{source.get('CompressionType')}"
    return Container(
        artifact=artifact,
        packing=FOLDER if packing == "S3Prefix:None" else packing,
        model_input=str((part.get("ModelInput") or {}).get("DataInputConfig") or ""),
        environment={str(key): str(value) for key, value in (part.get("Environment") or {}).items()},
        **_given(part, _PARTS),
    )


def _reports(package: Shape) -> dict[str, Report]:
    found = {}
    for name, path in REPORTS.items():
        part: Any = package
        for key in path:
            part = (part or {}).get(key)
        if part:
            found[name] = Report(**_given(part, _ENDS))
    return found


def package_of(version: Version) -> dict[str, Any]:
    """Return what CreateModelPackage takes of a version, without group and metadata."""
    found: dict[str, Any] = {}
    if version.description:
        found["ModelPackageDescription"] = version.description
    if version.approval:
        found["ModelApprovalStatus"] = APPROVALS[version.approval]
    inference = _inference(version)
    if inference:
        found["InferenceSpecification"] = inference
    found |= _filled(version.inference, _TEXTS)
    properties = _filled(version.lineage, _LINEAGE)
    if properties:
        found["MetadataProperties"] = properties
    for name, report in version.reports.items():
        top, middle, last = REPORTS[name]
        end = _filled(report, _ENDS)
        if end:
            found.setdefault(top, {}).setdefault(middle, {})[last] = end
    return found


def _inference(version: Version) -> dict[str, Any]:
    containers = [_part(each) for each in version.containers]
    lists = {key: list(value) for key, name in _LISTS if (value := getattr(version.inference, name))}
    return {"Containers": containers, **lists} if containers else {}


def _part(container: Container) -> dict[str, Any]:
    found = _filled(container, _PARTS)
    if container.model_input:
        found["ModelInput"] = {"DataInputConfig": container.model_input}
    if container.environment:
        found["Environment"] = dict(container.environment)
    if container.artifact and container.packing in {ARCHIVE, ""}:
        found["ModelDataUrl"] = container.artifact
    elif container.artifact:
        packing = "S3Prefix:None" if container.packing == FOLDER else container.packing
        kind, _, compression = packing.partition(":")
        # SageMaker takes a prefix as a folder only where it ends so.
        uri = container.artifact + ("/" if kind == "S3Prefix" else "")
        found["ModelDataSource"] = {
            "S3DataSource": {"S3Uri": uri, "S3DataType": kind, "CompressionType": compression}
        }
    return found


def _filled(thing: Any, names: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return {key: value for key, name in names if (value := getattr(thing, name))}


def _given(part: Shape, names: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return {name: str(part.get(key) or "") for key, name in names}


def _time(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    return str(value or "")


def _person(value: Any) -> str:
    found: Shape = value or {}
    return str(found.get("UserProfileArn") or (found.get("IamIdentity") or {}).get("Arn") or "")
