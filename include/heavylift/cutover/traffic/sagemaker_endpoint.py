"""SageMaker: the weights of two production variants of one endpoint; the epoch is a tag of the endpoint.

The tag is written first, so that a lower epoch is refused from then on. The service knows no precondition:
the weights are read back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from heavylift.connections import Connection
from heavylift.cutover.ports import Replicas, Side, Split
from heavylift.cutover.traffic.faults import check_no_mirror, no_such_route
from heavylift.cutover.traffic.route53 import changed_meanwhile
from heavylift.cutover.traffic.settings import confirm_seconds, needed
from heavylift.cutover.traffic.swapping import Looked, SwappedTraffic
from heavylift.platforms.aws.changing import AwsChanges
from heavylift.platforms.aws.control import AwsControlPlane
from heavylift.platforms.aws.settings import region_of

_CHANGES = frozenset({"UpdateEndpointWeightsAndCapacities", "AddTags"})
_TAG = "heavylift-epoch"


class SageMakerTraffic(SwappedTraffic):
    """One endpoint.

    :param connection: type ``aws``; extra fields ``endpoint``, ``source_variant`` and ``target_variant``.
    """

    def __init__(self, connection: Connection) -> None:
        self._endpoint, source, target = needed(connection, "endpoint", "source_variant", "target_variant")
        self._names = {Side.SOURCE: source, Side.TARGET: target}
        super().__init__(f"endpoint {self._endpoint} of SageMaker", confirm_seconds(connection, 1800.0))
        self._reads = AwsControlPlane(connection)
        self._writes = AwsChanges(connection, self._reads, _CHANGES)
        self._region = region_of(connection)

    def check(self, what: str, wanted: Split) -> None:
        """Refuse to mirror: shadow variants belong to the endpoint's configuration."""
        remedy = (
            "give the endpoint a configuration with a shadow variant by hand, then shift without mirroring"
        )
        check_no_mirror(what, "a split between variants", wanted.mirror_percent, remedy)

    async def look(self) -> Looked:
        """Return the weights that are wanted, and whether the endpoint still moves to them."""
        return await asyncio.to_thread(self._look)

    async def replicas(self, side: Side) -> Replicas | None:
        """Tell how many instances a variant has and wants; None for a serverless one."""
        _found, variants = await asyncio.to_thread(self._variants)
        variant = variants[self._names[side]]
        current, wanted = variant.get("CurrentInstanceCount"), variant.get("DesiredInstanceCount")
        if current is None and wanted is None:
            return None
        ready = int(current if current is not None else wanted or 0)
        return Replicas(ready, int(wanted if wanted is not None else ready), "instances")

    def _variants(self) -> tuple[Mapping[str, Any], dict[str, Mapping[str, Any]]]:
        found = self._call("DescribeEndpoint", {"EndpointName": self._endpoint})
        variants = {str(each["VariantName"]): each for each in found.get("ProductionVariants") or ()}
        if set(variants) != set(self._names.values()):
            raise no_such_route(
                f"reading {self.name}",
                f"the variants {', '.join(sorted(variants)) or 'none'}",
                f"just {' and '.join(self._names.values())}",
            )
        return found, variants

    def _look(self) -> Looked:
        found, variants = self._variants()
        weights = {side: _wanted_weight(variants[name]) for side, name in self._names.items()}
        total = sum(weights.values())
        percent = round(100 * weights[Side.TARGET] / total) if total else 0
        arn = str(found["EndpointArn"])
        epoch = self._epoch(arn)
        status = str(found.get("EndpointStatus"))
        detail = {"endpoint": self._endpoint, "status": status}
        waits = "" if status == "InService" and not _moving(variants) else f"the endpoint is {status}"
        return Looked(Split(percent, 0, epoch, detail), (arn, status), waits)

    def _epoch(self, arn: str) -> int:
        tags = self._call("ListTags", {"ResourceArn": arn}).get("Tags") or ()
        found = {str(each["Key"]): str(each["Value"]) for each in tags}
        text = found.get(_TAG, "")
        return int(text) if text.isdecimal() else 0

    async def change(self, seen: Looked, wanted: Split) -> None:
        """Write the tag, then the weights."""
        await asyncio.to_thread(self._change, seen, wanted)

    def _change(self, seen: Looked, wanted: Split) -> None:
        arn, status = seen.found
        if status != "InService":
            raise changed_meanwhile(self.name, f"an endpoint that is {status}")
        tag = {"Key": _TAG, "Value": str(wanted.epoch)}
        self._send("AddTags", {"ResourceArn": arn, "Tags": [tag]})
        weights = {Side.TARGET: wanted.target_percent, Side.SOURCE: 100 - wanted.target_percent}
        desired = [{"VariantName": self._names[side], "DesiredWeight": float(weights[side])} for side in Side]
        arguments = {"EndpointName": self._endpoint, "DesiredWeightsAndCapacities": desired}
        self._send("UpdateEndpointWeightsAndCapacities", arguments)

    def _call(self, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._reads.call("sagemaker", operation, self._region, arguments)

    def _send(self, operation: str, arguments: Mapping[str, Any]) -> None:
        self._writes.change("sagemaker", operation, self._region, arguments)


def _wanted_weight(variant: Mapping[str, Any]) -> float:
    return float(variant.get("DesiredWeight", variant.get("CurrentWeight", 0)) or 0)


def _moving(variants: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(
        float(each.get("CurrentWeight", _wanted_weight(each)) or 0) != _wanted_weight(each)
        for each in variants.values()
    )
