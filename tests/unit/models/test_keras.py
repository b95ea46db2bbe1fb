"""Keras' files are read to their end: what names its own layers passes, and what reaches for more blocks."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import h5py
import pytest

from heavylift.models import hdf5, hdf5_reader
from heavylift.models.layout import read_layout
from heavylift.models.looking import Look, Trust
from heavylift.models.scanning import look_at
from tests.unit.models.keras_files import (
    DENSE,
    STRANGE,
    archive,
    layer,
    sequential,
    weights,
    whole,
)
from tests.unit.models.keras_files import (
    hdf5 as made_of,
)
from tests.unit.models.pickles import SYSTEM, zipped

NOBODY = Trust()


def look(data: bytes, name: str = "model.keras", trust: Trust = NOBODY) -> Look:
    return look_at(io.BytesIO(data), len(data), name, trust)


def rules(found: Look) -> set[str]:
    return {each.rule for each in found.suspicions}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read HDF5 in this process, which is quicker; the process of its own has tests of its own."""
    monkeypatch.setattr(hdf5, "_read", lambda path, *_: hdf5_reader.Reader().read(str(path)))


LAMBDA = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}
CUSTOM = {"module": None, "class_name": "Mine", "config": {}, "registered_name": "mine>Mine"}


def function(name: str, module: str = "builtins") -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": "function"}


HARMFUL: dict[str, tuple[dict[str, Any], str]] = {
    "a Lambda layer": (layer("Lambda", function=LAMBDA), "malicious-code"),
    "a Lambda layer of Keras 2": (
        layer("Dense", function_type="lambda", function=["4wEAAAA=", None, None]), "malicious-code",
    ),
    "a Lambda layer in a layer": (
        layer("TimeDistributed", layer=layer("Lambda", function=LAMBDA)), "malicious-code",
    ),
    "a Lambda layer in what it was trained with": (
        {**DENSE, "compile_config": {"loss": layer("Lambda")}}, "malicious-code",
    ),
    "a model elsewhere": (layer("TFSMLayer", filepath="https://example.com/m"), "malicious-code"),
    "a pickle of PyTorch": (layer("TorchModuleWrapper", module="gASV"), "malicious-code"),
    "an operator as its definition": (layer("TensorFlowOpLayer", node_def="WriteFile"), "malicious-code"),
    "a module of Python": (layer("system", "os"), "malicious-code"),
    "a function of Python": (layer("Activation", activation=function("exec")), "malicious-code"),
    "a fetching function of Keras": (
        layer("Activation", activation=function("get_file", "keras.utils")), "malicious-code",
    ),
    "a switch of Keras": (layer("enable_unsafe_deserialization", "keras.config"), "malicious-code"),
    "a function of TensorFlow": (layer("TFOpLambda", function="io.write_file"), "unscanned-file"),
    "a vocabulary in a file": (layer("StringLookup", vocabulary="/etc/passwd"), "path-outside"),
    "a class of its own": (CUSTOM, "unknown-global"),
    "a class of its own under a known name": (
        {**DENSE, "registered_name": "mine>Dense"}, "unknown-global",
    ),
    "a class of another package": (layer("Dense", "evil.layers"), "unknown-global"),
    "a function of its own": (layer("Activation", activation=function("mine")), "unknown-global"),
    "a function of its own by name": (layer("Dense", activation="mine>swirl"), "unknown-global"),
    "a class that is no text": (layer("Dense") | {"class_name": ["Lambda"]}, "unscanned-file"),
}  # fmt: skip


@pytest.mark.parametrize("what", HARMFUL)
@pytest.mark.usefixtures("here")
def test_a_configuration_that_reaches_for_more_than_keras_own_blocks(what: str) -> None:
    bad, rule = HARMFUL[what]
    config = sequential(DENSE, bad)
    assert rule in rules(look(archive(config)))
    assert rule in rules(look(whole(config), "model.h5"))
    # Within another archive, and escaped: a reader of bytes would not see the name.
    escaped = json.dumps(config).replace("L", "\\u004c").encode()
    assert rule in rules(look(zipped(inner=archive(escaped)), "model.zip"))


HARMLESS = {
    "layers": sequential(DENSE, layer("Dropout", rate=0.2), layer("Softmax")),
    "functions": sequential(layer("Activation", activation=function("mean_squared_error"))),
    "within each other": sequential(layer("Bidirectional", layer=layer("LSTM", units=2))),
    "operators of Keras 3": sequential(layer("Add", "keras.src.ops.numpy") | {"registered_name": "Add"}),
    "operators of TensorFlow": sequential(
        layer("TFOpLambda", "tf_keras.src.layers.core.tf_op_layer", function="nn.relu")
    ),
    "Keras 2": {
        "class_name": "Functional",
        "config": {"layers": [{"class_name": "Dense", "config": {"kernel_constraint": "max_norm"}}]},
    },
    "what it was trained with": sequential(
        layer("Dense", kernel_initializer={"class_name": "Custom>Adam", "config": {}})
    ),
    "tokens": sequential(layer("StringLookup", vocabulary=["/", "../x", "os.system"])),
}


