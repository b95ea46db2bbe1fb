"""What 1,000 predictions cost, reckoned by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heavylift.baselines.bills import read_bill
from heavylift.baselines.cost import Charged, cost_of_bill, cost_of_hours
from heavylift.errors import SpecError

DAY = Charged("endpoint-1", "", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))


def row(cost: object, hour: int, **changes: object) -> Mapping[str, object]:
    return {
        "BilledCost": cost,
        "BillingCurrency": "USD",
        "ServiceName": "Amazon SageMaker",
        "ResourceId": "endpoint-1",
        "ChargePeriodStart": f"2026-11-01T{hour:02}:00:00Z",
        "ChargePeriodEnd": f"2026-11-01T{hour + 1:02}:00:00Z",
        **changes,
    }


def test_a_bill_is_divided_to_the_cent_and_beyond() -> None:
    # 22 hours at 0.736, a discount of 1.10, another resource's 99: 16.192 - 1.10 = 15.092 for 40,000.
    rows = [row("0.736", hour) for hour in range(22)]
    rows += [row("-1.10", 3), row("99.00", 3, ResourceId="endpoint-2")]
    before = {"ChargePeriodStart": "2026-10-31T22:00:00Z", "ChargePeriodEnd": "2026-10-31T23:00:00Z"}
    cost = cost_of_bill([*rows, row("50", 1, **before)], DAY, 40_000)
    assert cost.amount == "15.092"
    assert cost.per_thousand == "0.377300"
    assert cost.currency == "USD"


def test_tenths_add_up() -> None:
    assert cost_of_bill([row("0.1", hour) for hour in range(3)], DAY, 1000).per_thousand == "0.300000"


@pytest.mark.parametrize(
    ("rows", "predictions", "told"),
    [
        ([], 10, "no row"),
        ([row("1", 1)], 0, "predictions"),
        ([row("1", 1), row("1", 2, BillingCurrency="EUR")], 10, "EUR"),
        ([row("NaN", 1)], 10, "amount"),
        ([row("1", 1, ChargePeriodStart="yesterday")], 10, "charge period"),
        ([row("1", 1, ChargePeriodEnd="2026-11-02T01:00:00Z")], 10, "partly outside"),
    ],
)
def test_a_bill_that_can_t_be_divided_honestly_is_refused(rows: list, predictions: int, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        cost_of_bill(rows, DAY, predictions)


def test_the_price_of_an_hour_is_divided_by_what_was_sustained() -> None:
    # 1.20 an hour, 5 a second: 18,000 an hour, so 0.0666… for 1,000.
    assert cost_of_hours("1.20", 5).per_thousand == "0.066667"
    with pytest.raises(SpecError, match="amount"):
        cost_of_hours("cheap", 5)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_bill_is_read_from_csv_and_parquet(tmp_path: Path, ending: str) -> None:
    rows = [{**row("0.736", hour), "Tags": "{}"} for hour in range(3)]
    file = tmp_path / f"bill.{ending}"
    if ending == "csv":
        lines = [",".join(rows[0]), *(",".join(map(str, each.values())) for each in rows)]
        file.write_text("\n".join(lines))
    else:
        pq.write_table(pa.Table.from_pylist(rows), file)
    assert cost_of_bill(read_bill(file), DAY, 1000).per_thousand == "2.208000"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("bill.csv", b"Cost,Day\n1,2\n", "no column BilledCost"),
        ("bill.parquet", b"no parquet at all", "no Parquet"),
        ("none.csv", None, "FileNotFoundError"),
    ],
)
def test_what_is_no_bill_is_refused(tmp_path: Path, name: str, content: bytes | None, told: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SpecError, match=told):
        list(read_bill(tmp_path / name))
