"""What is proposed: a patch that changes one value and no other character, or nothing with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from heavylift.errors import ConflictError
from heavylift.optimize.proposing import patched, unified

HEAD = "apiVersion: heavylift/v1   # the top\nlist:\n- {a: [1,2]}\n-   b: 'q'\n"
EXAMPLE = Path(__file__).resolve().parents[3] / "include" / "migrations" / "fraud-scoring.yaml"


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        HEAD.rstrip("\n"),
        HEAD + "infrastructure: {state: s3://b/x}   # here\n",
        HEAD + "infrastructure:\n  # kept\n  state: s3://b/x\n",
        HEAD + "infrastructure: {instance_types: {}}\n",
        HEAD + "infrastructure:\n    instance_types:\n    state: s3://b/x\n",
        HEAD + "infrastructure:\n  instance_types: {m5.large: n2}\nz: 1\n",
        HEAD + 'infrastructure:\n  instance_types:\n    "ml.p4d.24xlarge": "old"   # why\n    m5.large: n2\n',
        HEAD + "infrastructure: null\n",
        EXAMPLE.read_text(encoding="utf-8"),
    ],
)
def test_a_patch_changes_what_it_should_and_keeps_every_other_line(text: str) -> None:
    made = patched(text, {"ml.p4d.24xlarge": "a3-highgpu-8g", "m6i.large": "no"})
    types = yaml.safe_load(made)["infrastructure"]["instance_types"]
    assert types["ml.p4d.24xlarge"] == "a3-highgpu-8g"
    assert types["m6i.large"] == "no"  # a text, and no truth value
    patch = unified("spec.yaml", text, made)
    changed = [line for line in patch.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert len(changed) <= 4
    kept = made.splitlines()
    touched = ("infrastructure", "types", "old", HEAD.splitlines()[-1])
    lines = [line for line in text.splitlines() if not any(word in line for word in touched)]
    assert all(line in kept for line in lines)
    assert patched(made, {"ml.p4d.24xlarge": "a3-highgpu-8g", "m6i.large": "no"}) == made


@given(source=st.text(min_size=1, max_size=30), target=st.text(min_size=1, max_size=30))
def test_any_name_comes_out_as_it_went_in_or_is_refused(source: str, target: str) -> None:
    try:
        made = patched(HEAD, {source: target})
    except ConflictError:
        return
    assert yaml.safe_load(made)["infrastructure"]["instance_types"] == {source: target}


def test_what_would_come_out_as_something_else_is_refused() -> None:
    shared: Any = HEAD + "x: &x {m5.large: n2}\ninfrastructure: {instance_types: *x}\n"
    with pytest.raises(ConflictError, match="HL-9263"):
        patched(shared, {"m5.large": "n3"})


def test_texts_that_are_the_same_have_no_patch() -> None:
    assert unified("a", HEAD, HEAD) == ""
    assert "No newline at end of file" in unified("a", "x", "y")
