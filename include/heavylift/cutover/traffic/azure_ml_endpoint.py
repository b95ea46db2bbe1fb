"""Azure Machine Learning: live and mirrored traffic between two deployments of one online endpoint.

The epoch is a tag of the endpoint, written with the split by one request. The service knows no precondition:
what is read back afterwards tells whose write holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavylift.connections import Connection
from heavylift.cutover.ports import Replicas, Side, Split
from heavylift.cutover.traffic.dns_marks import mark_in, new_mark
from heavylift.cutover.traffic.faults import check_mirror_alone, no_such_route
from heavylift.cutover.traffic.route53 import changed_meanwhile
from heavylift.cutover.traffic.settings import confirm_seconds, needed
from heavylift.cutover.traffic.swapping import Looked, SwappedTraffic
from heavylift.platforms.azure.changing import azure_changes

API_VERSION = "2025-12-01"
_TAG = "heavylift"
_MOST_MIRRORED = 50
_KEPT = ("location", "tags", "identity", "kind", "sku")
_KEPT_PROPERTIES = ("authMode", "compute", "description", "properties", "publicNetworkAccess", "traffic")
_SETTLED = "Succeeded"


class AzureMlTraffic(SwappedTraffic):
    """One online endpoint.

    :param connection: type ``azure``; extra fields ``resource_group``, ``workspace``, ``endpoint``,
        ``source_deployment`` and ``target_deployment``.
    """

    def __init__(self, connection: Connection) -> None:
        group, workspace, endpoint, source, target = needed(
            connection, "resource_group", "workspace", "endpoint", "source_deployment", "target_deployment"
        )
        self._names = {Side.SOURCE: source, Side.TARGET: target}
        super().__init__(f"endpoint {endpoint} of Azure ML", confirm_seconds(connection, 900.0))
        self._api, subscription = azure_changes(connection, API_VERSION)
        self._path = (
            f"subscriptions/{subscription}/resourceGroups/{group}/providers"
            f"/Microsoft.MachineLearningServices/workspaces/{workspace}/onlineEndpoints/{endpoint}"
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def check(self, what: str, wanted: Split) -> None:
        """Refuse what Azure ML refuses: mirroring to a deployment with live traffic, or of more than half."""
        check_mirror_alone(what, "Azure ML", wanted, _MOST_MIRRORED)

    async def look(self) -> Looked:
        """Return the split, and whether the endpoint still moves to it."""
        endpoint = await self._api.get(self._path)
        properties = endpoint.get("properties") or {}
        traffic, mirrored = _shares(properties, "traffic"), _shares(properties, "mirrorTraffic")
        target = self._names[Side.TARGET]
        if not set(traffic) <= set(self._names.values()) or not set(mirrored) <= {target}:
            raise no_such_route(
                f"reading {self.name}",
                f"traffic on {', '.join(sorted({*traffic, *mirrored})) or 'none'}",
                f"traffic on {' and '.join(self._names.values())} alone, and mirroring to {target}",
            )
        mark = mark_in(str((endpoint.get("tags") or {}).get(_TAG) or ""))
        state = str(properties.get("provisioningState") or "")
        detail = {"endpoint": str(endpoint.get("name") or ""), "state": state}
        waits = "" if state == _SETTLED else f"the endpoint is {state}"
        split = Split(traffic.get(target, 0), mirrored.get(target, 0), mark.epoch, detail)
        return Looked(split, endpoint, waits)

    async def replicas(self, side: Side) -> Replicas | None:
        """Tell how many instances a deployment has; none of them is ready until all of it is provisioned."""
        found = await self._api.get(f"{self._path}/deployments/{self._names[side]}")
        wanted = (found.get("sku") or {}).get("capacity")
        if wanted is None:
            return None
        state = str((found.get("properties") or {}).get("provisioningState") or "")
        return Replicas(int(wanted) if state == _SETTLED else 0, int(wanted), "instances")

    async def change(self, seen: Looked, wanted: Split) -> None:
        """Replace the endpoint by itself with another split."""
        if seen.waits_for:
            raise changed_meanwhile(self.name, seen.waits_for)
        source, target = self._names[Side.SOURCE], self._names[Side.TARGET]
        endpoint = seen.found
        properties = _only(endpoint["properties"], _KEPT_PROPERTIES)
        properties["traffic"] = {source: 100 - wanted.target_percent, target: wanted.target_percent}
        properties["mirrorTraffic"] = {target: wanted.mirror_percent} if wanted.mirror_percent else {}
        tags = {**(endpoint.get("tags") or {}), _TAG: new_mark(wanted.epoch).text.strip('"')}
        body = {**_only(endpoint, _KEPT), "tags": tags, "properties": properties}
        await self._api.change("PUT", self._path, body)


def _shares(properties: Mapping[str, Any], name: str) -> dict[str, int]:
    return {str(key): int(share) for key, share in (properties.get(name) or {}).items() if share}


def _only(value: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value[name] for name in names if value.get(name) is not None}
