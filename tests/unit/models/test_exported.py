"""Exported programs of PyTorch are read without it: what only computes passes, all else is found."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from typing import Any

import pytest

from heavylift.models.looking import Look, Trust
from heavylift.models.scanning import look_at
from tests.unit.models.pickles import calling

WEIGHT = b"\xff\x00\x80\x7f" * 4


def graph(**changes: Any) -> dict[str, Any]:
    node = {
        "target": "torch.ops.aten.linear.default",
        "inputs": [{"name": "input", "arg": {"as_tensor": {"name": "input"}}, "kind": 1}],
        "outputs": [{"as_tensor": {"name": "linear"}}],
        "metadata": {"stack_trace": "File \"/x/y.py\", line 1\n  return __import__('os')"},
    }
    size = {"as_expr": {"expr_str": "Symbol('s31', positive=True, integer=True)", "hint": {"as_int": 5}}}
    inner = {
        "inputs": [{"as_tensor": {"name": "p_0_weight"}}],
        "nodes": [node | changes.pop("node", {})],
        "tensor_values": {"linear": {"dtype": 7, "sizes": [changes.pop("size", size), {"as_int": 2}]}},
        "custom_obj_values": changes.pop("objects", {}),
    }
    document = {
        "graph_module": {"graph": inner, "signature": {}},
        "range_constraints": {"s31": {"min_val": 0, "max_val": None}},
        "guards_code": ["L['input'].size()[0] >= max(2, 1)"],
    }
    return document | changes


def program(
    document: object, config: dict[str, Any] | None = None, extra: dict[str, bytes] | None = None
) -> Look:
    found = {"path_name": "weight_0", "use_pickle": False} if config is None else config
    members = {
        "m/archive_format": b"pt2",
        "m/archive_version": b"0",
        "m/models/m.json": document if isinstance(document, bytes) else json.dumps(document).encode(),
        "m/data/weights/m_weights_config.json": json.dumps({"config": {"0.weight": found}}).encode(),
        "m/data/weights/weight_0": WEIGHT,
        **(extra or {}),
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    data = made.getvalue()
    return look_at(io.BytesIO(data), len(data), "model.pt2", Trust())


def test_a_program_that_only_computes_passes() -> None:
    look = program(graph())
    assert (look.kind, look.understood, look.suspicions) == ("exported program", True, [])


@pytest.mark.parametrize(
    "document",
    [
        graph(node={"target": "torch.os.system"}),
        graph(node={"target": "torch.hub.load"}),
        graph(node={"target": "_operator.attrgetter"}),
        graph(node={"inputs": [{"arg": {"as_operator": "torch.serialization.os.system"}}]}),
        graph(node={"inputs": [{"name": "x):\n import os\n#", "arg": {"as_none": True}}]}),
        graph(size={"as_expr": {"expr_str": "__import__('os').system('id')"}}),
        graph(size={"as_expr": {"expr_str": "s0.subs(1, 2)"}}),
        graph(guards_code=["exec('import os')"]),
        graph(guards_code=["L['input'].size()[0] >= eval('1')"]),
        graph(range_constraints={"open('/etc/passwd')": {"min_val": 0}}),
        graph(module_call_graph=[{"in_spec": '[1, {"__enum__": true, "fqn": "antigravity:x"}]'}]),
    ],
)
def test_a_graph_that_reaches_for_more_is_malicious(document: dict[str, Any]) -> None:
    assert "malicious-code" in {each.rule for each in program(document).suspicions}


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        graph(objects={"obj": {"class_fqn": "__torch__.torch.classes.x.Y"}}),
        graph(guards_code=["lambda: 1"]),
        graph(guards_code=["L['input'].size()[0] >= 2 #\n"]),
        graph(size={"as_expr": {"expr_str": "("}}),
        graph(size={"as_expr": {"expr_str": "1" * 10_001}}),
    ],
)
def test_a_graph_that_is_not_understood_is_unscanned(document: object) -> None:
    look = program(document)
    assert not look.understood
    assert "unscanned-file" in {each.rule for each in look.suspicions}


def test_operators_of_others_are_told() -> None:
    look = program(graph(node={"target": "torch.ops.mine.attention.default"}))
    assert [each.rule for each in look.suspicions] == ["custom-operators"]
    assert look.understood


@pytest.mark.parametrize(
    "config",
    [
        {"path_name": "weight_0", "use_pickle": True},
        {"path_name": "weight_0"},
        {"path_name": "other_0", "use_pickle": False},
        {},
    ],
)
def test_what_the_loader_may_unpickle_is_no_tensor(config: dict[str, Any]) -> None:
    look = program(graph(), config)
    assert not look.understood
    assert "unscanned-file" in {each.rule for each in look.suspicions}


def test_a_tensor_that_another_entry_unpickles_is_read_as_a_pickle() -> None:
    both = {
        "config": {
            "a": {"path_name": "weight_1", "use_pickle": False},
            "b": {"path_name": "weight_1", "use_pickle": True},
        }
    }
    extra = {
        "m/data/weights/n_weights_config.json": json.dumps(both).encode(),
        "m/data/weights/weight_1": calling("posix", "system", "id"),
    }
    assert "malicious-code" in {each.rule for each in program(graph(), extra=extra).suspicions}


def test_a_pickle_and_machine_code_beside_the_graph_are_found() -> None:
    extra = {
        "m/data/sample_inputs/m.pt": calling("posix", "system", "id"),
        "m/data/aotinductor/m/m.so": b"\x7fELF" + bytes(60),
    }
    rules = {each.rule for each in program(graph(), extra=extra).suspicions}
    assert {"malicious-code", "native-code"} <= rules


def test_two_members_of_one_name_are_not_understood() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for content in (b"[]", b"{}"):
            archive.writestr("m/models/m.json", content)
    data = made.getvalue()
    look = look_at(io.BytesIO(data), len(data), "model.pt2", Trust())
    assert not look.understood
    assert [each.detail for each in look.suspicions] == ["two of its members have one name"]
