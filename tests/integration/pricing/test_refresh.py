"""Price lists become tables: by servers that hold requests and answers to the published schemas."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from heavylift.assess.basis import load_basis
from heavylift.assess.costs import egress_cost
from heavylift.errors import SpecError
from heavylift.facts.egress import price_lists
from tests.support.aws_json_server import RefusedError, aws_json
from tests.support.discovery import load
from tests.support.google_json_server import google_json
from tests.support.json_server import JsonServer
from tests.unit.objects.test_objects_cli import heavylift

REGION = "eu-west-1"


def rows(folder: Path, name: str, **wanted: str) -> list[dict[str, str]]:
    with (folder / name).open(newline="") as file:
        listed = list(csv.DictReader(file))
    return [each for each in listed if all(each[key] == value for key, value in wanted.items())]


def product(sku: str, unit: str, *prices: tuple[str, str]) -> str:
    """Return an item of the list as AWS writes it: JSON within JSON."""
    dimensions = {
        f"{sku}.t.{n}": {"unit": unit, "beginRange": start, "pricePerUnit": {"USD": usd}}
        for n, (start, usd) in enumerate(prices)
    }
    terms = {
        "OnDemand": {f"{sku}.t": {"priceDimensions": dimensions, "effectiveDate": "2026-11-01T00:00:00Z"}}
    }
    return json.dumps({"product": {"sku": sku}, "terms": terms})


MACHINES = {
    "g5.xlarge": [product("G5", "Hrs", ("0", "1.2340000000"))],
    "p4d.24xlarge": [product("A", "Hrs", ("0", "35.1")), product("B", "Hrs", ("0", "36.1"))],
    "g4dn.xlarge": [product("R", "Hrs", ("0", "0.0000000000")), product("G4", "Hrs", ("0", "0.587"))],
}


def get_products(body: dict[str, Any]) -> dict[str, Any]:
    asked = {each["Field"]: each["Value"] for each in body["Filters"]}
    assert all(each["Type"] == "TERM_MATCH" for each in body["Filters"])
    if body["ServiceCode"] == "AmazonEC2":
        assert (asked["operatingSystem"], asked["tenancy"], asked["regionCode"]) == (
            "Linux",
            "Shared",
            REGION,
        )
        found = MACHINES.get(asked["instanceType"], [])
        at = int(body.get("NextToken") or 0)
        more = {"NextToken": str(at + 1)} if at + 1 < len(found) else {}
        return {"FormatVersion": "aws_v1", "PriceList": found[at : at + 1], **more}
    if body["ServiceCode"] == "AWSDataTransfer":
        tiers = ("0", "0.0900"), ("10240", "0.0850"), ("51200", "0.0700"), ("153600", "0.0500")
        return {"PriceList": [product("DT", "GB", *tiers)]}
    per_request = {"S3-API-Tier1": "0.0000055000", "S3-API-Tier2": "0.0000004400"}[asked["group"]]
    return {"PriceList": [product(asked["group"], "Requests", ("0", per_request))]}


def refresh(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path,
    platform: str, region: str, raw: dict[str, Any],
) -> tuple[int, dict[str, Any], str]:  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_LIST", json.dumps(raw))
    words = ("--platform", platform, "--region", region, "--out", str(folder), "--conn", "list")
    return heavylift(capsys, "prices", "refresh", *words, "--max-requests", "10000", "--json")


def aws(url: str) -> dict[str, Any]:
    extra = {"region_name": REGION, "endpoint_url": url, "config_kwargs": {"retries": {"max_attempts": 0}}}
    return {"conn_type": "aws", "login": "a", "password": "do-not-show-me", "extra": extra}


def test_aws_what_is_sure_is_new_and_the_rest_keeps_its_price_and_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with aws_json("pricing", {"GetProducts": get_products}) as (url, _):
        status, document, errors = refresh(capsys, monkeypatch, tmp_path / "facts", "aws", REGION, aws(url))
    assert status == 0, errors
    folder = tmp_path / "facts"
    [new] = rows(folder, "gpu_instances.csv", provider="aws", instance_type="g5.xlarge")
    assert (new["ondemand_usd_h"], new["price_region"]) == ("1.234", REGION)
    assert new["note"].endswith("sku G5")
    # A price of nothing is of reserved capacity; two prices are one too many.
    [reserved] = rows(folder, "gpu_instances.csv", provider="aws", instance_type="g4dn.xlarge")
    assert reserved["ondemand_usd_h"] == "0.587"
    shipped = load_basis().accelerators.find("aws", "p4d.24xlarge")
    [kept] = rows(folder, "gpu_instances.csv", provider="aws", instance_type="p4d.24xlarge")
    assert shipped is not None
    assert float(kept["ondemand_usd_h"]) == shipped.usd_per_hour
    assert kept["price_date"] == shipped.date
    assert "2 on-demand Linux prices" in kept["note"]
    assert document["prices"]["kept"]["gpu_instances.csv"]["p4d.24xlarge"] in kept["note"]
    counts = document["prices"]["machines"] + len(document["prices"]["kept"]["gpu_instances.csv"])
    assert counts == len(rows(folder, "gpu_instances.csv", provider="aws"))
    [write] = rows(folder, "request_prices.csv", provider="aws", request="write")
    assert float(write["usd_per_1000"]) == 0.0055
    # The other platforms' rows are those that come with Heavylift.
    tiers = rows(folder, "egress_prices.csv", provider="aws", tier="internet")
    assert [each["usd_per_gib"] for each in tiers] == ["0.09", "0.085", "0.07", "0.05"]
    assert len(rows(folder, "gpu_instances.csv", provider="azure")) == 22


def test_plans_use_the_tables_that_are_named_and_say_of_when_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "facts"
    with aws_json("pricing", {"GetProducts": get_products}) as (url, _):
        first = refresh(capsys, monkeypatch, folder, "aws", REGION, aws(url))[0]
        once = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
        second = refresh(capsys, monkeypatch, folder, "aws", REGION, aws(url))[0]
    assert (first, second) == (0, 0)
    # A second refresh of the same prices gives the same tables.
    assert {path.name: path.read_bytes() for path in folder.glob("*.csv")} == once
    basis, plain = load_basis(folder), load_basis()
    assert basis.sha256 != plain.sha256
    [told] = basis.refreshed
    assert "on 20" in told.line
    assert "pricing:GetProducts" in told.line
    # 150 TiB by hand: 10,240 x 0.09 + 40,960 x 0.085 + 102,400 x 0.07.
    lists = price_lists(basis.prices, "aws", "internet")
    cost, _ = egress_cost(153_600 * 2**30, lists.values(), 1)
    assert cost.high == pytest.approx(11_571.20, abs=0.005)
    given = {
        "migration": "m", "source": "gcp", "targets": [{"platform": "aws", "region": REGION}],
        "constraints": {"start": "2026-12-01", "lines": [{"name": "one", "bits_per_second": 1e9}]},
        "components": [{"id": "c", "kind": "instance", "accelerator": {"instance_type": "g2-standard-4"}}],
    }  # fmt: skip
    (tmp_path / "input.json").write_text(json.dumps(given))
    _, document, _ = heavylift(capsys, "plan", str(tmp_path / "input.json"), "--facts", str(folder), "--json")
    assert told.line in document["plan"]["assumptions"]


@pytest.mark.parametrize(
    ("region", "code"), [("nowhere-1", "HL-9420"), (REGION, "HL-7601")], ids=["unknown region", "refused"]
)
def test_nothing_is_written_where_nothing_could_be_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    region: str, code: str,
) -> None:  # fmt: skip
    def answer(_body: dict[str, Any]) -> dict[str, Any]:
        if region == REGION:
            raise RefusedError("AccessDeniedException", "no")
        return {"PriceList": []}

    with aws_json("pricing", {"GetProducts": answer}) as (url, _):
        status, _, errors = refresh(capsys, monkeypatch, tmp_path / "facts", "aws", region, aws(url))
    assert status == 2
    assert code in errors
    assert "do-not-show-me" not in errors
    assert not (tmp_path / "facts").exists()


def sku(number: str, description: str, unit: str, *rates: tuple[float, int], **more: Any) -> dict[str, Any]:
    tiers = [
        {"startUsageAmount": start, "unitPrice": {"currencyCode": "USD", "units": "0", "nanos": nanos}}
        for start, nanos in rates
    ]
    found = {
        "name": f"services/x/skus/{number}", "skuId": number, "description": description,
        "category": {"usageType": more.get("usage", "OnDemand"), "resourceFamily": "Compute"},
        "serviceRegions": [more.get("region", "europe-west4")],
        "pricingInfo": [{"pricingExpression": {"usageUnit": unit, "tieredRates": tiers}}],
    }  # fmt: skip
    load("cloudbilling.v1").check_value("Sku", found, "sku")
    return found


COMPUTE = [
    sku("C", "G2 Instance Core running in Netherlands", "h", (0, 27_500_000)),
    sku("R", "G2 Instance Ram running in Netherlands", "GiBy.h", (0, 3_200_000)),
    sku("G", "Nvidia L4 GPU running in Netherlands", "h", (0, 616_000_000)),
    sku(
        "S",
        "Nvidia L4 GPU attached to Spot Preemptible VMs running in Netherlands",
        "h",
        (0, 1),
        usage="Preemptible",
    ),
    sku("X", "G2 Instance Core running in Iowa", "h", (0, 25_000_000), region="us-central1"),
    sku("A1", "A2 Instance Core running in Netherlands", "h", (0, 31_000_000)),
]
STORAGE = [
    sku("D", "Download Worldwide Destinations (excluding Asia & Australia)", "GiBy",
        (0, 0), (100, 120_000_000), (1024, 110_000_000), (10_240, 80_000_000), region="global"),
    sku("O", "Standard Class A Operations", "count", (0, 0), (5000, 5000)),
]  # fmt: skip


def test_google_machines_are_sums_of_cores_memory_and_devices(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def paged(listed: list[dict[str, Any]]) -> Any:
        def answer(query: dict[str, str]) -> dict[str, Any]:
            assert query["currencyCode"] == "USD"
            half = len(listed) // 2
            if "pageToken" in query:
                return {"skus": listed[half:]}
            return {"skus": listed[:half], "nextPageToken": "more"}

        return answer

    methods = {
        ("cloudbilling.v1", "v1/services/6F81-5844-456A/skus"): paged(COMPUTE),
        ("cloudbilling.v1", "v1/services/95FF-2EF5-5EA1/skus"): paged(STORAGE),
    }
    folder = tmp_path / "facts"
    with google_json(methods) as (url, _):
        extra = {"project": "p-1", "endpoint_url": url, "anonymous": True}
        raw = {"conn_type": "google_cloud_platform", "extra": extra}
        status, document, errors = refresh(capsys, monkeypatch, folder, "gcp", "europe-west4", raw)
    assert status == 0, errors
    assert "g2-standard-24" not in document["prices"]["kept"]["gpu_instances.csv"], document
    [machine] = rows(folder, "gpu_instances.csv", instance_type="g2-standard-24")
    # 24 cores, 96 GiB, two devices.
    assert float(machine["ondemand_usd_h"]) == pytest.approx(24 * 0.0275 + 96 * 0.0032 + 2 * 0.616)
    assert "SKUs C, R, G" in machine["note"]
    kept = document["prices"]["kept"]
    assert "no SKUs of its memory" in kept["gpu_instances.csv"]["a2-highgpu-1g"]
    assert document["prices"]["machines"] == 8
    tiers = rows(folder, "egress_prices.csv", provider="gcp", tier="premium internet")
    assert [(each["from_gib"], each["to_gib"], each["usd_per_gib"]) for each in tiers] == [
        ("0", "1024", "0.12"), ("1024", "10240", "0.11"), ("10240", "", "0.08"),
    ]  # fmt: skip
    [operation] = rows(folder, "request_prices.csv", provider="gcp", request="write")
    assert float(operation["usd_per_1000"]) == 0.005
    assert set(kept["request_prices.csv"]) == {"read", "tags"}


def item(arm: str, usd: float, **more: Any) -> dict[str, Any]:
    """Return an item with the fields that Microsoft's reference of Retail Prices lists."""
    return {
        "currencyCode": "USD", "tierMinimumUnits": 0.0, "retailPrice": usd, "unitPrice": usd,
        "armRegionName": "westeurope", "location": "EU West", "effectiveStartDate": "2026-01-01T00:00:00Z",
        "meterId": f"m-{arm}", "meterName": arm, "productId": "p", "skuId": "p/s", "productName": "NCads",
        "skuName": arm, "serviceName": "Virtual Machines", "serviceId": "s", "serviceFamily": "Compute",
        "unitOfMeasure": "1 Hour", "type": "Consumption", "isPrimaryMeterRegion": True, "armSkuName": arm,
        **more,
    }  # fmt: skip


