"""Files that are wrong, or made to hurt, are refused with a code and the place; nothing else rises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heavylift.errors import HeavyliftError
from heavylift.training.model import Cluster, Form
from heavylift.training.targets import Target
from heavylift.training.translate import translate
from tests.unit.training.jobs import DEFINITIONS, JOBS, full_map

WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.text(max_size=5),
    st.sampled_from([[], {}, [None], "9" * 40]),
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no mapping"),
        ("[1]", "no mapping"),
        ("{", "JSON or plain YAML"),
        ("a: &x [1]\nb: *x", "an alias"),
        ("a: !!python/object:os.system x", "JSON or plain YAML"),
        ("x: 1", "written for"),
        ("[" * 5000, "JSON or plain YAML"),
        ('{"a":' * 200 + "1" + "}" * 200, "nesting"),
        ("kind: PyTorchJob\napiVersion: v1\nspec: {pytorchReplicaSpecs: {}}", "no pods"),
        ("workerPoolSpecs: []", "no pool"),
    ],
)
def test_a_wrong_file_is_refused(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(text)
    with pytest.raises(HeavyliftError, match=rf"(?s){words}.*HL-92"):
        translate(file, Target(Form.VERTEX), full_map(Form.VERTEX))


def test_a_missing_file_and_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HeavyliftError, match="HL-9202"):
        translate(tmp_path / "none.json", Target(Form.VERTEX), full_map(Form.VERTEX))
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(HeavyliftError, match="HL-9201"):
        translate(tmp_path / "bytes.json", Target(Form.VERTEX), full_map(Form.VERTEX))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in entries:
        found += places(child, (*path, key))
    return found


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_field_may_be_anything(tmp_path: Path, data: st.DataObject) -> None:
    import yaml

    name = data.draw(st.sampled_from(JOBS))
    document = yaml.safe_load((DEFINITIONS / name).read_text())
    path = data.draw(st.sampled_from(places(document)))
    spot: Any = document
    for key in path[:-1]:
        spot = spot[key]
    spot[path[-1]] = data.draw(WRONG)
    file = tmp_path / "job.json"
    file.write_text(json.dumps(document))
    target = data.draw(
        st.sampled_from(
            [
                Target(Form.VERTEX),
                Target(Form.SAGEMAKER),
                Target(Form.AZURE_ML),
                Target(Form.KUBERNETES, Cluster.GKE),
            ]
        )
    )
    try:
        made = translate(file, target, full_map(target.form), Cluster.EKS)
    except HeavyliftError as error:
        assert error.code.startswith("92")  # noqa: PT017 - many inputs, one test
    else:
        assert made.text
