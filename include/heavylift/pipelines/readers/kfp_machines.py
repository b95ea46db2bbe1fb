"""Machines, retries and kinds of artifacts, as KFP writes them."""

from __future__ import annotations

import re
from typing import Any

from heavylift.facts.vertex_names import model_named
from heavylift.pipelines.documents import Fields
from heavylift.pipelines.model import Machine, Retry


def title_of(entry: Any) -> str:
    """Return the kind of an artifact."""
    kind = entry.get("artifactType") if isinstance(entry, dict) else None
    return str(kind.get("schemaTitle", "system.Artifact")) if isinstance(kind, dict) else "system.Artifact"


def retry_of(policy: Fields) -> Retry:
    """Return how often a task is tried."""

    def seconds(found: Any) -> float:
        return float(str(found or 0).removesuffix("s"))

    attempts = int(policy.take("maxRetryCount", 0) or 0)
    return Retry(attempts, seconds(policy.take("backoffDuration")), float(policy.take("backoffFactor", 1.0)))


_UNITS = {
    "": 1,
    "K": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
    "m": 1e-3,
}


def machine_of(resources: Fields) -> Machine:
    """Return what a container asks for."""
    cpus = _quantity(resources.take("resourceCpuLimit") or resources.take("cpuLimit"), 1)
    memory = _quantity(resources.take("resourceMemoryLimit"), 2**30)
    if memory is None and resources.take("memoryLimit"):
        memory = float(resources.take("memoryLimit")) * 10**9 / 2**30
    accelerator = resources.fields("accelerator")
    type_ = accelerator.take("resourceType") or accelerator.take("type") or ""
    count = int(accelerator.take("resourceCount") or accelerator.take("count") or 0)
    return Machine(
        "gcp", cpus=cpus, memory_gib=memory, accelerator=model_named(str(type_)), accelerators=count
    )


def _quantity(found: Any, unit: float) -> float | None:
    match = re.fullmatch(r"([\d.]+)(m|[KMGT]i?|)", str(found or ""))
    return float(match[1]) * _UNITS[match[2]] / unit if match else None
