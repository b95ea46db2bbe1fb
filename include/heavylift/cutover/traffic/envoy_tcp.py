"""The switch in Envoy's TCP listener: which of the two clusters new connections go to.

The epoch stands in the ``version_info`` of the file, as ``heavylift <listener>:<epoch>``, one word for each
listener: in the listener itself it would have every connection drained whenever only the epoch changes.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from heavylift.cutover.ports import Side, Split
from heavylift.cutover.traffic.envoy_settings import EnvoySettings
from heavylift.cutover.traffic.faults import no_such_route

Document = dict[str, Any]
_MARK = "heavylift"


def with_side(listener: Document, split: Split, settings: EnvoySettings) -> Document:
    """Return a copy of a listener whose connections go to one side.

    :raises NotFoundError: it has no TCP proxy to one of the two sides.
    """
    made = deepcopy(listener)
    side = Side.TARGET if split.target_percent else Side.SOURCE
    _proxy(made, settings)["cluster"] = settings.clusters[side]
    return made


def side_of(listener: Document, settings: EnvoySettings) -> Side:
    """Return where a listener's connections go.

    :raises NotFoundError: it has no TCP proxy to one of the two sides.
    """
    cluster = _proxy(listener, settings)["cluster"]
    return next(side for side in Side if settings.clusters[side] == cluster)


def _proxy(listener: Document, settings: EnvoySettings) -> Document:
    for chain in listener.get("filter_chains") or ():
        for each in chain.get("filters") or ():
            found = each.get("typed_config")
            if isinstance(found, dict) and found.get("cluster") in settings.clusters.values():
                return found
    names = " or ".join(settings.clusters[side] for side in Side)
    raise no_such_route(
        f"reading listener {settings.route}", "no TCP proxy to the two sides", f"one to the cluster {names}"
    )


def epoch_in(version: str, route: str) -> int:
    """Return a listener's epoch; 0 where the version tells none."""
    return _epochs(version).get(route, 0)


def version_with(version: str, route: str, epoch: int) -> str:
    """Return a file's version with a listener's epoch; those of others stay."""
    epochs = {**_epochs(version), route: epoch}
    return " ".join([_MARK, *(f"{name}:{number}" for name, number in sorted(epochs.items()))])


def _epochs(version: str) -> dict[str, int]:
    mark, *words = version.split()[:1] + version.split()[1:] or [""]
    if mark != _MARK:
        return {}
    pairs = (word.rpartition(":") for word in words)
    return {name: int(number) for name, _, number in pairs if name and number.isdecimal()}
