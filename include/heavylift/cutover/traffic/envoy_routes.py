"""The split in Envoy's ``RouteConfiguration``: plain data in, plain data out.

Only routes that lead to the two sides are touched, and of them only where they lead, what they mirror, and,
where there is none, how they are tried again. While both sides answer, a route stands twice: first for the
target with the share that it gets (``runtime_fraction``), then for the source with the rest. So only what the
source answers is mirrored, which weighted clusters cannot do.

Envoy draws one random number for each request. The share of the target looks at its last two digits, that of
the mirror at the two before the last four (``MILLION``), so that the one does not decide the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from heavylift.cutover.ports import Side, Split
from heavylift.cutover.traffic.envoy_settings import EnvoySettings
from heavylift.cutover.traffic.faults import no_such_route

Document = dict[str, Any]
_MARK = "heavylift"
_HALF = "target-half"
_MILLIONTHS = 10_000
_RETRIES = {
    "retry_on": "connect-failure,refused-stream,reset",
    "num_retries": 4,
    "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
}
_OTHER_SIDE_NEXT = {
    "name": "envoy.retry_priorities.previous_priorities",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3"
        ".PreviousPrioritiesConfig",
        "update_frequency": 1,
    },
}


def with_split(configuration: Document, split: Split, settings: EnvoySettings) -> Document:
    """Return a copy of a ``RouteConfiguration`` in which its routes are split so.

    :raises NotFoundError: no route leads to the two sides, or one has a fraction of its own.
    """
    made = deepcopy(configuration)
    touched = 0
    for host in made.get("virtual_hosts") or ():
        routes: list[Document] = []
        for route in host.get("routes") or ():
            if not _leads_to_sides(route, settings):
                routes.append(route)
            elif _mark(route).get("half") != _HALF:
                routes += _halves(route, split, settings)
                touched += 1
        host["routes"] = routes
    if not touched:
        raise _leads_elsewhere(settings)
    return made


def split_of(configuration: Document, settings: EnvoySettings) -> Split:
    """Return the split that a ``RouteConfiguration`` describes.

    :raises NotFoundError: no route leads to the two sides, or its routes do not agree.
    """
    found: list[tuple[int, int]] = []
    epoch, share = 0, 0
    for route in _routes(configuration):
        if not _leads_to_sides(route, settings):
            continue
        epoch = max(epoch, int(_mark(route).get("epoch") or 0))
        if _mark(route).get("half") == _HALF:
            share = int(_fraction(route).get("numerator") or 0)
            continue
        found.append((share or _share(route, settings), _mirrored(route, settings)))
        share = 0
    if not found:
        raise _leads_elsewhere(settings)
    if len(set(found)) > 1:
        shares = ", ".join(f"{percent} %" for percent, _ in found)
        raise no_such_route(
            f"reading route {settings.route}", f"routes that are split differently: {shares}", "one split"
        )
    percent, mirror = found[0]
    return Split(percent, mirror, epoch)


def _halves(route: Document, split: Split, settings: EnvoySettings) -> Iterator[Document]:
    """Yield the routes that stand for one route of the user's."""
    if (route.get("match") or {}).get("runtime_fraction"):
        raise no_such_route(
            f"splitting route {settings.route}",
            "a route with a runtime_fraction of its own",
            "routes that take all of the requests that they match",
        )
    percent = split.target_percent
    if 0 < percent < 100:
        half = _led(deepcopy(route), Side.TARGET, split, settings)
        fraction = {"default_value": {"numerator": percent, "denominator": "HUNDRED"}}
        half["match"] = {**half["match"], "runtime_fraction": fraction}
        _mark_with(half, split, half=_HALF)
        yield half
    rest = _led(route, Side.TARGET if percent == 100 else Side.SOURCE, split, settings)
    _mark_with(rest, split)
    yield rest


def _led(route: Document, side: Side, split: Split, settings: EnvoySettings) -> Document:
    action = route["route"]
    for name in ("cluster", "weighted_clusters"):
        action.pop(name, None)
    action["cluster"] = settings.cluster_of(side, split.target_percent)
    others = [each for each in action.pop("request_mirror_policies", ()) if not _is_ours(each, settings)]
    if side is Side.SOURCE and split.mirror_percent:
        share = {"numerator": split.mirror_percent * _MILLIONTHS, "denominator": "MILLION"}
        others.append(
            {"cluster": settings.clusters[Side.TARGET], "runtime_fraction": {"default_value": share}}
        )
    if others:
        action["request_mirror_policies"] = others
    _tried_again(action, outlet=action["cluster"] != settings.clusters[side])
    return route


def _tried_again(action: Document, *, outlet: bool) -> None:
    """Let requests that reached nobody be sent again; a policy of the user's own stays as it is."""
    policy = action.get("retry_policy")
    own = {key: value for key, value in (policy or {}).items() if key != "retry_priority"}
    if policy and own != _RETRIES:
        return
    action["retry_policy"] = {**_RETRIES, **({"retry_priority": _OTHER_SIDE_NEXT} if outlet else {})}


def _mark_with(route: Document, split: Split, **more: str) -> None:
    kept = (route.get("metadata") or {}).get("filter_metadata") or {}
    route["metadata"] = {
        **(route.get("metadata") or {}),
        "filter_metadata": {**kept, _MARK: {"epoch": split.epoch, **more}},
    }


def _mark(route: Document) -> Mapping[str, Any]:
    found = ((route.get("metadata") or {}).get("filter_metadata") or {}).get(_MARK)
    return found if isinstance(found, Mapping) else {}


def _routes(configuration: Document) -> Iterator[Document]:
    for host in configuration.get("virtual_hosts") or ():
        yield from host.get("routes") or ()


def _weights(route: Document) -> dict[str, int]:
    action = route.get("route")
    if not isinstance(action, Mapping):
        return {}
    if "cluster" in action:
        return {str(action["cluster"]): 100}
    listed = (action.get("weighted_clusters") or {}).get("clusters") or ()
    return {str(each.get("name")): int(each.get("weight") or 0) for each in listed}


def _leads_to_sides(route: Document, settings: EnvoySettings) -> bool:
    names = {name for side in Side for name in settings.clusters_of(side)}
    weights = _weights(route)
    return bool(weights) and set(weights) <= names


def _share(route: Document, settings: EnvoySettings) -> int:
    weights = _weights(route)
    targets = settings.clusters_of(Side.TARGET)
    total = sum(weights.values())
    return round(100 * sum(weights.get(name, 0) for name in targets) / total) if total else 0


def _is_ours(policy: Mapping[str, Any], settings: EnvoySettings) -> bool:
    return policy.get("cluster") == settings.clusters[Side.TARGET]


def _mirrored(route: Document, settings: EnvoySettings) -> int:
    for policy in (route.get("route") or {}).get("request_mirror_policies") or ():
        if _is_ours(policy, settings):
            given = (policy.get("runtime_fraction") or {}).get("default_value")
            return round(100 * _part(given)) if given else 100
    return 0


def _part(fraction: Mapping[str, Any]) -> float:
    whole = {"HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}
    return int(fraction.get("numerator") or 0) / whole[str(fraction.get("denominator") or "HUNDRED")]


def _fraction(route: Document) -> Mapping[str, Any]:
    found = ((route.get("match") or {}).get("runtime_fraction") or {}).get("default_value")
    return found if isinstance(found, Mapping) else {}


def _leads_elsewhere(settings: EnvoySettings) -> Exception:
    names = " and ".join(settings.clusters[side] for side in Side)
    return no_such_route(
        f"reading route {settings.route}", "no route to the two sides", f"a route to the clusters {names}"
    )
