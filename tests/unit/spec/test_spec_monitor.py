"""The section ``monitor``: what it accepts, and what is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heavylift.spec.load import load_spec
from heavylift.spec.model import MigrationSpec
from heavylift.spec.problems import SpecFileError
from heavylift.spec.watching import Look, looks_of
from tests.dags.specs import write

TABLE = {"url": "s3://bucket/features/"}
SCORES = {"name": "a", "source": TABLE, "labels": TABLE, "key": ["x"]}


def load(tmp_path: Path, monitor: Any, **more: Any) -> MigrationSpec:
    return load_spec(write(tmp_path, "some", monitor=monitor, **more))


def test_looks_are_one_for_each_side_that_has_a_table(tmp_path: Path) -> None:
    spec = load(
        tmp_path,
        {
            "drift": [{"name": "features", "source": TABLE, "target": {"url": "gs://bucket/features/"}}],
            "accuracy": [{"name": "scores", "target": TABLE, "labels": TABLE, "key": ["id"]}],
            "slo": [{"name": "serving", "target": TABLE, "latency": "ms"}],
            "convergence": [{"name": "training", "source": TABLE, "target": TABLE}],
            "gaps": [{"name": "log", "source": TABLE, "target": TABLE}],
        },
        schedule={"monitor": "@hourly"},
    )
    assert looks_of(spec) == [
        Look("features", "source"), Look("features", "target"), Look("scores", "target"),
        Look("serving", "target"), Look("training", "target"), Look("log"),
    ]  # fmt: skip
    assert looks_of(load(tmp_path, {"gaps": [{"name": "log", "source": TABLE}]})) == [Look("log")]


@pytest.mark.parametrize(
    ("monitor", "code"),
    [
        ({"drift": [{"name": "a", "source": TABLE}], "gaps": [{"name": "a", "source": TABLE}]}, "8921"),
        ({"slo": [{"name": "a"}]}, "8922"),
        ({"drift": [{"name": "a", "target": TABLE}]}, "8923"),
        (
            {
                "accuracy": [
                    {"name": "a", "source": TABLE, "labels": TABLE, "key": ["x"], "label_key": ["y", "z"]}
                ]
            },
            "8924",
        ),
        ({"slo": [{"name": "a", "source": TABLE, "judged": 0.7}]}, "8925"),
        ({"memory": "1GiB"}, "8926"),
    ],
)
def test_what_could_not_be_watched_is_refused(tmp_path: Path, monitor: Any, code: str) -> None:
    with pytest.raises(SpecFileError, match=code):
        load(tmp_path, monitor)


def test_a_schedule_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecFileError, match="8920"):
        load_spec(write(tmp_path, "some", schedule={"monitor": "@hourly"}))