A100 = "Standard_NC24ads_A100_v4"
TRANSFER = {"meterName": "Standard Data Transfer Out", "meterId": "m-out", "unitOfMeasure": "1 GB"}
ITEMS = {
    "Virtual Machines": [
        item(A100, 3.0, skuName="NC24ads A100 v4 Spot"), item(A100, 6.0, productName="NCads Windows"),
        item(A100, 4.777), item("Standard_NC4as_T4_v3", 0.6), item("Standard_NC4as_T4_v3", 0.7),
    ],
    "Bandwidth": [
        item("t0", 0.0, **TRANSFER), item("t1", 0.087, tierMinimumUnits=100.0, **TRANSFER),
        item("t2", 0.083, tierMinimumUnits=10_335.0, **TRANSFER),
    ],
    "Storage": [
        item("w", 0.065, meterName="Hot LRS Write Operations", unitOfMeasure="10K"),
        item("r", 0.005, meterName="Hot Read Operations", unitOfMeasure="10K"),
    ],
}  # fmt: skip


def retail_prices(_http: str, target: str, _body: Any) -> tuple[int, dict[str, Any]]:
    parts = urlsplit(target)
    assert parts.path == "/api/retail/prices"
    query = dict(parse_qsl(parts.query))
    asked = dict(each.split(" eq ") for each in query["$filter"].split(" and "))
    conditions = {name: value.strip("'") for name, value in asked.items()}
    assert (conditions["armRegionName"], conditions["priceType"]) == ("westeurope", "Consumption")
    service = conditions["serviceName"]
    found = [
        each for each in ITEMS[service]
        if service != "Virtual Machines" or each["armSkuName"] == conditions["armSkuName"]
    ]  # fmt: skip
    skip = int(query["$skip"])
    # The real one names another port than the one that was asked.
    more = (
        f"https://prices.azure.com:443/api/retail/prices?$skip={skip + 1}" if skip + 1 < len(found) else None
    )
    return 200, {"BillingCurrency": "USD", "Items": found[skip : skip + 1], "NextPageLink": more, "Count": 1}


