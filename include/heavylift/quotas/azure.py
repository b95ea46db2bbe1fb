"""Azure's quotas: cores by family of sizes, those of Azure Machine Learning, storage accounts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from heavylift.evidence.assess_input import QuotaLimit
from heavylift.facts.accelerators import load_accelerators
from heavylift.quotas.model import VALUE, Found

if TYPE_CHECKING:
    from heavylift.platforms.control import ControlPlane

_USAGES = "GET subscriptions/{account}/providers/{provider}/locations/{location}/usages?api-version="
_COMPUTE, _ML, _STORAGE = "Microsoft.Compute", "Microsoft.MachineLearningServices", "Microsoft.Storage"
_VERSIONS = {_COMPUTE: "2024-07-01", _ML: "2024-10-01", _STORAGE: "2024-01-01"}
_SKUS = "GET subscriptions/{account}/providers/Microsoft.Compute/skus?api-version=2021-07-01"
_ALL_CORES = "cores"
_MANAGED = ("real-time endpoint", "managed training job", "notebooks", "batch inference")
Usages = dict[str, Mapping[str, Any]]


class AzureUsages:
    """Reads the quotas of one subscription."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    def read(self, region: str) -> Found:
        """Return the quotas of a region that machines and storage accounts count against."""
        found = Found()
        scope = f"/subscriptions/{self._plane.account().id}/providers"
        compute, learning = self._usages(_COMPUTE, region, found), self._usages(_ML, region, found)
        storage = self._usages(_STORAGE, region, found)
        sizes = self._sizes(region, found)
        for each in (each for each in load_accelerators().types if each.provider == "azure"):
            size = sizes.get(each.name.lower())
            if sizes and (size is None or _restricted(size)):
                found.missing.append(each.name)
            family, cores = str((size or {}).get("family") or "").lower(), each.vcpu or 0.0
            for key in (family, _ALL_CORES):
                if key in compute:
                    self._noted(found, _COMPUTE, compute[key], scope, region)
                    found.takes(_key(_COMPUTE, compute[key]), cores, instance=each.name)
            if family in learning:
                self._noted(found, _ML, learning[family], scope, region)
                for capability in _MANAGED:
                    key = _key(_ML, learning[family])
                    found.takes(key, cores, instance=each.name, capability=capability)
        accounts = storage.get("storageaccounts")
        if accounts is not None:
            self._noted(found, _STORAGE, accounts, scope, region)
        return found

    def _usages(self, provider: str, region: str, found: Found) -> Usages:
        permission = f"{provider}/locations/usages/read"
        ask = partial(self._listed, provider, region)
        return found.tried(ask, f"quotas of {provider} in {region}", permission) or {}

    def _listed(self, provider: str, region: str) -> Usages:
        where = {"provider": provider, "location": region}
        pages = self._plane.pages(provider, f"{_USAGES}{_VERSIONS[provider]}", "", where)
        listed = (each for page in pages for each in page.get("value") or ())
        return {_name(each).lower().replace(" ", ""): each for each in listed if _name(each)}

    def _sizes(self, region: str, found: Found) -> dict[str, Mapping[str, Any]]:
        ask = partial(self._skus, region)
        return found.tried(ask, f"sizes in {region}", "Microsoft.Compute/skus/read") or {}

    def _skus(self, region: str) -> dict[str, Mapping[str, Any]]:
        pages = self._plane.pages(_COMPUTE, _SKUS, "", {"$filter": f"location eq '{region}'"})
        listed = (each for page in pages for each in page.get("value") or ())
        return {str(each["name"]).lower(): each for each in listed if _is_machine(each)}

    def _noted(self, found: Found, provider: str, usage: Mapping[str, Any], scope: str, region: str) -> None:
        name = _name(usage)
        shown = str((usage.get("name") or {}).get("localizedValue") or name)
        unlimited = float(usage.get("limit", 0)) < 0
        found.limit(
            QuotaLimit(
                key=_key(provider, usage),
                name=f"{shown} ({provider}) in {region}",
                limit=None if unlimited else float(usage.get("limit", 0)),
                used=None if usage.get("currentValue") is None else float(usage["currentValue"]),
                unit="" if provider == _STORAGE else "vCPU",
                ask=f"az quota update --resource-name {name} --scope {scope}/{provider}/locations/{region}"
                f" --limit-object value={VALUE} limit-object-type=LimitValue",
            )
        )


def _name(usage: Mapping[str, Any]) -> str:
    return str((usage.get("name") or {}).get("value") or "")


def _key(provider: str, usage: Mapping[str, Any]) -> str:
    return f"{provider}:{_name(usage)}"


def _is_machine(size: Mapping[str, Any]) -> bool:
    return size.get("resourceType") == "virtualMachines" and bool(size.get("name"))


def _restricted(size: Mapping[str, Any]) -> bool:
    """Tell whether the subscription may not use a size anywhere in the region."""
    return any(each.get("type") == "Location" for each in size.get("restrictions") or ())
