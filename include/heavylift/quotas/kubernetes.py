"""What a cluster allows: quotas and limit ranges of a namespace, and what its nodes have left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from heavylift.evidence.assess_input import QuotaLimit
from heavylift.platforms.kubernetes.control import WHOLE
from heavylift.platforms.kubernetes.objects import number_of
from heavylift.quotas.model import VALUE, Found

if TYPE_CHECKING:
    from heavylift.platforms.control import ControlPlane

MAKERS = {
    "nvidia.com/gpu": "nvidia",
    "amd.com/gpu": "amd",
    "google.com/tpu": "google",
    "aws.amazon.com/neuron": "aws",
    "habana.ai/gaudi": "habana",
    "gpu.intel.com/i915": "intel",
    "gpu.intel.com/xe": "intel",
}
"""Resources of device plugins that count whole devices → who makes them."""

_STORED = ("block volume", "shared file system", "relational", "key-value", "managed Kafka", "vector index")
"""Capabilities that lie on claimed volumes in a cluster."""

_GIB = 2**30
_BYTES = ("memory", "storage")
_PODS_DONE = frozenset({"Succeeded", "Failed"})
Item = Mapping[str, Any]


class ClusterQuotas:
    """Reads one cluster; the region is the namespace where the workload goes, or ``cluster`` for none."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    def read(self, region: str) -> Found:
        """Return what the nodes have, and the quotas and limit ranges of a namespace."""
        found = Found()
        self._nodes(found)
        if region == WHOLE:
            return found
        there = partial(self._plane.call, "", f"GET /api/v1/namespaces/{region}", WHOLE, {})
        if found.tried(there, f"namespace {region}", "get namespaces") is not None:
            self._quotas(region, found)
            self._ranges(region, found)
        return found

    def _items(self, path: str, region: str, subject: str, found: Found) -> list[Item] | None:
        operation = f"GET /api/v1/{{scope}}/{path}" if path != "nodes" else "GET /api/v1/nodes"
        return found.tried(
            lambda: [each for page in self._plane.pages("", operation, region, {}) for each in page["items"]],
            subject,
            f"list {path}",
        )

    def _nodes(self, found: Found) -> None:
        """Add the devices that pods may be placed on, less what running pods have asked for."""
        nodes = self._items("nodes", WHOLE, "nodes", found)
        if nodes is None:
            return
        usable = {str(each["name"]): _allocatable(each) for each in nodes if _takes_pods(each)}
        pods = self._items("pods", WHOLE, "pods, for what nodes have left", found)
        used = None if pods is None else _asked_on(pods, frozenset(usable))
        for resource, maker in MAKERS.items():
            there = [has[resource] for has in usable.values() if has.get(resource)]
            if not there:
                continue
            key, ask = (
                f"nodes:{resource}",
                f"add nodes, or a node pool, until there are {VALUE} of {resource}",
            )
            found.limit(
                QuotaLimit(
                    key=key, name=f"{resource} of nodes that take pods", limit=sum(there),
                    used=None if used is None else used.get(resource, 0.0), unit="accelerators", ask=ask,
                )
            )  # fmt: skip
            found.takes(key, 1.0, vendor=maker)
            each = f"node:{resource}"
            ask = f"add a node with {VALUE} of {resource}: a pod cannot be on two nodes"
            found.limit(
                QuotaLimit(
                    key=each, name=f"{resource} of the largest node", limit=max(there), unit="accelerators",
                    ask=ask, each=True,
                )
            )  # fmt: skip
            found.takes(each, 1.0, vendor=maker)

    def _quotas(self, region: str, found: Found) -> None:
        """Add the quotas of a namespace: of several for one resource the one with the least left counts."""
        items = self._items("resourcequotas", region, f"quotas of namespace {region}", found) or []
        tightest: dict[str, tuple[float, QuotaLimit]] = {}
        for each in items:
            spec, status = each.get("spec") or {}, each.get("status") or {}
            scoped = _scopes(spec)
            for resource, hard in (status.get("hard") or spec.get("hard") or {}).items():
                told = (status.get("used") or {}).get(resource)
                limit = _limit(region, str(each["name"]), resource, hard, told, scoped)
                left = (limit.limit or 0.0) - (limit.used or 0.0)
                if scoped:
                    found.limit(limit)  # it holds for some pods only: told, and not judged
                elif resource not in tightest or left < tightest[resource][0]:
                    tightest[resource] = (left, limit)
        for resource, (_, limit) in sorted(tightest.items()):
            found.limit(limit)
            _takes(found, limit.key, resource)

    def _ranges(self, region: str, found: Found) -> None:
        """Add what a single container, pod or claim may have, at most."""
        least: dict[tuple[str, str], tuple[float, str]] = {}
        for each in self._items("limitranges", region, f"limit ranges of namespace {region}", found) or []:
            for limits in (each.get("spec") or {}).get("limits") or ():
                for resource, most in (limits.get("max") or {}).items():
                    of = (str(limits.get("type")), str(resource))
                    told = (number_of(most), str(each["name"]))
                    least[of] = min(least.get(of, told), told)
        for (kind, resource), (most, name) in sorted(least.items()):
            key = f"limitrange:{region}/{kind}/{resource}"
            text = f"{resource} of each {kind} in namespace {region} (LimitRange {name})"
            ask = f"have max.{resource} of LimitRange {name} raised to {VALUE}"
            unit, most = _unit(resource, most)
            found.limit(QuotaLimit(key=key, name=text, limit=most, unit=unit, ask=ask, each=True))
            if kind == "PersistentVolumeClaim" and resource == "storage":
                for capability in _STORED:
                    found.takes(key, 1.0, capability=capability, per="gib")
            elif resource in MAKERS:
                found.takes(key, 1.0, vendor=MAKERS[resource])


