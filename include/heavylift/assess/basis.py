"""The tables of facts that one plan stands on, and what they say of a component on a target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from heavylift.evidence.assess_input import AcceleratorUse, Component
from heavylift.evidence.canonical import canonical_json, sha256_hex
from heavylift.facts.accelerators import (
    AcceleratorMap,
    AcceleratorMatch,
    Need,
    base_of,
    load_accelerators,
    need_of,
)
from heavylift.facts.devices import DeviceModel, load_devices
from heavylift.facts.prices import PriceBook, load_prices
from heavylift.facts.refreshed import Refreshed, refreshed_in
from heavylift.facts.regimes import Regime, load_regimes
from heavylift.facts.regions import jurisdiction_of
from heavylift.facts.services import ServiceMap, ServiceMatch, load_services
from heavylift.facts.tables import KEYS, check_folder, overridden

_OF_KIND = {
    "dataset": "object storage",
    "database": "relational",
    "stream": "managed Kafka",
    "model": "model registry",
    "model registry": "model registry",
    "experiment store": "experiment tracking",
    "feature store": "feature store (offline+online)",
    "training pipeline": "ML pipeline",
    "endpoint": "real-time endpoint",
    "image": "container registry",
    "cluster": "Kubernetes",
    "role": "IAM role/policy",
    "secret": "secrets",
    "key": "key management",
    "network": "network",
    "dashboard": "dashboards",
    "alert": "metrics+alerts",
    "log group": "logs",
    "job": "managed training job",
    "notebook": "notebooks",
    "function": "functions",
    "workflow": "workflow",
    "instance": "virtual machine",
    "volume": "block volume",
    "workload": "Kubernetes",
    "monitor": "model monitoring",
}
"""What a kind of component is, where nobody named its service."""


@dataclass(frozen=True)
class Basis:
    """All facts of one plan.

    :param folder: tables of one's own, or None.
    :param refreshed: what the folder says of its prices.
    """

    services: ServiceMap
    accelerators: AcceleratorMap
    regimes: tuple[Regime, ...]
    prices: PriceBook
    devices: dict[str, DeviceModel]
    folder: Path | None
    sha256: str
    refreshed: tuple[Refreshed, ...] = ()

    def capability(self, component: Component) -> str | None:
        """Return the capability that a component is of; by its service, else by its kind."""
        if component.service:
            return self.services.capability_of(component.service)
        return _OF_KIND.get(component.kind.replace("-", " ").replace("_", " "))

    def service(self, component: Component, source: str, target: str) -> ServiceMatch | None:
        """Return what a component's service becomes; None where the map does not know it."""
        capability = self.capability(component)
        return self.services.match(capability, source, target) if capability else None

    def accelerator(self, component: Component, source: str, target: str) -> AcceleratorMatch | None:
        """Return what takes over a component's accelerator; None where it has none."""
        need = self.need(component, source)
        return self.accelerators.match(need, target) if need else None

    def need(self, component: Component, source: str) -> Need | None:
        """Return what a component needs of accelerators: what it states, else what it runs on."""
        use = component.accelerator
        return None if use is None else self.need_of_use(use, source)

    def need_of_use(self, use: AcceleratorUse, source: str) -> Need:
        """Return what work needs of accelerators that runs on ``use`` today."""
        today = self.accelerators.find(source, use.instance_type) if use.instance_type else None
        base = need_of(today) if today else Need()
        stated = use.memory_gib_each is not None
        memory = base.memory_gib_each if today else self.accelerators.memory_of(source, use.model)
        network = base.network_gbps if use.network_gbps is None else use.network_gbps
        return Need(
            vendor=use.vendor.lower() or base.vendor,
            model=base_of(use.model) or base.model,
            count=use.count or base.count,
            memory_gib_each=use.memory_gib_each if stated else memory,
            stated=stated,
            network_gbps=network,
            rdma=base.rdma and network > 0,
            arm=base.arm,
        )

    def jurisdiction(self, platform: str, region: str) -> str | None:
        """Return under whose law a region lies, or None where that is not known."""
        return jurisdiction_of(platform, region, self.folder) if region else None


def load_basis(folder: Path | None = None, prices: Path | None = None) -> Basis:
    """Return the built-in facts, with the tables of ``folder`` and the prices of a file in their place.

    :raises SpecError: a table or the file cannot be used.
    """
    check_folder(folder)
    book = load_prices(prices, folder)
    rows = {name: overridden(name, folder) for name in KEYS}
    own = sha256_hex(prices.read_bytes()) if prices else ""
    return Basis(
        services=load_services(folder),
        accelerators=load_accelerators(folder),
        regimes=load_regimes(folder),
        prices=book,
        devices=load_devices(folder),
        folder=folder,
        refreshed=refreshed_in(folder),
        sha256=sha256_hex(canonical_json({"tables": rows, "prices": own})),
    )
