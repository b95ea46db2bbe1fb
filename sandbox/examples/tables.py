"""The tables of the fraud-scoring workload: transactions, labels, customers, merchants.

Everything is drawn from one seed and made with whole columns at a time, so that the same seed
gives the same bytes and 200,000 rows take a second.
"""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

FIRST_DAY = date(2026, 10, 1)
DAYS = 30
ROWS_A_DAY = 6_700
CUSTOMERS = 20_000
MERCHANTS = 1_500
FRAUD_SHARE = 0.015

_COUNTRIES = {"DE": 30, "FR": 18, "GB": 16, "NL": 9, "ES": 8, "IT": 8, "US": 6, "BR": 3, "NG": 1, "CI": 1}
_RISKY_COUNTRIES = ("BR", "CI", "NG", "US")
_CURRENCY = {"GB": "GBP", "US": "USD", "BR": "BRL", "NG": "NGN", "CI": "XOF"}
_CATEGORIES = {
    "groceries": 30, "restaurants": 16, "fuel": 12, "electronics": 10, "clothing": 10,
    "travel": 8, "digital goods": 7, "gift cards": 4, "jewellery": 2, "cash advance": 1,
}  # fmt: skip
_RISKY_CATEGORIES = ("cash advance", "digital goods", "electronics", "gift cards", "jewellery")
_DEVICES = {"ios": 34, "android": 38, "web": 18, "pos": 10}
_HOUR_WEIGHTS = (2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 10, 11, 12, 11, 10, 10, 11, 12, 13, 12, 10, 8, 5, 3)
_FIRST_NAMES = (
    "Ada",
    "Björn",
    "Chloé",
    "Dvořák",
    "Emre",
    "Fátima",
    "Grace",
    "Håkon",
    "Ines",
    "Jürgen",
    "李娜",
    "Øyvind",
)
_LAST_NAMES = (
    "Adeyemi",
    "O'Brien",
    "Çelik",
    "García López",
    "Müller",
    "Nguyễn",
    "Smith, Jr.",
    'van "Dutch" Dijk',
)
_EPOCH = date(1970, 1, 1)
_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Scale:
    """How large the workload is made; 1.0 gives about 200,000 transactions."""

    factor: float = 1.0
    seed: int = 7

    @property
    def rows_a_day(self) -> int:
        """Transactions in one day's file."""
        return max(10, round(ROWS_A_DAY * self.factor))

    @property
    def customers(self) -> int:
        """Rows of the customers file."""
        return max(50, round(CUSTOMERS * self.factor))

    def generator(self, *stream: int) -> np.random.Generator:
        """Return the random numbers of one stream, independent of all other streams."""
        import numpy as np

        return np.random.default_rng([self.seed, *stream])


def day_of(index: int) -> date:
    """Return the date of the ``index``-th file of transactions, from 0."""
    return FIRST_DAY + timedelta(days=index)


def transactions(scale: Scale, index: int) -> pa.Table:
    """Return one day's transactions."""
    import numpy as np
    import pyarrow as pa

    rng, rows = scale.generator(1, index), scale.rows_a_day
    countries, country = _draw(rng, _COUNTRIES, rows)
    categories, category = _draw(rng, _CATEGORIES, rows)
    devices, device = _draw(rng, _DEVICES, rows)
    hour = rng.choice(24, rows, p=np.array(_HOUR_WEIGHTS) / sum(_HOUR_WEIGHTS))
    cents = np.maximum(50, np.round(np.exp(rng.normal(3.4, 1.1, rows)) * 100)).astype(np.int64)
    velocity = rng.poisson(1.3, rows).astype(np.int16)
    risk = _risk(countries, country, categories, category, hour, cents, velocity)
    fraud = risk + rng.gumbel(0.0, 0.8, rows)
    is_fraud = (fraud >= np.quantile(fraud, 1 - FRAUD_SHARE)).astype(np.int8)
    start = (day_of(index) - _EPOCH).days * _DAY_US
    at = np.sort(start + hour * 3_600_000_000 + rng.integers(0, 3_600_000_000, rows))
    ids = index * 10_000_000 + np.arange(rows, dtype=np.int64)
    distance = np.round(np.exp(rng.normal(1.6, 1.4, rows)), 3)
    currencies = pa.array([_CURRENCY.get(name, "EUR") for name in countries])
    return pa.table(
        {
            "transaction_id": ids,
            "customer_id": rng.integers(1, scale.customers + 1, rows, dtype=np.int32),
            "merchant_id": rng.integers(1, MERCHANTS + 1, rows, dtype=np.int32),
            "occurred_at": pa.array(at, pa.timestamp("us", tz="UTC")),
            "amount": _decimal(cents),
            "currency": currencies.take(pa.array(country)),
            "country": pa.array(countries).take(pa.array(country)),
            "merchant_category": pa.array(categories).take(pa.array(category)),
            "device": pa.array(devices).take(pa.array(device)),
            "card_present": device == devices.index("pos"),
            "velocity_1h": velocity,
            # A point-of-sale terminal does not tell where the customer's phone is.
            "distance_km": pa.array(distance, mask=device == devices.index("pos")),
            "is_fraud": is_fraud,
        }
    )


