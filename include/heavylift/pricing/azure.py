"""Azure's prices by its Retail Prices interface, which wants no credentials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from heavylift.connections import Connection, http_address
from heavylift.facts.tables import Row
from heavylift.platforms.control import Limits
from heavylift.platforms.rest_control import Headers, Paging, RestPlane
from heavylift.platforms.rest_faults import Reading, Told
from heavylift.pricing.model import EGRESS, MACHINES, REQUESTS, Quotes, Tier, the_only

_PUBLIC = "https://prices.azure.com"
_PRICES = "GET /api/retail/prices"
_INTERNET = "internet"
_EGRESS_PRODUCT, _EGRESS_METER = "Rtn Preference: MGN", "Standard Data Transfer Out"
_BLOB, _HOT = "General Block Blob v2", "Hot LRS"
_METERS = {
    "write": "Hot LRS Write Operations", "read": "Hot Read Operations",
    "list": "LRS List and Create Container Operations",
}  # fmt: skip
_FREE_GIB = 100.0
Item = Mapping[str, Any]


class AzurePriceList:
    """Reads the Retail Prices interface.

    :param connection: of a server that speaks it, type http; the public one where left out.
    """

    def __init__(self, connection: Connection | None, limits: Limits) -> None:
        address = (http_address(connection) if connection else "") or _PUBLIC

        async def nobody() -> Headers:
            return {}

        self._rest = RestPlane(
            lambda _service, _region: address,
            nobody,
            Paging("", "NextPageLink"),
            Reading(told=_told, permission=lambda _what: "none: the prices are public", absent=False),
            limits=limits,
        )

    @property
    def requests(self) -> int:
        """Requests sent up to now."""
        return self._rest.requests

    def close(self) -> None:
        """Close all connections."""
        self._rest.close()

    def read(self, region: str, machines: list[Row]) -> Quotes:
        """Return the prices of a region."""
        quotes = Quotes("Azure Retail Prices (prices.azure.com/api/retail/prices)")
        for row in machines:
            name = row["instance_type"]
            asked = {"serviceName": "Virtual Machines", "armRegionName": region, "armSkuName": name}
            item, why = the_only([each for each in self._items(asked) if _is_linux(each)], "Linux prices")
            if item is None:
                quotes.keep(MACHINES, name, why)
            else:
                quotes.machines[name] = (float(item["retailPrice"]), f"meter {item['meterId']}")
        self._egress(region, quotes)
        self._operations(region, quotes)
        return quotes

    def _egress(self, region: str, quotes: Quotes) -> None:
        asked = {"serviceName": "Bandwidth", "armRegionName": region, "productName": _EGRESS_PRODUCT}
        found = [each for each in self._items(asked) if each.get("meterName") == _EGRESS_METER]
        tiers = sorted(
            (Tier(float(each["tierMinimumUnits"]), float(each["retailPrice"])) for each in found),
            key=lambda tier: tier.start,
        )
        paid = [tier for tier in tiers if tier.usd > 0]
        meters = {str(each["meterId"]) for each in found}
        if not paid or len(meters) != 1 or len({tier.start for tier in tiers}) != len(tiers):
            quotes.keep(EGRESS, _INTERNET, f"the list has {len(meters)} meters of egress for it")
            return
        # What is free of a month stands in the table's own column.
        first = Tier(0.0 if paid[0].start <= _FREE_GIB else paid[0].start, paid[0].usd)
        quotes.egress[_INTERNET] = ((first, *paid[1:]), f"meter {meters.pop()}")

    def _operations(self, region: str, quotes: Quotes) -> None:
        asked = {"serviceName": "Storage", "armRegionName": region, "productName": _BLOB, "skuName": _HOT}
        listed = list(self._items(asked))
        for kind, meter in _METERS.items():
            found = [each for each in listed if each.get("meterName") == meter and _each(each)]
            item, why = the_only(found, f"meters {meter!r}")
            if item is None:
                quotes.keep(REQUESTS, kind, why)
            else:
                usd = float(item["retailPrice"]) / _each(item) * 1000
                quotes.requests[kind] = (round(usd, 9), f"meter {item['meterId']}, {_HOT}")
        quotes.keep(REQUESTS, "tags", "the list has no meter of its own for it")

    def _items(self, asked: Mapping[str, str]) -> Iterator[Item]:
        """Yield what is billed by use, in dollars; pages are counted, for their links name another port."""
        conditions = {**asked, "priceType": "Consumption"}
        text = " and ".join(f"{name} eq '{value}'" for name, value in conditions.items())
        skipped = 0
        while True:
            query = {"$filter": text, "currencyCode": "USD", "$skip": str(skipped)}
            answer = self._rest.call("prices", _PRICES, "", query)
            items = answer.get("Items") or []
            yield from (each for each in items if each.get("currencyCode") == "USD")
            skipped += len(items)
            if not items or not answer.get("NextPageLink"):
                return


def _is_linux(item: Item) -> bool:
    """Tell whether an item is an ordinary machine of an hour, with nothing to pay beside it."""
    words = f"{item.get('productName')} {item.get('skuName')} {item.get('meterName')}"
    apart = any(each in words for each in ("Windows", "Spot", "Low Priority", "CloudServices"))
    return not apart and item.get("unitOfMeasure") == "1 Hour" and float(item["retailPrice"]) > 0


def _each(item: Item) -> float:
    """Return for how many requests a price is: ``10K`` or ``1``; 0 where that is not understood."""
    number = str(item.get("unitOfMeasure") or "").replace("K", "000").split(" ")[0]
    return float(number) if number.isdigit() else 0.0


def _told(answer: Mapping[str, Any]) -> Told:
    error = answer.get("Error") or answer.get("error") or {}
    return (
        (str(error.get("Code") or ""), str(error.get("Message") or ""))
        if isinstance(error, Mapping)
        else ("", "")
    )
