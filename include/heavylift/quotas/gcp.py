"""Google Cloud's quotas: those of regions by Compute Engine, those of Vertex AI by Service Usage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from heavylift.evidence.assess_input import QuotaLimit
from heavylift.facts.accelerators import load_accelerators
from heavylift.quotas.model import Found

if TYPE_CHECKING:
    from heavylift.facts.accelerators import InstanceType
    from heavylift.platforms.control import ControlPlane

_REGION = "GET compute/v1/projects/{project}/regions/{name}"
_PROJECT = "GET compute/v1/projects/{project}"
_TYPES = "GET compute/v1/projects/{project}/aggregated/machineTypes?maxResults=500"
_ACCELERATED = "(a2|a3|a4|a4x|g2|g4|ct[0-9a-z]+|tpu[0-9a-z]+)-.*"
_METRICS = "GET v1beta1/projects/{project}/services/{service}/consumerQuotaMetrics?view=FULL&pageSize=500"
_VERTEX, _COMPUTE = "aiplatform.googleapis.com", "compute.googleapis.com"
_FAMILY = f"{_COMPUTE}/gpus_per_gpu_family"
_MANAGED = (("real-time endpoint", "serving"), ("managed training job", "training"))
_MEMORY = re.compile(r"^(A100)-80GB$")
_UNLIMITED = -1


class ConsumerQuotas:
    """Reads the quotas of one project."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    def read(self, region: str) -> Found:
        """Return the quotas of a region that accelerators count against."""
        found = Found()
        project = self._plane.account().id
        regional = self._compute(_REGION, {"name": region}, "compute.regions.get", region, found)
        everywhere = self._compute(_PROJECT, {}, "compute.projects.get", "all regions", found)
        families = self._usage(_COMPUTE, region, found)
        vertex = self._usage(_VERTEX, region, found)
        types = [each for each in load_accelerators().types if each.provider == "gcp"]
        ask = partial(self._offered, region)
        offered = found.tried(ask, f"machine types in {region}", "compute.machineTypes.list")
        if offered:
            found.missing += [each.name for each in types if each.name not in offered]
        for each in types:
            if each.vendor == "nvidia":
                self._machine(each, (regional, families, everywhere), region, project, found)
                self._managed(each, vertex, region, project, found)
        return found

    def _offered(self, region: str) -> frozenset[str]:
        """Return the machine types with accelerators that some zone of a region has."""
        names = {
            str(each["name"])
            for page in self._plane.pages("compute", _TYPES, "", {"filter": f"name eq {_ACCELERATED}"})
            for zone, scoped in (page.get("items") or {}).items()
            if zone.rpartition("/")[2].rpartition("-")[0] == region
            for each in scoped.get("machineTypes") or ()
        }
        return frozenset(names)

    def _machine(
        self,
        each: InstanceType,
        quotas: tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]],
        region: str,
        project: str,
        found: Found,
    ) -> None:
        regional, families, everywhere = quotas
        metric = f"NVIDIA_{_name(each)}_GPUS"
        family = f"NVIDIA_{_name(each).partition('_')[0]}"
        known, key = regional.get(metric), f"compute:{metric}"
        if known is None and f"{_FAMILY}/{family}" in families:
            # Younger devices have no metric of their own in a region's list.
            key, known = f"compute:{family}", {"limit": families[f"{_FAMILY}/{family}"]}
        if known is not None:
            name = f"{key.removeprefix('compute:')} in {region}"
            found.limit(_limit(key, name, known, _ask(project, name, _COMPUTE)))
            found.takes(key, float(each.count), instance=each.name)
        if "GPUS_ALL_REGIONS" in everywhere:
            name = "GPUS_ALL_REGIONS"
            ask = _ask(project, name, _COMPUTE)
            found.limit(_limit(f"compute:{name}", name, everywhere[name], ask))
            found.takes(f"compute:{name}", float(each.count), instance=each.name)

    def _managed(
        self, each: InstanceType, vertex: Mapping[str, Any], region: str, project: str, found: Found
    ) -> None:
        for capability, use in _MANAGED:
            metric = f"{_VERTEX}/custom_model_{use}_nvidia_{_name(each).lower()}_gpus"
            if metric not in vertex:
                continue
            key, name = f"aiplatform:{metric.rpartition('/')[2]}", f"{metric} in {region}"
            found.limit(_limit(key, name, {"limit": vertex[metric]}, _ask(project, name, _VERTEX)))
            found.takes(key, float(each.count), instance=each.name, capability=capability)

    def _compute(
        self, operation: str, arguments: dict[str, str], permission: str, where: str, found: Found
    ) -> dict[str, Mapping[str, Any]]:
        ask = partial(self._plane.call, "compute", operation, "", arguments)
        answer = found.tried(ask, f"quotas of Compute Engine in {where}", permission) or {}
        return {str(each["metric"]): each for each in answer.get("quotas") or () if each.get("metric")}

    def _usage(self, service: str, region: str, found: Found) -> dict[str, float]:
        """Return the limits of a service in a region, by metric, and with its family where it has one."""
        ask = partial(self._metrics, service, region)
        return found.tried(ask, f"quotas of {service}", "serviceusage.quotas.get") or {}

    def _metrics(self, service: str, region: str) -> dict[str, float]:
        limits: dict[str, tuple[int, float]] = {}
        for page in self._plane.pages("serviceusage", _METRICS, "", {"service": service}):
            for metric in page.get("metrics") or ():
                for limit in metric.get("consumerQuotaLimits") or ():
                    for bucket in limit.get("quotaBuckets") or ():
                        _noted(limits, str(metric["metric"]), bucket, region)
        return {name: limit for name, (_, limit) in limits.items()}


def _noted(limits: dict[str, tuple[int, float]], metric: str, bucket: Mapping[str, Any], region: str) -> None:
    """Note a bucket's limit; one of the region itself comes before one for all of them."""
    dimensions = dict(bucket.get("dimensions") or {})
    if dimensions.get("region") not in (None, region) or bucket.get("effectiveLimit") is None:
        return
    family = str(dimensions.get("gpu_family") or "")
    name = f"{metric}/{family}" if family else metric
    exact = int(dimensions.get("region") == region)
    if name not in limits or exact >= limits[name][0]:
        limits[name] = (exact, float(bucket["effectiveLimit"]))


def _limit(key: str, name: str, told: Mapping[str, Any], ask: str) -> QuotaLimit:
    limit, used = float(told["limit"]), told.get("usage")
    return QuotaLimit(
        key=key,
        name=name,
        limit=None if limit == _UNLIMITED else limit,
        used=None if used is None else float(used),
        unit="accelerators",
        ask=ask,
    )


def _ask(project: str, name: str, service: str) -> str:
    return (
        f"in the console of project {project}, IAM & Admin, Quotas & System Limits, service {service}:"
        f" edit {name} to {{value}}"
    )


def _name(each: InstanceType) -> str:
    """Return a model as quotas call it: ``A100_80GB``, ``L4``, ``H100``."""
    kept = _MEMORY.sub(r"\1_80GB", each.model)
    return (kept if "_80GB" in kept else each.base_model).upper().replace("-", "_")