def transactions_parquet(scale: Scale, index: int) -> bytes:
    """Return one day's transactions as a Parquet file."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(transactions(scale, index), sink, compression="zstd", row_group_size=2_500)
    return sink.getvalue()


def labels_csv(scale: Scale) -> bytes:
    """Return what the chargeback team found out, one line for each transaction."""
    import numpy as np
    import pyarrow as pa

    rng = scale.generator(2)
    ids, frauds, days = [], [], []
    for index in range(DAYS):
        table = transactions(scale, index).select(["transaction_id", "is_fraud"])
        ids.append(table["transaction_id"].combine_chunks())
        frauds.append(table["is_fraud"].combine_chunks())
        learnt = (day_of(index) - _EPOCH).days + rng.integers(1, 45, table.num_rows)
        days.append(pa.array(learnt.astype(np.int32), pa.date32()))
    columns = {"transaction_id": ids, "is_fraud": frauds, "labelled_on": days}
    return _csv(pa.table({name: pa.chunked_array(parts) for name, parts in columns.items()}))


def customers_csv(scale: Scale) -> bytes:
    """Return the customers; names hold quotes, commas, line breaks and letters of many alphabets."""
    import numpy as np
    import pyarrow as pa

    rng, rows = scale.generator(3), scale.customers
    first = pa.array(_FIRST_NAMES).take(pa.array(rng.integers(0, len(_FIRST_NAMES), rows)))
    last = pa.array(_LAST_NAMES).take(pa.array(rng.integers(0, len(_LAST_NAMES), rows)))
    countries, country = _draw(rng, _COUNTRIES, rows)
    notes = np.where(rng.random(rows) < 0.02, 'called twice\nsaid "no", then yes', "")
    since = (date(2015, 1, 1) - _EPOCH).days + rng.integers(0, 4_000, rows)
    import pyarrow.compute as pc

    return _csv(
        pa.table(
            {
                "customer_id": np.arange(1, rows + 1, dtype=np.int32),
                "name": pc.binary_join_element_wise(first, last, " "),
                "country": pa.array(countries).take(pa.array(country)),
                # Leading zeros are part of a postcode.
                "postcode": pc.utf8_lpad(pa.array(rng.integers(0, 100_000, rows)).cast(pa.string()), 5, "0"),
                "customer_since": pa.array(since.astype(np.int32), pa.date32()),
                "credit_limit": _decimal(rng.integers(5, 200, rows) * 10_000),
                "note": pa.array(notes.tolist(), mask=notes == ""),
            }
        )
    )


def customers_gzip(scale: Scale) -> bytes:
    """Return the customers compressed; no time stamp, so that the bytes are always the same."""
    return gzip.compress(customers_csv(scale), compresslevel=6, mtime=0)


def merchants_csv(scale: Scale) -> bytes:
    """Return the merchants."""
    import numpy as np
    import pyarrow as pa

    rng = scale.generator(4)
    categories, category = _draw(rng, _CATEGORIES, MERCHANTS)
    countries, country = _draw(rng, _COUNTRIES, MERCHANTS)
    return _csv(
        pa.table(
            {
                "merchant_id": np.arange(1, MERCHANTS + 1, dtype=np.int32),
                "category": pa.array(categories).take(pa.array(category)),
                "country": pa.array(countries).take(pa.array(country)),
                "chargeback_rate": np.round(rng.beta(1.2, 80, MERCHANTS), 6),
            }
        )
    )


def _risk(
    countries: list[str],
    country: Any,
    categories: list[str],
    category: Any,
    hour: Any,
    cents: Any,
    velocity: Any,
) -> Any:
    import numpy as np

    risky_country = np.isin(country, [countries.index(name) for name in _RISKY_COUNTRIES])
    risky_category = np.isin(category, [categories.index(name) for name in _RISKY_CATEGORIES])
    return (
        1.1 * risky_country
        + 0.9 * risky_category
        + 0.5 * (hour < 6)
        + 0.45 * np.log(cents / 3_000)
        + 0.35 * velocity
    )


def _draw(rng: np.random.Generator, weights: dict[str, int], rows: int) -> tuple[list[str], Any]:
    import numpy as np

    shares = np.array(list(weights.values()), dtype=float)
    return list(weights), rng.choice(len(weights), rows, p=shares / shares.sum())


def _decimal(cents: Any) -> pa.Array:
    """Return whole cents as decimals; the 128-bit values are laid out directly, without a float."""
    import numpy as np
    import pyarrow as pa

    words = np.empty((len(cents), 2), dtype="<i8")
    words[:, 0] = cents
    words[:, 1] = cents >> 63
    return pa.Array.from_buffers(pa.decimal128(12, 2), len(cents), [None, pa.py_buffer(words.tobytes())])


def _csv(table: pa.Table) -> bytes:
    import pyarrow.csv

    sink = io.BytesIO()
    pyarrow.csv.write_csv(table, sink)
    return sink.getvalue()