def test_azure_by_its_public_list(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server, folder = JsonServer(retail_prices), tmp_path / "facts"
    try:
        raw = {"conn_type": "http", "host": server.url}
        status, document, errors = refresh(capsys, monkeypatch, folder, "azure", "westeurope", raw)
    finally:
        server.close()
    assert status == 0, errors
    [machine] = rows(folder, "gpu_instances.csv", instance_type=A100)
    assert (machine["ondemand_usd_h"], machine["price_region"]) == ("4.777", "westeurope")
    kept = document["prices"]["kept"]
    assert "2 Linux prices" in kept["gpu_instances.csv"]["Standard_NC4as_T4_v3"]
    tiers = rows(folder, "egress_prices.csv", provider="azure", tier="internet")
    assert [(each["from_gib"], each["usd_per_gib"]) for each in tiers] == [("0", "0.087"), ("10335", "0.083")]
    [write] = rows(folder, "request_prices.csv", provider="azure", request="write")
    assert float(write["usd_per_1000"]) == pytest.approx(0.0065)
    assert set(kept["request_prices.csv"]) == {"list", "tags"}


@pytest.mark.parametrize(
    ("platform", "code"),
    [("ibm", "HL-9423"), ("aws", "HL-9421")],
    ids=["unknown", "no connection"],
)
def test_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, platform: str, code: str) -> None:
    out = ("--region", REGION, "--out", str(tmp_path / "facts"))
    status, _, errors = heavylift(capsys, "prices", "refresh", "--platform", platform, *out, "--json")
    assert status == 2
    assert code in errors


def test_a_folder_that_is_a_file_and_one_of_another_kind_are_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    taken = tmp_path / "facts"
    taken.write_text("mine")
    with aws_json("pricing", {"GetProducts": get_products}) as (url, _):
        status, _, errors = refresh(capsys, monkeypatch, taken, "aws", REGION, aws(url))
    assert (status, taken.read_text()) == (2, "mine")
    assert "HL-9424" in errors
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "devices.csv").write_text("id\n")
    (folder / "prices-aws.json").write_text('{"format": "another"}')
    with pytest.raises(SpecError, match="HL-9422"):
        load_basis(folder)
