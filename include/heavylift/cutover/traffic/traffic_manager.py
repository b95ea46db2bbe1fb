"""Azure Traffic Manager: a profile with weighted endpoints; the epoch is a tag of the profile.

Weights run from 1 to 1000, so that a side without traffic is disabled. The service knows no precondition:
what is read back afterwards tells whose write holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavylift.connections import Connection
from heavylift.cutover.ports import Side, Split
from heavylift.cutover.traffic.dns_marks import mark_in, new_mark, ttl_detail
from heavylift.cutover.traffic.faults import check_no_mirror, no_such_route
from heavylift.cutover.traffic.route53 import NO_MIRROR
from heavylift.cutover.traffic.settings import confirm_seconds, needed
from heavylift.cutover.traffic.swapping import Looked, SwappedTraffic
from heavylift.platforms.azure.changing import azure_changes

API_VERSION = "2026-09-01"
_TAG = "heavylift"
_READ_ONLY = frozenset({"endpointMonitorStatus"})
Endpoint = Mapping[str, Any]


class TrafficManagerTraffic(SwappedTraffic):
    """One profile.

    :param connection: type ``azure``; extra fields ``resource_group``, ``profile``, ``source_endpoint`` and
        ``target_endpoint`` (the endpoints' names).
    """

    def __init__(self, connection: Connection) -> None:
        group, profile, source, target = needed(
            connection, "resource_group", "profile", "source_endpoint", "target_endpoint"
        )
        self._names = {Side.SOURCE: source, Side.TARGET: target}
        super().__init__(f"profile {profile} of Traffic Manager", confirm_seconds(connection))
        self._api, subscription = azure_changes(connection, API_VERSION)
        self._path = (
            f"subscriptions/{subscription}/resourceGroups/{group}"
            f"/providers/Microsoft.Network/trafficmanagerprofiles/{profile}"
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def check(self, what: str, wanted: Split) -> None:
        """Refuse to mirror."""
        check_no_mirror(what, "Traffic Manager", wanted.mirror_percent, NO_MIRROR)

    async def look(self) -> Looked:
        """Return the weights."""
        profile = await self._api.get(self._path)
        mark = mark_in(str((profile.get("tags") or {}).get(_TAG) or ""))
        properties = profile.get("properties") or {}
        if str(properties.get("trafficRoutingMethod")) != "Weighted":
            raise no_such_route(
                f"reading {self.name}", f"the routing {properties.get('trafficRoutingMethod')}", "Weighted"
            )
        weights = self._weights(properties)
        total = sum(weights.values())
        percent = round(100 * weights[Side.TARGET] / total) if total else 50
        dns = properties.get("dnsConfig") or {}
        detail = {"record": str(dns.get("fqdn") or ""), **ttl_detail(mark, int(dns.get("ttl") or 0))}
        return Looked(Split(percent, 0, mark.epoch, detail), profile)

    def _weights(self, properties: Mapping[str, Any]) -> dict[Side, int]:
        endpoints = {str(each.get("name")): each for each in properties.get("endpoints") or ()}
        if set(endpoints) != set(self._names.values()):
            raise no_such_route(
                f"reading {self.name}",
                f"the endpoints {', '.join(sorted(endpoints)) or 'none'}",
                f"just {' and '.join(self._names.values())}",
            )
        return {side: _weight(endpoints[name]) for side, name in self._names.items()}

    async def change(self, seen: Looked, wanted: Split) -> None:
        """Send weights, states and the tag in one request."""
        weights = {
            self._names[Side.TARGET]: wanted.target_percent,
            self._names[Side.SOURCE]: 100 - wanted.target_percent,
        }
        endpoints = [_weighted(each, weights[each["name"]]) for each in seen.found["properties"]["endpoints"]]
        tags = {**(seen.found.get("tags") or {}), _TAG: new_mark(wanted.epoch).text.strip('"')}
        body = {"tags": tags, "properties": {"endpoints": endpoints}}
        await self._api.change("PATCH", self._path, body)


def _weight(endpoint: Endpoint) -> int:
    properties = endpoint.get("properties") or {}
    return 0 if properties.get("endpointStatus") == "Disabled" else int(properties.get("weight") or 1)


def _weighted(endpoint: Endpoint, weight: int) -> Endpoint:
    kept = {key: value for key, value in (endpoint.get("properties") or {}).items() if key not in _READ_ONLY}
    kept |= {"weight": max(1, weight), "endpointStatus": "Enabled" if weight else "Disabled"}
    return {**endpoint, "properties": kept}
