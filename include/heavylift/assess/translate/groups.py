"""Accelerators of equal machines, as answers tell them: by instance type, by device, or by both."""

from __future__ import annotations

import re
from dataclasses import dataclass

from heavylift.assess.translate.rows import Attributes, first_at, number_at, values_at
from heavylift.evidence.assess_input import AcceleratorUse

_FORM = frozenset({"nvidia", "tesla", "pcie", "mega", "vws", "sxm2", "sxm3", "sxm4", "sxm5", "hbm3", "hbm3e"})
"""Words of a device's name that tell its maker or its form, not its model."""


@dataclass(frozen=True)
class Groups:
    """Where the groups of equal machines stand in a component's attributes.

    :param at: path of the groups; the paths below begin there. Empty where the component is one group.
    :param device: path of the device's name, ``count`` that of how many one machine has; where empty, the
        instance type alone tells.
    :param machines: path of how many machines there are; where it tells nothing, there is one.
    """

    at: str
    instance: str
    device: str = ""
    count: str = ""
    machines: str = ""

    def __call__(self, attributes: Attributes) -> tuple[AcceleratorUse, ...]:
        """Return what each group uses; those without a device tell their instance type alone."""
        groups = values_at(self.at, attributes) if self.at else [attributes]
        return tuple(self._use(group) for group in groups)

    def _use(self, group: Attributes) -> AcceleratorUse:
        instance = last_part(str(first_at(self.instance, group) or ""))
        machines = max(1, number_at(self.machines, group) or 1) if self.machines else 1
        count = (number_at(self.count, group) or 0) if self.count else 0
        name = str(first_at(self.device, group) or "") if self.device else ""
        if not name or name.endswith("_UNSPECIFIED"):
            return AcceleratorUse(instance_type=instance, machines=machines)
        vendor, model = device_of(name)
        return AcceleratorUse(
            instance_type=instance, vendor=vendor, model=model, count=max(1, count), machines=machines
        )


@dataclass(frozen=True)
class Several:
    """Groups that stand in more than one place."""

    places: tuple[Groups, ...]

    def __call__(self, attributes: Attributes) -> tuple[AcceleratorUse, ...]:
        """Return what the groups of all places use."""
        return tuple(use for place in self.places for use in place(attributes))


def last_part(name: str) -> str:
    """Return the last part of a resource's URL or path."""
    return name.rpartition("/")[2]


def device_of(name: str) -> tuple[str, str]:
    """Return maker and model of a device that is called ``nvidia-tesla-t4`` or ``NVIDIA_A100_80GB``."""
    words = re.split(r"[-_ ]", last_part(name).lower())
    if words[0] in ("tpu", "ct"):
        return "google", " ".join(words).upper()
    vendor = "amd" if words[0] in ("amd", "mi300x") else "nvidia"
    return vendor, "-".join(word for word in words if word not in _FORM and word != "amd").upper()
