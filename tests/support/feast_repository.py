"""Makes Feast repositories with a history; run by Feast's own interpreter, never imported by a test."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta

YAML = """project: demo
provider: local
registry: data/registry.db
offline_store:
    type: file
online_store:
    type: sqlite
    path: data/online.db
entity_key_serialization_version: 3
"""


def main(folder: str, options: dict[str, float]) -> None:
    """Make an empty repository, or one with two views and what they serve."""
    os.makedirs(f"{folder}/data", exist_ok=True)
    with open(f"{folder}/feature_store.yaml", "w") as file:
        file.write(YAML)
    if options:
        _fill(folder, options["now"], int(options["drivers"]))


def _fill(folder: str, now: float, drivers: int) -> None:
    import pandas as pd
    from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, ValueType
    from feast.types import Array, Bool, Float32, Float64, Int64, String, UnixTimestamp

    end = datetime.fromtimestamp(now, UTC)
    rows = [
        {
            "driver_id": driver,
            "event_timestamp": end - timedelta(hours=5 * back + driver % 3, microseconds=driver),
            "created": end,
            "rate": driver / 7 + back,
            "score": driver / 3 - back,
            "trips": driver * 10 + back,
            "city": f"city {driver % 5}" if driver % 4 else None,
            "active": driver % 2 == 0,
            "seen": end - timedelta(days=back),
            "parts": [float(driver), float(back)],
        }
        for driver in range(drivers)
        for back in range(6)
    ]
    frame = pd.DataFrame(rows).astype({"rate": "float32", "active": "bool"})
    os.makedirs(f"{folder}/data/driver_stats")
    half = len(frame) // 2
    frame[:half].to_parquet(f"{folder}/data/driver_stats/a.parquet")
    frame[half:].to_parquet(f"{folder}/data/driver_stats/b.parquet")
    pairs = frame[["driver_id", "city", "event_timestamp", "trips"]].dropna().reset_index(drop=True)
    pairs.to_parquet(f"{folder}/data/pairs.parquet")
    store = FeatureStore(repo_path=folder)
    driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
    city = Entity(name="town", join_keys=["city"], value_type=ValueType.STRING)
    stats = FeatureView(
        name="driver_stats",
        entities=[driver],
        ttl=timedelta(days=2),
        schema=[
            Field(name="driver_id", dtype=Int64),
            Field(name="rate", dtype=Float32, description="acceptance", tags={"unit": "1"}),
            Field(name="score", dtype=Float64),
            Field(name="trips", dtype=Int64),
            Field(name="city", dtype=String),
            Field(name="active", dtype=Bool),
            Field(name="seen", dtype=UnixTimestamp),
            Field(name="parts", dtype=Array(Float64)),
        ],
        source=FileSource(
            path="data/driver_stats",
            timestamp_field="event_timestamp",
            created_timestamp_column="created",
        ),
        online=True,
        description="hourly statistics",
        owner="risk@example.com",
        tags={"team": "risk"},
    )
    pair = FeatureView(
        name="pair_stats",
        entities=[driver, city],
        ttl=timedelta(0),
        schema=[
            Field(name="driver_id", dtype=Int64),
            Field(name="city", dtype=String),
            Field(name="trips", dtype=Int64),
        ],
        source=FileSource(path="data/pairs.parquet", timestamp_field="event_timestamp"),
        online=True,
    )
    store.apply([driver, city, stats, pair, FeatureService(name="model_v1", features=[stats])])
    store.materialize(end - timedelta(days=3), end + timedelta(hours=1))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
