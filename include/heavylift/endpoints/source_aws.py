"""SageMaker's endpoint, its configuration and its models, as the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from heavylift.connections import Connection
from heavylift.endpoints.source import (
    SourceDeployment,
    SourceEndpoint,
    gap,
    in_percent,
    split_variables,
    told_fields,
)
from heavylift.errors import NotFoundError, UnsupportedError
from heavylift.evidence.endpoint_records import EndpointGap
from heavylift.platforms.aws.control import AwsControlPlane
from heavylift.platforms.aws.settings import region_of

Raw = Mapping[str, Any]
_BY_HAND = "accept it, or set it up on the target by hand"
_MONITOR = "use the section monitor, and accept this"
_SCALING = "use the section autoscaling, and accept this"
_CANARY = "mirror by the cutover's canary, and accept this"
_CONFIGURATION = {
    "AsyncInferenceConfig": ("asynchronous inference is another product on the target", _BY_HAND),
    "DataCaptureConfig": (
        "captured requests are not carried over",
        "use the section monitor, and accept this",
    ),
    "ShadowProductionVariants": (
        "shadow variants are not made",
        "mirror by the cutover's canary, and accept this",
    ),
    "ExplainerConfig": ("explanations are not carried over", _BY_HAND),
    "VpcConfig": ("its subnets and security groups are the source's", "set target.network, and accept this"),
    "EnableNetworkIsolation": ("network isolation is not carried over", _BY_HAND),
}
_VARIANT = {
    "ServerlessConfig": ("serverless inference has no machines", "name a machine, and accept this"),
    "ManagedInstanceScaling": (
        "its scaling is not carried over",
        "use the section autoscaling, and accept this",
    ),
    "CoreDumpConfig": ("core dumps are not kept", _BY_HAND),
    "RoutingConfig": ("the target chooses replicas in its own way", _BY_HAND),
    "ModelDataDownloadTimeoutInSeconds": ("the target has its own time-out", _BY_HAND),
    "ContainerStartupHealthCheckTimeoutInSeconds": ("the target has its own time-out", _BY_HAND),
}
_MODEL = {
    "VpcConfig": _CONFIGURATION["VpcConfig"],
    "EnableNetworkIsolation": _CONFIGURATION["EnableNetworkIsolation"],
}


def read_sagemaker(connection: Connection, name: str, region: str = "") -> SourceEndpoint:
    """Return an endpoint of SageMaker; only reads.

    :raises NotFoundError: there is none of that name.
    """
    reader = _Reader(AwsControlPlane(connection), region or region_of(connection))
    return reader.read(name)


class _Reader:
    def __init__(self, plane: AwsControlPlane, region: str) -> None:
        self._plane, self._region = plane, region

    def read(self, name: str) -> SourceEndpoint:
        endpoint = self._call("sagemaker", "DescribeEndpoint", {"EndpointName": name})
        named = {"EndpointConfigName": endpoint["EndpointConfigName"]}
        config = self._call("sagemaker", "DescribeEndpointConfig", named)
        gaps = list(told_fields("endpoint", config, _CONFIGURATION))
        weights = {str(e["VariantName"]): _weight(e) for e in endpoint.get("ProductionVariants") or ()}
        variants = config.get("ProductionVariants") or ()
        shares = in_percent(
            weights or {str(e["VariantName"]): float(e.get("InitialVariantWeight", 1)) for e in variants}
        )
        scaled = self._scaled(name)
        found = []
        for each in variants:
            one, more = self._variant(each, shares, scaled)
            found.append(one)
            gaps += more
        return SourceEndpoint("aws", tuple(found), tuple(gaps))

    def _variant(
        self, each: Raw, shares: Mapping[str, int], scaled: Mapping[str, tuple[int, int]]
    ) -> tuple[SourceDeployment, list[EndpointGap]]:
        name = str(each["VariantName"])
        gaps = list(told_fields(name, each, _VARIANT))
        model: Raw = {}
        if each.get("ModelName"):
            model = self._call("sagemaker", "DescribeModel", {"ModelName": each["ModelName"]})
        else:
            gaps.append(
                gap(
                    f"{name}: inference components",
                    "a variant of several models that share machines",
                    _BY_HAND,
                )
            )
        gaps += told_fields(name, model, _MODEL)
        gaps += _containers(name, model)
        count = int(each.get("InitialInstanceCount") or 1)
        least, most = scaled.get(name, (count, count))
        if name in scaled:
            what = f"it scales from {least} to {most} by a policy of its own, which is not carried over here"
            gaps.append(gap(f"{name}: autoscaling", what, "use the section autoscaling, and accept this"))
        container: Raw = model.get("PrimaryContainer") or next(iter(model.get("Containers") or ()), {})
        kept, hidden = split_variables(name, container.get("Environment") or {})
        found = SourceDeployment(
            name,
            str(each.get("InstanceType") or ""),
            least,
            most,
            shares.get(name),
            8080,
            "/invocations",
            "/ping",
            kept,
        )
        return found, gaps + hidden

    def _scaled(self, endpoint: str) -> dict[str, tuple[int, int]]:
        """Return least and most replicas of each variant that Application Auto Scaling moves."""
        arguments = {"ServiceNamespace": "sagemaker"}
        try:
            pages = list(
                self._plane.pages(
                    "application-autoscaling", "DescribeScalableTargets", self._region, arguments
                )
            )
        except (NotFoundError, UnsupportedError):
            return {}
        prefix = f"endpoint/{endpoint}/variant/"
        return {
            str(each["ResourceId"]).removeprefix(prefix): (int(each["MinCapacity"]), int(each["MaxCapacity"]))
            for page in pages
            for each in page.get("ScalableTargets") or ()
            if str(each["ResourceId"]).startswith(prefix)
        }

    def _call(self, service: str, operation: str, arguments: Raw) -> Raw:
        return self._plane.call(service, operation, self._region, arguments)


def _containers(name: str, model: Raw) -> Iterator[EndpointGap]:
    containers = model.get("Containers") or ()
    if len(containers) > 1:
        what = f"an inference pipeline of {len(containers)} containers; a deployment has one"
        yield gap(f"{name}: containers", what, "put them into one image, and accept this")
    for each in (model.get("PrimaryContainer") or {}, *containers):
        if each.get("Mode") == "MultiModel" or each.get("MultiModelConfig"):
            what = "one container that loads many models on demand"
            yield gap(f"{name}: multi-model", what, "make a deployment of each model, and accept this")


def _weight(variant: Raw) -> float:
    return float(variant.get("DesiredWeight", variant.get("CurrentWeight", 0)) or 0)
