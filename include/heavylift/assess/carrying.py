"""How long data takes over a line or on devices, and whether catching up with its changes ever ends."""

from __future__ import annotations

import math
from dataclasses import dataclass

from heavylift.evidence.assess_input import Component, Constraints, Devices, Line
from heavylift.facts.devices import DeviceModel
from heavylift.facts.estimate import LINK_SHARE
from heavylift.facts.rates import (
    APPLIANCE_BYTES,
    DAY,
    WORKER_BYTES_PER_SECOND,
    WORKER_OBJECTS_PER_SECOND,
    online_days,
)

_DEFAULT_TURNAROUND = 1
"""The middle of the three days that :class:`Devices` tells: fewest, likely, most."""


@dataclass(frozen=True)
class Carrier:
    """One way to carry data: a line and workers, and devices where there are any.

    :param bits_per_second: nominal; of a measured line such that its usable share is what was measured.
    """

    name: str
    bits_per_second: float
    workers: int
    measured: bool = False
    usd_per_month: float = 0.0
    setup_days: float = 0.0
    devices: Devices | None = None
    model: DeviceModel | None = None

    @property
    def bytes_per_second(self) -> float:
        """What the line and the workers move together."""
        return self.rate(LINK_SHARE)

    def rate(self, share: float) -> float:
        """Return bytes a second where so much of the line can be used."""
        return min(self.bits_per_second / 8 * share, self.workers * WORKER_BYTES_PER_SECOND)

    @property
    def objects_per_second(self) -> float:
        """How many objects the workers can begin."""
        return float(self.workers * WORKER_OBJECTS_PER_SECOND)

    def copy_seconds(self, component: Component) -> float:
        """Return how long a component takes whose data does not change meanwhile."""
        return DAY * online_days(component.size_bytes, component.objects, self.bits_per_second, self.workers)

    def verify_seconds(self, component: Component) -> float:
        """Return how long both sides take to read it again, each beside its store."""
        by_bytes = component.size_bytes / (self.workers * WORKER_BYTES_PER_SECOND)
        return max(by_bytes, component.objects / self.objects_per_second)

    def catch_up_seconds(self, component: Component) -> float | None:
        """Return how long copy and passes over changes take: V / (b - c); None where that never ends."""
        left = self.bytes_per_second - changes_per_second(component)
        if left <= 0:
            return None
        return max(component.size_bytes / left, component.objects / self.objects_per_second)

    def rounds(self, component: Component) -> int:
        """Return how many trips the devices make; 0 where there are none."""
        capacity = self.model.capacity_bytes if self.model else None
        if self.devices is None or not capacity:
            return 0
        return max(1, math.ceil(component.size_bytes / (capacity * self.devices.at_once)))

    def device_seconds(self, component: Component, turnaround_days: float | None = None) -> float:
        """Return how long the trips take: filling the devices, and their way there and back."""
        if self.devices is None:
            return 0.0
        days = (
            self.devices.turnaround_days[_DEFAULT_TURNAROUND] if turnaround_days is None else turnaround_days
        )
        filling = component.size_bytes / (self.devices.copy_bytes_per_second * self.devices.at_once)
        return self.rounds(component) * days * DAY + filling

    def can_ship(self, component: Component) -> bool:
        """Tell whether the component is worth a device's trip and can make it."""
        return self.rounds(component) > 0 and component.size_bytes >= APPLIANCE_BYTES


def changes_per_second(component: Component) -> float:
    """Return bytes that change in a second."""
    return component.change_bytes_per_day / DAY


def carriers(
    constraints: Constraints, source: str, target: str, devices: dict[str, DeviceModel]
) -> list[tuple[Carrier, str]]:
    """Return every way to carry the data, each with why it cannot be used; empty where it can."""
    found: list[tuple[Carrier, str]] = []
    for line in constraints.lines:
        plain = _over(line, constraints.workers)
        found.append((plain, ""))
        if constraints.devices is not None:
            found.append(_with_devices(plain, constraints.devices, source, target, devices))
    return found


def _over(line: Line, workers: int) -> Carrier:
    bits = line.bits_per_second / LINK_SHARE if line.measured else line.bits_per_second
    return Carrier(
        line.name,
        bits,
        workers,
        measured=line.measured,
        usd_per_month=line.usd_per_month,
        setup_days=line.setup_days,
    )


def _with_devices(
    line: Carrier, offer: Devices, source: str, target: str, table: dict[str, DeviceModel]
) -> tuple[Carrier, str]:
    model = table.get(offer.model) if offer.model else _first(table, target, offer.owned)
    carrier = Carrier(
        f"{line.name}, and {model.title if model else 'devices'} for what is large",
        line.bits_per_second,
        line.workers,
        line.measured,
        line.usd_per_month,
        line.setup_days,
        offer,
        model,
    )
    if source != "kubernetes":
        return carrier, f"nothing can be plugged into {source}: devices are for your own data centre"
    if model is None:
        return carrier, f"no device of the table is ingested by {target} and offered to new customers"
    if model.provider != target:
        return carrier, f"{model.title} is ingested by {model.provider}, not by {target}"
    if not model.capacity_bytes:
        return carrier, f"the capacity of {model.title} is not known"
    if not model.open_to_new_customers and not offer.owned:
        return carrier, f"{model.title} is offered to {model.offered} ({model.source})"
    return carrier, ""


def _first(table: dict[str, DeviceModel], target: str, owned: bool) -> DeviceModel | None:
    fitting = [
        model
        for model in table.values()
        if model.provider == target and model.capacity_bytes and (owned or model.open_to_new_customers)
    ]
    return max(fitting, key=lambda model: (model.capacity_bytes or 0, model.id), default=None)