@pytest.mark.parametrize("what", HARMLESS)
@pytest.mark.usefixtures("here")
def test_keras_own_layers_pass(what: str) -> None:
    for data, kind in ((archive(HARMLESS[what]), "Keras archive"), (whole(HARMLESS[what]), "Keras in HDF5")):
        found = look(data)
        assert (found.kind, found.understood, found.suspicions) == (kind, True, [])


@pytest.mark.usefixtures("here")
def test_a_class_that_a_person_vouches_for_passes() -> None:
    vouched = Trust(frozenset({"mine>Mine"}))
    assert rules(look(archive(sequential(CUSTOM)), trust=vouched)) == set()
    acting = Trust(frozenset({"os.system", "builtins.exec"}))
    assert rules(look(archive(sequential(layer("system", "os"))), trust=acting)) == {"malicious-code"}


@pytest.mark.parametrize("what", STRANGE)
@pytest.mark.usefixtures("here")
def test_hdf5_that_does_more_than_hold_numbers_blocks(what: str) -> None:
    fill, rule = STRANGE[what]
    found = look(made_of(fill), "weights.h5")
    assert (found.kind, rules(found)) == ("HDF5", {rule})
    assert found.understood == (rule != "unscanned-file")


@pytest.mark.parametrize("options", [{}, {"libver": "latest"}, {"track_order": True}])
def test_numbers_and_names_in_hdf5_are_read_in_a_process_of_their_own(options: dict[str, Any]) -> None:
    def fill(file: h5py.File) -> None:
        for number in range(20):
            file.attrs[f"told {number}"] = f"text {number}"
        file.create_dataset("packed", data=[0.0] * 1000, chunks=(100,), compression="gzip", shuffle=True)
        file["again"] = file["packed"]
        file["round"] = file["/"]
        file.create_dataset("words", data=["a", "b"])
        file.attrs["nothing"] = h5py.Empty("f4")

    found = look(made_of(fill, **options), "weights.h5")
    assert (found.kind, found.understood, found.suspicions) == ("HDF5", True, [])


def test_what_keeps_hdf5_from_being_read_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = whole(sequential(DENSE))
    damaged = bytearray(sound)
    damaged[96:400] = b"\xff" * 304
    for data in (bytes(damaged), sound[:-100], sound + b"behind it", sound[:20], b"PNG" + bytes(509) + sound):
        assert "unscanned-file" in rules(look(data, "model.h5"))
        assert not look(data, "model.h5").understood
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(FileNotFoundError):
        look(sound, "model.h5")


def test_behind_a_picture_hdf5_is_found() -> None:
    picture = b"\x89PNG\r\n\x1a\n"
    assert rules(look(picture + bytes(1016) + weights(), "logo.png")) == {"unscanned-file"}
    assert rules(look(picture + bytes(1016), "logo.png")) == set()


def test_the_reader_finds_nothing_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SECRET", "SECRET")
    monkeypatch.setenv("HDF5_PLUGIN_PATH", str(tmp_path))
    given = hdf5._environment(tmp_path)
    assert "SECRET" not in given.values()
    assert "HDF5_PLUGIN_PATH" not in given
    assert given["HDF5_PLUGIN_PRELOAD"] == "::"


@pytest.mark.usefixtures("here")
def test_a_pickle_in_a_text_of_hdf5_is_found() -> None:
    def fill(file: h5py.File) -> None:
        file.attrs["title"] = SYSTEM.replace(b"\0", b"").decode("latin-1")
        file.create_dataset("words", data=["cos\nsystem\n(S'true'\ntR."])

    assert rules(look(made_of(fill), "weights.h5")) == {"malicious-code"}


@pytest.mark.usefixtures("here")
def test_members_that_keras_does_not_write_block() -> None:
    assets = {"assets/layers/text/vocabulary.txt": b"a\nb\n"}
    assert rules(look(archive(sequential(DENSE), assets))) == set()
    for name, expected in (
        ("helper.txt", {"unscanned-file"}),
        ("assets/../../x.txt", {"path-outside"}),
        ("assets/run.py", {"custom-code"}),
        ("assets/model.pkl", {"unscanned-file"}),
    ):
        found = look(archive(sequential(DENSE), {name: b"x"}))
        assert expected <= rules(found), name
    wicked = archive(sequential(DENSE), {"assets/vocabulary.npy": SYSTEM})
    assert rules(look(wicked)) == {"malicious-code"}
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = archive(sequential(DENSE), {"config.json": json.dumps(sequential(CUSTOM)).encode()})
    assert {"unscanned-file", "unknown-global"} <= rules(look(twice))
    assert rules(look(archive(b"{no json"))) == {"unscanned-file"}


def test_a_whole_model_answers_and_weights_do_not(tmp_path: Path) -> None:
    for name, data, form in (
        ("m.keras", archive(sequential(DENSE)), "keras"),
        ("m.h5", whole(sequential(DENSE)), "keras"),
        ("m.weights.h5", weights(), "hdf5"),
        ("empty.h5", b"", "hdf5"),
    ):
        (tmp_path / name).write_bytes(data)
        layout = read_layout(tmp_path, (name,))
        assert (layout.form, layout.answers) == (form, form == "keras")
        assert os.path.getsize(tmp_path / name) == len(data)