def _limit(region: str, name: str, resource: str, hard: Any, used: Any, scoped: str) -> QuotaLimit:
    unit, most = _unit(resource, number_of(hard))
    return QuotaLimit(
        key=f"quota:{region}/{name}/{resource}",
        name=f"{resource} in namespace {region} (ResourceQuota {name}{scoped})",
        limit=most,
        used=None if used is None else _unit(resource, number_of(used))[1],
        unit=unit,
        ask=f"have spec.hard[{resource}] of ResourceQuota {name} in namespace {region} raised to {VALUE}",
    )


def _unit(resource: str, amount: float) -> tuple[str, float]:
    """Return a resource's unit and amount: bytes as GiB."""
    if resource.endswith(_BYTES):
        return "GiB", round(amount / _GIB, 3)
    if resource.removeprefix("requests.").removeprefix("limits.") == "cpu":
        return "cores", amount
    return "", amount


def _takes(found: Found, key: str, resource: str) -> None:
    """Say what takes of a namespace's quota: devices, and what lies on claimed volumes."""
    maker = MAKERS.get(resource.removeprefix("requests.").removeprefix("limits."))
    if maker:
        found.takes(key, 1.0, vendor=maker)
    for capability in _STORED:
        if resource == "requests.storage":
            found.takes(key, 1.0, capability=capability, per="gib")
        if resource == "persistentvolumeclaims":
            found.takes(key, 1.0, capability=capability)


def _scopes(spec: Item) -> str:
    chosen = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    named = [
        *(str(each) for each in spec.get("scopes") or ()),
        *(
            f"{each.get('scopeName')} {each.get('operator')} {','.join(each.get('values') or ())}"
            for each in chosen
        ),
    ]
    return f", only {'; '.join(named)}" if named else ""


def _takes_pods(node: Item) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = {each.get("status") for each in conditions if each.get("type") == "Ready"}
    return not (node.get("spec") or {}).get("unschedulable") and ready <= {"True"}


def _allocatable(node: Item) -> dict[str, float]:
    told = (node.get("status") or {}).get("allocatable") or {}
    return {resource: number_of(told[resource]) for resource in MAKERS if resource in told}


def _asked_on(pods: Iterable[Item], nodes: frozenset[str]) -> dict[str, float]:
    """Return what pods on these nodes hold; those that have ended hold nothing."""
    sums: dict[str, float] = defaultdict(float)
    for each in pods:
        spec = each.get("spec") or {}
        if spec.get("nodeName") in nodes and (each.get("status") or {}).get("phase") not in _PODS_DONE:
            for resource in MAKERS:
                sums[resource] += _of_pod(spec, resource)
    return sums


def _of_pod(spec: Item, resource: str) -> float:
    """Return what one pod holds: its containers together, or the largest that runs before them."""

    def of(containers: Iterable[Item], joined: Callable[[Iterable[float]], float]) -> float:
        return joined([0.0, *(_of_container(each, resource) for each in containers)])

    return max(of(spec.get("containers") or (), sum), of(spec.get("initContainers") or (), max))


def _of_container(container: Item, resource: str) -> float:
    resources = container.get("resources") or {}
    return max(number_of((resources.get(name) or {}).get(resource, 0)) for name in ("requests", "limits"))
