"""Kubernetes Gateway API: the weights of an ``HTTPRoute``'s two backends, and a ``RequestMirror`` filter.

The epoch is an annotation; ``resourceVersion`` makes each change a compare-and-swap. In force is what every
gateway that the route belongs to has accepted in this generation.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from heavylift.connections import Connection
from heavylift.cutover.ports import Replicas, Side, Split
from heavylift.cutover.traffic.faults import check_mirror_alone, no_such_route
from heavylift.cutover.traffic.settings import confirm_seconds, needed
from heavylift.cutover.traffic.swapping import Looked, SwappedTraffic
from heavylift.platforms.kubernetes.changing import kubernetes_changes

ANNOTATION = "heavylift/epoch"
_MIRROR = "RequestMirror"
_NEEDED = ("Accepted", "ResolvedRefs")
Document = dict[str, Any]


class GatewayTraffic(SwappedTraffic):
    """One ``HTTPRoute``.

    :param connection: type ``kubernetes``; extra fields ``namespace``, ``route``, ``source_service`` and
        ``target_service`` (names of the backends).
    """

    def __init__(self, connection: Connection) -> None:
        namespace, route, source, target = needed(
            connection, "namespace", "route", "source_service", "target_service"
        )
        self._names = {Side.SOURCE: source, Side.TARGET: target}
        super().__init__(f"HTTPRoute {namespace}/{route}", confirm_seconds(connection, 60.0))
        self._api = kubernetes_changes(connection)
        self._slices = f"apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        self._path = f"apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/{route}"

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def check(self, what: str, wanted: Split) -> None:
        """Refuse to mirror while the target answers, too: a rule mirrors whatever it matches."""
        check_mirror_alone(what, "a Gateway", wanted)

    async def look(self) -> Looked:
        """Return the weights, and which gateway has not taken them yet."""
        route = await self._api.get(self._path)
        found = {_share(rule, self._names) for rule in self._rules(route)}
        if len(found) > 1:
            shares = ", ".join(sorted(f"{percent} %" for percent, _ in found))
            raise no_such_route(
                f"reading {self.name}", f"rules that are split differently: {shares}", "one split"
            )
        percent, mirror = found.pop()
        epoch = _epoch(route)
        revision = str((route.get("metadata") or {}).get("resourceVersion") or "")
        detail = {"route": self.name, "resourceVersion": revision}
        return Looked(Split(percent, mirror, epoch, detail), route, _waits_for(route))

    async def replicas(self, side: Side) -> Replicas | None:
        """Tell how many endpoints a side's service has, and how many of them are ready."""
        query = {"labelSelector": f"kubernetes.io/service-name={self._names[side]}"}
        slices = (await self._api.get(self._slices, query)).get("items") or ()
        endpoints = [each for one in slices for each in one.get("endpoints") or ()]
        # Not told counts as ready: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/
        ready = [each for each in endpoints if (each.get("conditions") or {}).get("ready") is not False]
        return Replicas(len(ready), len(endpoints), "endpoints of its service")

    def _rules(self, route: Document) -> list[Document]:
        sides = set(self._names.values())
        found = []
        for rule in (route.get("spec") or {}).get("rules") or ():
            names = [str(each.get("name")) for each in rule.get("backendRefs") or ()]
            if not sides & set(names):
                continue
            if sorted(names) != sorted(sides):
                raise no_such_route(
                    f"reading {self.name}",
                    f"a rule with the backends {', '.join(names)}",
                    f"both {' and '.join(self._names.values())}, the one without traffic with weight 0",
                )
            found.append(rule)
        if not found:
            raise no_such_route(
                f"reading {self.name}",
                "no rule that leads to the two sides",
                f"one with the backends {' and '.join(self._names.values())}",
            )
        return found

    async def change(self, seen: Looked, wanted: Split) -> None:
        """Replace the route, as it was seen."""
        route = deepcopy(seen.found)
        route.pop("status", None)
        meta = route["metadata"]
        meta.pop("managedFields", None)
        meta["annotations"] = {**(meta.get("annotations") or {}), ANNOTATION: str(wanted.epoch)}
        for rule in self._rules(route):
            self._split(rule, wanted)
        await self._api.change("PUT", self._path, route)

    def _split(self, rule: Document, wanted: Split) -> None:
        weights = {
            self._names[Side.TARGET]: wanted.target_percent,
            self._names[Side.SOURCE]: 100 - wanted.target_percent,
        }
        target: Document = {}
        for backend in rule["backendRefs"]:
            backend["weight"] = weights[backend["name"]]
            if backend["name"] == self._names[Side.TARGET]:
                target = {key: value for key, value in backend.items() if key not in ("weight", "filters")}
        filters = [each for each in rule.get("filters") or () if not _mirrors_to(each, self._names)]
        if wanted.mirror_percent:
            mirror = {"backendRef": target, "percent": wanted.mirror_percent}
            filters.append({"type": _MIRROR, "requestMirror": mirror})
        rule.pop("filters", None)
        if filters:
            rule["filters"] = filters


def _share(rule: Document, names: Mapping[Side, str]) -> tuple[int, int]:
    weights = {each["name"]: int(each.get("weight", 1)) for each in rule["backendRefs"]}
    total = sum(weights.values())
    percent = round(100 * weights[names[Side.TARGET]] / total) if total else 0
    mirrors = [each["requestMirror"] for each in rule.get("filters") or () if _mirrors_to(each, names)]
    return percent, int(mirrors[0].get("percent", 100)) if mirrors else 0


def _mirrors_to(each: Document, names: Mapping[Side, str]) -> bool:
    backend = (each.get("requestMirror") or {}).get("backendRef") or {}
    return each.get("type") == _MIRROR and backend.get("name") == names[Side.TARGET]


def _epoch(route: Document) -> int:
    text = str(((route.get("metadata") or {}).get("annotations") or {}).get(ANNOTATION) or "")
    return int(text) if text.isdecimal() else 0


def _waits_for(route: Document) -> str:
    generation = int((route.get("metadata") or {}).get("generation") or 0)
    parents = (route.get("status") or {}).get("parents") or []
    if not parents:
        return "no gateway has taken the route yet"
    for parent in parents:
        conditions = {each.get("type"): each for each in parent.get("conditions") or ()}
        for name in _NEEDED:
            found = conditions.get(name) or {}
            if found.get("status") != "True" or int(found.get("observedGeneration") or 0) < generation:
                who = (parent.get("parentRef") or {}).get("name")
                return f"gateway {who}: {name} is {found.get('status') or 'not told'} ({found.get('reason')})"
    return ""
