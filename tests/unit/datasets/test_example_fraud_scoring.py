"""The fraud-scoring workload: the same bytes each time, and what it promises to contain."""

from __future__ import annotations

import gzip
import hashlib
import io
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from heavylift.patterns import compile_pattern, selector
from heavylift.spec import load_spec
from sandbox.examples import documents, models, tables
from sandbox.examples.fraud_scoring import later_objects, main, seed_objects
from sandbox.examples.tables import Scale

SMALL = Scale(0.05)


def digest_of(scale: Scale) -> str:
    total = hashlib.sha256()
    for item in seed_objects(scale):
        total.update(repr((item.key, sorted(item.metadata.items()), sorted(item.tags.items()))).encode())
        total.update(item.body())
    return total.hexdigest()


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert digest_of(SMALL) == digest_of(Scale(0.05))


def test_another_seed_gives_other_bytes() -> None:
    assert tables.transactions_parquet(Scale(0.05, 8), 0) != tables.transactions_parquet(SMALL, 0)


def test_keys_are_unique_and_about_three_hundred() -> None:
    keys = [item.key for item in seed_objects(SMALL)]
    assert len(keys) == len(set(keys))
    assert 280 <= len(keys) <= 320


def test_transactions_are_typed_as_a_warehouse_would() -> None:
    table = pq.read_table(io.BytesIO(tables.transactions_parquet(SMALL, 0)))
    assert table.schema.field("occurred_at").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("amount").type == pa.decimal128(12, 2)
    assert min(table["amount"].to_pylist()) >= Decimal("0.50")
    assert table["distance_km"].null_count > 0
    assert set(table["occurred_at"].cast(pa.date32()).to_pylist()) == {tables.day_of(0)}


def test_fraud_is_rare_and_not_random() -> None:
    table = pa.concat_tables(tables.transactions(Scale(), index) for index in range(3))
    fraud = table.filter(pa.compute.equal(table["is_fraud"], 1))
    share = fraud.num_rows / table.num_rows
    assert 0.01 < share < 0.02
    risky = [
        sum(country in {"BR", "NG", "CI", "US"} for country in part["country"].to_pylist()) / part.num_rows
        for part in (fraud, table)
    ]
    assert risky[0] > 1.5 * risky[1]


def test_decimals_are_exact_and_may_be_negative() -> None:
    import numpy as np

    values = tables._decimal(np.array([123456789012, -5, 0]))
    assert values.to_pylist() == [Decimal("1234567890.12"), Decimal("-0.05"), Decimal("0.00")]


def test_labels_belong_to_the_transactions() -> None:
    labels = pyarrow.csv.read_csv(io.BytesIO(tables.labels_csv(SMALL)))
    ids = [
        i for day in range(tables.DAYS) for i in tables.transactions(SMALL, day)["transaction_id"].to_pylist()
    ]
    assert labels["transaction_id"].to_pylist() == ids


def test_customers_hold_what_breaks_naive_readers() -> None:
    text = gzip.decompress(tables.customers_gzip(Scale(0.2))).decode()
    assert '""no"", then yes' in text
    assert "\nsaid" in text
    assert '"Ada Smith, Jr."' in text
    assert any(f'"0{digit}' in text for digit in "123456789")


def test_one_model_file_is_sent_in_parts() -> None:
    parted = [item for item in models.model_objects(SMALL) if item.part_bytes]
    assert [item.key for item in parted] == ["models/fraud-xgb/v3/model.ubj"]
    assert models.SIZES_MIB[3] * models.MIB > 2 * parted[0].part_bytes


def test_the_keys_are_awkward_in_every_promised_way() -> None:
    keys = documents.awkward_keys()
    assert all(any(char in key for key in keys) for char in "+%#?&=; \u0301é🦄")
    assert max(len(key) for key in keys) == documents.LONGEST_KEY
    assert any("/." in key for key in keys)
    segments = [segment for key in keys for segment in key.split("/")]
    assert not {"", ".", ".."} & set(segments), "the sandbox's S3 source would rewrite these"
    assert max(len(segment.encode()) for segment in segments) <= 255


def test_fidelity_keys_are_those_that_software_rewrites() -> None:
    keys = documents.fidelity_keys()
    assert any("//" in key for key in keys)
    assert any("/../" in key for key in keys)
    assert any("/./" in key for key in keys)
    assert any(key.startswith("/") for key in keys)
    assert not {"\n", "\r"} & {char for key in keys for char in key}, "Cloud Storage refuses line breaks"


def test_later_objects_add_two_and_change_one() -> None:
    before = {item.key: item.body() for item in seed_objects(SMALL)}
    added, changed = later_objects(SMALL)
    assert [item.key in before for item in added] == [False, False]
    assert [before[item.key] != item.body() for item in changed] == [True]


def test_the_example_spec_finds_its_datasets_and_tables(repository: Path) -> None:
    spec = load_spec(repository / "include" / "migrations" / "fraud-scoring.yaml")
    keys = [item.key for item in seed_objects(SMALL)]
    for dataset in spec.datasets:
        prefix = dataset.source.url.removeprefix("s3://fraud-scoring/")
        within = [key.removeprefix(prefix) for key in keys if key.startswith(prefix)]
        assert within, dataset.name
        for table in dataset.expectations:
            selected = filter(selector(dataset.include, dataset.exclude), within)
            assert any(map(compile_pattern(table.path).fullmatch, selected)), table.name


def test_the_command_tells_a_missing_connection(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_GCP_TARGET", raising=False)
    assert main(["seed"]) == 2
    assert "AIRFLOW_CONN_GCP_TARGET" in capsys.readouterr().err
