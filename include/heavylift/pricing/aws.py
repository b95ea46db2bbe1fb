"""AWS's prices by its Price List API: on-demand Linux machines, egress to the internet, requests to S3."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from heavylift.facts.tables import Row
from heavylift.pricing.model import EGRESS, MACHINES, REQUESTS, Quotes, Tier, the_only

if TYPE_CHECKING:
    from heavylift.platforms.control import ControlPlane

_FROM = "us-east-1"
"""The list is served from a few regions, this one among them, for all of them."""
_LINUX = {
    "operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used",
    "marketoption": "OnDemand",
}  # fmt: skip
_GROUPS = {"S3-API-Tier1": ("list", "write"), "S3-API-Tier2": ("read", "tags")}
_INTERNET = "internet"


class AwsPriceList:
    """Reads the Price List API with one connection."""

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
        quotes = Quotes("AWS Price List API (pricing:GetProducts)")
        for row in machines:
            name = row["instance_type"]
            asked = {**_LINUX, "instanceType": name, "regionCode": region}
            found = [each for each in self._products("AmazonEC2", asked) if _hourly(each)]
            product, why = the_only(found, "on-demand Linux prices")
            if product is None:
                quotes.keep(MACHINES, name, why)
            else:
                quotes.machines[name] = (_hourly(product)[0][1], f"sku {_sku(product)}")
        self._egress(region, quotes)
        for group, kinds in _GROUPS.items():
            asked = {"group": group, "regionCode": region}
            found = [each for each in self._products("AmazonS3", asked) if _dollars(each, "Requests")]
            product, why = the_only(found, "prices of requests")
            for kind in kinds:
                if product is None:
                    quotes.keep(REQUESTS, kind, why)
                else:
                    usd = max(usd for _, usd in _dollars(product, "Requests"))
                    quotes.requests[kind] = (round(usd * 1000, 9), f"sku {_sku(product)}, {group}")
        return quotes

    def _egress(self, region: str, quotes: Quotes) -> None:
        asked = {"transferType": "AWS Outbound", "fromRegionCode": region, "toLocation": "External"}
        found = [each for each in self._products("AWSDataTransfer", asked) if _dollars(each, "GB")]
        product, why = the_only(found, "prices of egress")
        if product is None:
            quotes.keep(EGRESS, _INTERNET, why)
            return
        tiers = tuple(Tier(start, usd) for start, usd in sorted(_dollars(product, "GB")))
        quotes.egress[_INTERNET] = (tiers, f"sku {_sku(product)}")

    def _products(self, service: str, asked: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in asked.items()]
        request = {"ServiceCode": service, "Filters": filters, "FormatVersion": "aws_v1"}
        for page in self._plane.pages("pricing", "GetProducts", _FROM, request):
            for product in page.get("PriceList", ()):
                yield json.loads(product) if isinstance(product, str) else product


def _sku(product: Mapping[str, Any]) -> str:
    return str((product.get("product") or {}).get("sku") or "")


def _hourly(product: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Return the prices of an hour that are above 0: others are of capacity that is reserved."""
    return [(start, usd) for start, usd in _dollars(product, "Hrs") if usd > 0]


def _dollars(product: Mapping[str, Any], unit: str) -> list[tuple[float, float]]:
    """Return beginning and price of each on-demand dimension in this unit, in dollars."""
    terms = (product.get("terms") or {}).get("OnDemand") or {}
    found = []
    for term in terms.values():
        for each in (term.get("priceDimensions") or {}).values():
            usd = (each.get("pricePerUnit") or {}).get("USD")
            if usd is not None and str(each.get("unit")) == unit:
                found.append((float(each.get("beginRange") or 0), float(usd)))
    return found
