"""Vertex AI: the traffic split between two models deployed on one endpoint.

The epoch is a label of the endpoint; both are written by one request with the ``etag`` of what was seen.
"""

from __future__ import annotations

from heavylift.connections import Connection
from heavylift.cutover.ports import Replicas, Side, Split
from heavylift.cutover.traffic.faults import check_no_mirror, no_such_route
from heavylift.cutover.traffic.settings import confirm_seconds, needed
from heavylift.cutover.traffic.swapping import Looked, SwappedTraffic
from heavylift.platforms.gcp.changing import google_changes

_LABEL = "heavylift-epoch"


class VertexTraffic(SwappedTraffic):
    """One endpoint.

    :param connection: type ``google_cloud_platform``; extra fields ``location``, ``endpoint``,
        ``source_deployed_model`` and ``target_deployed_model`` (ids of deployed models).
    """

    def __init__(self, connection: Connection) -> None:
        location, endpoint, source, target = needed(
            connection, "location", "endpoint", "source_deployed_model", "target_deployed_model"
        )
        self._ids = {Side.SOURCE: source, Side.TARGET: target}
        super().__init__(f"endpoint {endpoint} of Vertex AI", confirm_seconds(connection))
        self._api, project = google_changes(connection, f"https://{location}-aiplatform.googleapis.com")
        self._path = f"v1/projects/{project}/locations/{location}/endpoints/{endpoint}"

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def check(self, what: str, wanted: Split) -> None:
        """Refuse to mirror."""
        remedy = "mirror with a proxy before the endpoint, or compare the models beforehand"
        check_no_mirror(what, "Vertex AI", wanted.mirror_percent, remedy)

    async def look(self) -> Looked:
        """Return the split."""
        endpoint = await self._api.get(self._path)
        deployed = {str(each.get("id")) for each in endpoint.get("deployedModels") or ()}
        split = {
            str(name): int(share) for name, share in (endpoint.get("trafficSplit") or {}).items() if share
        }
        sides = set(self._ids.values())
        if not sides <= deployed or not set(split) <= sides:
            raise no_such_route(
                f"reading {self.name}",
                f"the deployed models {', '.join(sorted(deployed)) or 'none'}"
                f", with traffic on {', '.join(sorted(split)) or 'none'}",
                f"both {' and '.join(self._ids.values())}, and traffic on no other",
            )
        text = str((endpoint.get("labels") or {}).get(_LABEL) or "")
        percent = split.get(self._ids[Side.TARGET], 0)
        detail = {"endpoint": str(endpoint.get("name") or ""), "etag": str(endpoint.get("etag") or "")}
        return Looked(Split(percent, 0, int(text) if text.isdecimal() else 0, detail), endpoint)

    async def replicas(self, side: Side) -> Replicas | None:
        """Tell how many replicas a deployed model has, of the fewest that it is to have."""
        endpoint = (await self.look()).found
        models = {str(each.get("id")): each for each in endpoint.get("deployedModels") or ()}
        model = models[self._ids[side]]
        resources = model.get("dedicatedResources") or model.get("automaticResources") or {}
        ready = (model.get("status") or {}).get("availableReplicaCount")
        if ready is None:
            return None
        return Replicas(int(ready), max(1, int(resources.get("minReplicaCount") or 1)))

    async def change(self, seen: Looked, wanted: Split) -> None:
        """Send split, label and etag in one request."""
        split = {
            self._ids[Side.SOURCE]: 100 - wanted.target_percent,
            self._ids[Side.TARGET]: wanted.target_percent,
        }
        labels = {**(seen.found.get("labels") or {}), _LABEL: str(wanted.epoch)}
        body = {"trafficSplit": split, "labels": labels, "etag": str(seen.found.get("etag") or "")}
        await self._api.change("PATCH", self._path, body, {"updateMask": "trafficSplit,labels"})
