"""Google Cloud's prices by the Billing Catalog: a machine is the sum of its cores, memory and devices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from heavylift.facts.tables import Row
from heavylift.pricing.model import EGRESS, MACHINES, REQUESTS, Quotes, Tier, the_only

if TYPE_CHECKING:
    from heavylift.platforms.control import ControlPlane

_SKUS = "GET v1/services/{service}/skus?currencyCode=USD&pageSize=5000"
_COMPUTE, _STORAGE = "6F81-5844-456A", "95FF-2EF5-5EA1"
"""The catalog's ids of Compute Engine and of Cloud Storage."""
_PREMIUM = "premium internet"
_DOWNLOAD = "Download Worldwide Destinations (excluding Asia & Australia)"
_OPERATIONS = (
    (re.compile(r"^(Regional )?Standard Class A Operations$"), ("list", "write")),
    (re.compile(r"^(Regional )?Standard Class B Operations$"), ("read",)),
)
_FREE = ("tags",)
_FAMILIES = {
    "g2-standard": "G2", "a2-highgpu": "A2", "a2-megagpu": "A2", "a2-ultragpu": "A2", "a3-highgpu": "A3",
}  # fmt: skip
"""Families whose cores and memory the catalog names by these letters; others have names of their own."""
Sku = Mapping[str, Any]


class GooglePriceList:
    """Reads the Cloud Billing Catalog with one connection."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    @property
    def requests(self) -> int:
        """Requests sent up to now."""
        return self._plane.requests

    def close(self) -> None:
        """Close what is open."""
        self._plane.close()

    def read(self, region: str, machines: list[Row]) -> Quotes:
        """Return the prices of a region."""
        quotes = Quotes("Google Cloud Billing Catalog (cloudbilling services.skus.list)")
        compute = list(self._skus(_COMPUTE, region))
        for row in machines:
            _machine(row, compute, quotes)
        storage = list(self._skus(_STORAGE, region))
        found = [each for each in storage if each.get("description") == _DOWNLOAD]
        sku, why = the_only(found, f"SKUs {_DOWNLOAD!r}")
        tiers = tuple(tier for tier in tiers_of(sku or {}, "GiBy") if tier.usd > 0)
        if tiers:
            first = tiers[0]
            quotes.egress[_PREMIUM] = ((Tier(0.0, first.usd), *tiers[1:]), f"SKU {sku['skuId']}")
        else:
            quotes.keep(EGRESS, _PREMIUM, why or "its SKU has no tier")
        for pattern, kinds in _OPERATIONS:
            found = [each for each in storage if pattern.match(str(each.get("description") or ""))]
            sku, why = the_only(found, "SKUs of such operations")
            prices = [tier.usd for tier in tiers_of(sku or {}, "count") if tier.usd > 0]
            for kind in kinds:
                if prices:
                    quotes.requests[kind] = (round(max(prices) * 1000, 9), f"SKU {sku['skuId']}")
                else:
                    quotes.keep(REQUESTS, kind, why or "its SKU has no price")
        for kind in _FREE:
            quotes.keep(REQUESTS, kind, "the catalog has no SKU of its own for it")
        return quotes

    def _skus(self, service: str, region: str) -> Iterator[Sku]:
        for page in self._plane.pages("cloudbilling", _SKUS, "", {"service": service}):
            for sku in page.get("skus") or ():
                category = sku.get("category") or {}
                regions = sku.get("serviceRegions") or ()
                if category.get("usageType") == "OnDemand" and {region, "global"} & set(regions):
                    yield sku


def _machine(row: Row, skus: list[Sku], quotes: Quotes) -> None:
    name, family = row["instance_type"], _FAMILIES.get(row["family"], "")
    if not family or not row["vcpu"] or not row["ram_gib"]:
        quotes.keep(MACHINES, name, "how the catalog names the parts of this family is not known")
        return
    parts = (
        (rf"^{family} Instance Core running in ", float(row["vcpu"]), "h", "core"),
        (rf"^{family} Instance Ram running in ", float(row["ram_gib"]), "GiBy.h", "memory"),
        (rf"^Nvidia (Tesla )?{_model(row['accel_model'])} GPU( attached .*)? running in ",
         float(row["accel_count"]), "h", "device"),
    )  # fmt: skip
    total, named = 0.0, []
    for pattern, amount, unit, what in parts:
        found = [
            (each, usd)
            for each in skus
            if re.match(pattern, str(each.get("description") or ""))
            for usd in [tier.usd for tier in tiers_of(each, unit)][-1:]
        ]
        one, why = the_only(found, f"SKUs of its {what}")
        if one is None:
            quotes.keep(MACHINES, name, why)
            return
        total += amount * one[1]
        named.append(str(one[0]["skuId"]))
    quotes.machines[name] = (round(total, 6), f"SKUs {', '.join(named)}")


def _model(model: str) -> str:
    return re.escape(model.replace("-", " ")).replace("\\ ", " ")


def tiers_of(sku: Sku, unit: str) -> list[Tier]:
    """Return the tiers of a SKU's newest price, where it is in this unit and in dollars."""
    prices = sku.get("pricingInfo") or ()
    expression = (prices[-1].get("pricingExpression") or {}) if prices else {}
    if expression.get("usageUnit") != unit:
        return []
    found = []
    for rate in expression.get("tieredRates") or ():
        price = rate.get("unitPrice") or {}
        if price.get("currencyCode", "USD") == "USD":
            usd = float(price.get("units") or 0) + float(price.get("nanos") or 0) / 1e9
            found.append(Tier(float(rate.get("startUsageAmount") or 0), usd))
    return sorted(found, key=lambda tier: tier.start)
