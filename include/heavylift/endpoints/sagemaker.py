"""SageMaker: models, the configuration that names its variants, and the endpoint.

A configuration is never changed: another one has another name, a digest's. Tags say whose a thing is.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from heavylift.connections import Connection
from heavylift.endpoints.ports import (
    ENDPOINT,
    EPOCH,
    OWNER,
    Kind,
    Seen,
    Thing,
    WantedDeployment,
    WantedEndpoint,
    differing,
)
from heavylift.errors import NotFoundError
from heavylift.evidence.endpoint_records import EndpointGap
from heavylift.platforms.aws.changing import AwsChanges
from heavylift.platforms.aws.control import AwsControlPlane

_CHANGES = frozenset(
    {
        "CreateModel", "CreateEndpointConfig", "CreateEndpoint", "UpdateEndpoint",
        "UpdateEndpointWeightsAndCapacities", "DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel",
        "InvokeEndpoint",
    }
)  # fmt: skip
_SETTLED, _FAILED = "InService", frozenset({"Failed", "OutOfService", "UpdateRollbackFailed"})
Raw = Mapping[str, Any]


class SageMakerServing:
    """One account and region.

    :param connection: type ``aws``.
    """

    product = "sagemaker"

    def __init__(self, connection: Connection, location: str) -> None:
        self._reads = AwsControlPlane(connection)
        self._writes = AwsChanges(connection, self._reads, _CHANGES)
        self._region = location

    async def close(self) -> None:
        """Do nothing: botocore closes its connections by itself."""

    def gaps(self, wanted: WantedEndpoint) -> Sequence[EndpointGap]:
        """Name what variants do not have: secrets by reference, and more replicas on demand."""
        found = []
        for each in wanted.deployments:
            found += [
                EndpointGap(
                    subject=f"{each.name}: variable {name}",
                    what="SageMaker puts no secret in place of a reference: the container gets the reference",
                    remedy="let the program read the secret there, and accept this",
                )
                for name in each.references
            ]
            if each.max_replicas != each.min_replicas:
                found.append(
                    EndpointGap(
                        subject=f"{each.name}: max_replicas {each.max_replicas}",
                        what=f"a variant has a fixed number of machines: {each.min_replicas}",
                        remedy="translate the policy by the section autoscaling, apply it, and accept this",
                    )
                )
        return found

    async def things(self, wanted: WantedEndpoint) -> list[Thing]:
        """Return models, configuration, endpoint with its variants, and weights."""
        models, variants = [], []
        for each in wanted.deployments:
            name = f"{wanted.endpoint}-{each.name}"[:63].rstrip("-")
            models.append(Thing("model", name, await self._model(wanted, each)))
            variants.append(_variant(each, name))
        config = {"ProductionVariants": variants, **({"KmsKeyId": wanted.key} if wanted.key else {})}
        # The weights are the endpoint's: a cutover moves them without another configuration.
        fixed = [{k: v for k, v in each.items() if k != "InitialVariantWeight"} for each in variants]
        digest = hashlib.sha256(json.dumps([fixed, wanted.key], sort_keys=True).encode()).hexdigest()[:12]
        name = f"{wanted.endpoint}-{digest}"
        weights = {each.name: each.traffic for each in wanted.deployments}
        return [
            *models,
            Thing("configuration", name, config),
            Thing("endpoint", wanted.endpoint, {"EndpointConfigName": name}),
            Thing("traffic", wanted.endpoint, weights),
        ]

    async def see(self, wanted: WantedEndpoint, thing: Thing) -> Seen:
        """Look at one thing and at its tags."""
        return await asyncio.to_thread(self._see, wanted, thing)

    async def make(self, wanted: WantedEndpoint, thing: Thing) -> None:
        """Create a thing, move the endpoint to another configuration, or set the weights."""
        await asyncio.to_thread(self._make, wanted, thing)

    async def remove(self, wanted: WantedEndpoint, thing: Thing) -> None:
        """Delete a thing; the weights go with the endpoint."""
        operation, field = {
            "model": ("DeleteModel", "ModelName"),
            "configuration": ("DeleteEndpointConfig", "EndpointConfigName"),
            "endpoint": ("DeleteEndpoint", "EndpointName"),
        }.get(thing.kind, ("", ""))
        del wanted
        if not operation:
            return
        try:
            await asyncio.to_thread(self._send, operation, {field: thing.name})
        except NotFoundError:
            return

    async def ask(self, wanted: WantedEndpoint, body: Any) -> Any:
        """Ask by ``InvokeEndpoint``."""
        arguments = {
            "EndpointName": wanted.endpoint,
            "ContentType": "application/json",
            "Accept": "application/json",
            "Body": json.dumps(body).encode(),
        }
        found = await asyncio.to_thread(
            self._writes.change, "sagemaker-runtime", "InvokeEndpoint", self._region, arguments
        )
        return json.loads(await asyncio.to_thread(found["Body"].read) or b"null")

    async def _model(self, wanted: WantedEndpoint, each: WantedDeployment) -> dict[str, Any]:
        variables = {**each.variables, **each.references}
        container: dict[str, Any] = {"Environment": variables} if variables else {}
        if each.model.registered and not wanted.leaving:
            container["ModelPackageName"] = await asyncio.to_thread(self._package, each)
        else:
            container |= {"Image": each.image, "ModelDataUrl": each.model.artifact}
        return {"ExecutionRoleArn": wanted.role, "PrimaryContainer": container}

    def _package(self, each: WantedDeployment) -> str:
        """Return the ARN of a version of a model package group."""
        arguments = {"ModelPackageGroupName": each.model.registered}
        for page in self._reads.pages("sagemaker", "ListModelPackages", self._region, arguments):
            for found in page["ModelPackageSummaryList"]:
                if str(found.get("ModelPackageVersion")) == each.model.version:
                    return str(found["ModelPackageArn"])
        raise NotFoundError(
            f"looking for version {each.model.version} of model package group {each.model.registered}",
            got="no such version",
            expected="a version that the phase registry has brought, or that was registered",
            state="nothing was made",
            remedy="run the phase registry first, or correct the model's name and version",
            code="9288",
        )

    def _see(self, wanted: WantedEndpoint, thing: Thing) -> Seen:
        operation, field, arn = {
            "model": ("DescribeModel", "ModelName", "ModelArn"),
            "configuration": ("DescribeEndpointConfig", "EndpointConfigName", "EndpointConfigArn"),
        }.get(thing.kind, ("DescribeEndpoint", "EndpointName", "EndpointArn"))
        try:
            found = self._call(operation, {field: thing.name})
        except NotFoundError:
            return Seen("absent")
        tags = {
            e["Key"]: e["Value"]
            for e in self._call("ListTags", {"ResourceArn": found[arn]}).get("Tags") or ()
        }
        if (tags.get(OWNER), tags.get(ENDPOINT)) != (wanted.migration, wanted.endpoint):
            return Seen("foreign")
        if thing.kind in {"endpoint", "traffic"}:
            return self._endpoint_seen(thing, found, tags)
        body = dict(thing.body)
        if thing.kind == "configuration":
            # Weights of the first day: the endpoint's own count.
            body["ProductionVariants"] = [_unweighted(each) for each in body["ProductionVariants"]]
        differs = differing(body, found)
        return Seen("different", differs=tuple(differs)) if differs else Seen("ready")

    def _endpoint_seen(self, thing: Thing, found: Raw, tags: Mapping[str, str]) -> Seen:
        status = str(found.get("EndpointStatus"))
        if status in _FAILED:
            return Seen("failed", f"{status}: {found.get('FailureReason') or 'no reason given'}")
        if status != _SETTLED:
            return Seen("under_way")
        if thing.kind == "endpoint":
            same = found.get("EndpointConfigName") == thing.body["EndpointConfigName"]
            return Seen("ready") if same else Seen("stale", differs=("EndpointConfigName",))
        if tags.get(EPOCH):
            return Seen("ready", "the split is the cutover's")
        there = {
            e["VariantName"]: float(e.get("DesiredWeight", e.get("CurrentWeight", 0)))
            for e in found["ProductionVariants"]
        }
        total = sum(there.values()) or 1.0
        same = {name: round(100 * weight / total) for name, weight in there.items()} == dict(thing.body)
        return Seen("ready") if same else Seen("stale", differs=("weights",))

    def _make(self, wanted: WantedEndpoint, thing: Thing) -> None:
        tags = [{"Key": name, "Value": text} for name, text in wanted.marks.items()]
        if thing.kind == "model":
            self._send("CreateModel", {"ModelName": thing.name, "Tags": tags, **thing.body})
        elif thing.kind == "configuration":
            self._send("CreateEndpointConfig", {"EndpointConfigName": thing.name, "Tags": tags, **thing.body})
        elif thing.kind == "traffic":
            desired = [
                {"VariantName": name, "DesiredWeight": float(share)} for name, share in thing.body.items()
            ]
            arguments = {"EndpointName": thing.name, "DesiredWeightsAndCapacities": desired}
            self._send("UpdateEndpointWeightsAndCapacities", arguments)
        else:
            self._endpoint(thing, tags)

    def _endpoint(self, thing: Thing, tags: list[dict[str, str]]) -> None:
        """Create the endpoint, move it, or take a failed one away, which nothing else mends."""
        named = {"EndpointName": thing.name}
        try:
            status = str(self._call("DescribeEndpoint", named).get("EndpointStatus"))
        except NotFoundError:
            self._send("CreateEndpoint", {**named, "Tags": tags, **thing.body})
            return
        if status == "Failed":
            self._send("DeleteEndpoint", named)
        else:
            self._send("UpdateEndpoint", {**named, **thing.body})

    async def leftovers(self, wanted: WantedEndpoint) -> list[Thing]:
        """Return configurations and models that carry our tags, whatever deployments the spec names now."""
        return await asyncio.to_thread(self._leftovers, wanted)

    def _leftovers(self, wanted: WantedEndpoint) -> list[Thing]:
        found = []
        listings: tuple[tuple[Kind, str, str, str], ...] = (
            ("configuration", "ListEndpointConfigs", "EndpointConfigs", "EndpointConfig"),
            ("model", "ListModels", "Models", "Model"),
        )
        for kind, operation, field, prefix in listings:
            arguments = {"NameContains": f"{wanted.endpoint}-"}
            for page in self._reads.pages("sagemaker", operation, self._region, arguments):
                found += [
                    Thing(kind, str(each[f"{prefix}Name"]), {})
                    for each in page[field]
                    if _ours(self._tags(str(each[f"{prefix}Arn"])), wanted)
                ]
        return found

    def _tags(self, arn: str) -> dict[str, str]:
        tags = self._call("ListTags", {"ResourceArn": arn}).get("Tags") or ()
        return {str(each["Key"]): str(each["Value"]) for each in tags}

    def _call(self, operation: str, arguments: Mapping[str, Any]) -> Raw:
        return self._reads.call("sagemaker", operation, self._region, arguments)

    def _send(self, operation: str, arguments: Mapping[str, Any]) -> None:
        self._writes.change("sagemaker", operation, self._region, arguments)


def _variant(each: WantedDeployment, model: str) -> dict[str, Any]:
    return {
        "VariantName": each.name,
        "ModelName": model,
        "InstanceType": each.machine,
        "InitialInstanceCount": each.min_replicas,
        "InitialVariantWeight": float(each.traffic),
    }


def _weight(variant: Raw) -> float:
    return float(variant.get("DesiredWeight", variant.get("CurrentWeight", 0)) or 0)


def _ours(tags: Mapping[str, str], wanted: WantedEndpoint) -> bool:
    return (tags.get(OWNER), tags.get(ENDPOINT)) == (wanted.migration, wanted.endpoint)


def _unweighted(variant: Raw) -> dict[str, Any]:
    return {name: value for name, value in variant.items() if name != "InitialVariantWeight"}
