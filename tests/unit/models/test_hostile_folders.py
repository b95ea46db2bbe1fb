"""Folders that mean harm, or are odd: each ends with a judgement or an error by its name; nothing runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from heavylift.environments import Solver
from heavylift.errors import HeavyliftError
from heavylift.models import checking
from heavylift.models.modelscan import Scanned, _inside
from tests.unit.models.pickles import SYSTEM, calling, zipped
from tests.unit.models.test_checking import blockers, check, save

Change = Callable[[Path], Any]


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand in for uv and modelscan; return what uv was asked for."""
    from heavylift.environments import Solved

    lines: list[str] = []

    def solve(_self: Solver, requirements: Any, *_arguments: Any, **_options: Any) -> Solved:
        lines.extend(requirements)
        return Solved(("mlflow==3.17.2",))

    monkeypatch.setattr(Solver, "solve", solve)
    monkeypatch.setattr(checking.modelscan, "scan", lambda *_arguments, **_options: Scanned("0.8.8"))
    return lines


def put(name: str, content: bytes) -> Change:
    def act(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return act


def told(**changes: Any) -> Change:
    """Change MLmodel."""

    def act(folder: Path) -> None:
        document = yaml.safe_load((folder / "MLmodel").read_text())
        document.update(changes)
        (folder / "MLmodel").write_text(yaml.safe_dump(document))

    return act


def flavor(**changes: Any) -> Change:
    return told(flavors={"python_function": {"loader_module": "mlflow.sklearn", **changes}})


def with_tar(name: str, **changes: Any) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        member = tarfile.TarInfo(name)
        for key, value in changes.items():
            setattr(member, key, value)
        archive.addfile(member)
    return made.getvalue()


def torn(content: bytes) -> bytes:
    """Return a zip archive whose member is not what its digest says."""
    packed = bytearray(zipped(weights=content))
    packed[packed.index(content)] ^= 1
    return bytes(packed)


def renamed() -> bytes:
    """Return a zip archive that calls its member otherwise at its end than before it."""
    packed = zipped(aaaa=SYSTEM)
    return packed.replace(b"aaaa", b"bbbb", 1)


def of_a_pickled_type() -> bytes:
    """Return a Parquet file whose one column is of a type that readers before pyarrow 14.0.1 unpickle."""
    told = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": SYSTEM}
    column = pa.field("x", pa.int64(), metadata=told)
    made = io.BytesIO()
    pq.write_table(pa.table([pa.array([1])], schema=pa.schema([column])), made)
    return made.getvalue()


BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [" % (n, n) + b",".join([b"*%c" % (n - 1)] * 9) + b"]\n" for n in range(ord("b"), ord("k"))
)
TEXT_ACT = b"cos\nsystem\n(S'true'\ntR"

BY_VALUE = (
    b"\x80\x02ccloudpickle.cloudpickle\n_make_function\n(ccloudpickle.cloudpickle\n_builtin_type\n"
    b"X\x08\x00\x00\x00CodeType\x85R(K\x00tR}NNNtR)R."
)
"""A function as cloudpickle keeps it: a type, called, and what came of that called again."""

JUDGED: dict[str, tuple[Change, str]] = {
    "a number that pickletools cannot read": (
        put("model.pkl", b"I0x10\n0" + TEXT_ACT + b"."), "malicious-code",
    ),
    "a long number that it cannot read": (put("model.pkl", b"L0x10L\n0" + TEXT_ACT + b"."), "malicious-code"),
    "a name that is no UTF-8": (
        lambda folder: Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).touch(), "unscanned-file",
    ),
    "a text that it cannot read": (put("model.pkl", b"S'\xc3\xa9'\n0" + TEXT_ACT + b"."), "malicious-code"),
    "a pickle that begins like CatBoost": (
        put("model.cbm", b"CBM1" + b"x" * 64 + b"0" + TEXT_ACT + b"."), "malicious-code",
    ),
    "a pickle that begins like GGUF": (put("m.gguf", b"GGUFxxxxx0" + TEXT_ACT + b"."), "malicious-code"),
    "a pickle called CSV": (put("data.csv", SYSTEM), "malicious-code"),
    "a pickle called NumPy": (put("weights.npy", SYSTEM), "malicious-code"),
    "several, the last of which acts": (put("model.pkl", pickle.dumps(1) * 3 + SYSTEM), "malicious-code"),
    "an old one behind a new one": (put("model.pkl", pickle.dumps(1) + TEXT_ACT + b"."), "malicious-code"),
    "acts, then takes what is not there": (put("model.pkl", SYSTEM[:-1] + b"000."), "malicious-code"),
    "bytes behind its end": (put("model.pkl", pickle.dumps(1) + b"\0\1\2"), "unscanned-file"),
    "an empty model": (put("model.pkl", b""), "file-absent"),
    "an artifact elsewhere": (flavor(artifacts={"a": {"path": "../x", "uri": "/home/x"}}), "path-outside"),
    "a text in place of a pickle": (put("model.pkl", b"hello\n"), "unscanned-file"),
    "a pointer of Git LFS": (
        put("model.pkl", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "unscanned-file",
    ),
    "7z": (put("model.pth", b"7z\xbc\xaf\x27\x1c" + bytes(90)), "unscanned-file"),
    "a torn zip": (put("w.zip", torn(b"weights, or not")), "unscanned-file"),
    "a zip with two directories": (put("w.zip", renamed()), "unscanned-file"),
    "code in a zip": (put("code.zip", zipped(**{"x.py": b"import os\n"})), "custom-code"),
    "a tar with a link": (
        put("m.tar", with_tar("x", type=tarfile.SYMTYPE, linkname="/etc")), "unscanned-file",
    ),
    "a tar that leads out": (put("m.tar", with_tar("../../x")), "path-outside"),
    "a tar with bytes behind its end": (put("m.tar", with_tar("x") + SYSTEM), "unscanned-file"),
    "Keras with a Lambda layer": (
        put("m.keras", zipped(**{"config.json": b'{"class_name": "Lambda"}'})), "malicious-code",
    ),
    "HDF5": (put("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(90)), "unscanned-file"),
    "YAML that makes objects": (
        put("extra.yaml", b"a: !!python/object/apply:os.system ['true']\n"), "malicious-code",
    ),
    "YAML that writes such a tag otherwise": (
        put("extra.yaml", b"a: !!%70ython/object/apply:os.system ['true']\n"), "malicious-code",
    ),
    "YAML that gives such a tag another name": (
        put("extra.yaml", b"%TAG ! tag:yaml.org,2002:py\n---\na: !thon/name:os.system\n"), "malicious-code",
    ),
    "types of Arrow that are pickles": (put("rows.parquet", of_a_pickled_type()), "malicious-code"),
    "data elsewhere": (flavor(data="../../etc"), "path-outside"),
    "a pickle elsewhere": (flavor(pickled_model="/tmp/model.pkl"), "path-outside"),
    "data behind a URL": (flavor(data="s3://bucket/x"), "path-outside"),
    "a file that is not there": (flavor(data="model.bin"), "file-absent"),
    "a loader of its own": (flavor(loader_module="mine.loader"), "custom-code"),
    "another module of MLflow's": (flavor(loader_module="mlflow.projects"), "custom-code"),
    "a module of MLflow's library": (flavor(loader_module="mlflow.sklearn.os"), "custom-code"),
    "Keras by another name": (flavor(keras_module="evil"), "custom-code"),
    "code from elsewhere": (flavor(trust_remote_code=True), "custom-code"),
    "functions as bytecode": (put("model.pkl", BY_VALUE), "pickled-code"),
    "code of its own": (flavor(code="code"), "custom-code"),
    "a model from code": (flavor(model_code_path="agent.py"), "custom-code"),
    "a link": (lambda folder: (folder / "extra").symlink_to("/etc/passwd"), "unscanned-file"),
    "a link that leads to itself": (lambda folder: (folder / "loop").symlink_to("."), "unscanned-file"),
    "a pipe": (lambda folder: os.mkfifo(folder / "pipe"), "unscanned-file"),
    "an index of its own": (
        put("requirements.txt", b"--index-url http://127.0.0.1/\nnumpy==1\n"), "unsafe-requirement",
    ),
    "packages from elsewhere": (put("requirements.txt", b"numpy @ file:///x.whl\n"), "unsafe-requirement"),
    "an option behind a package": (put("requirements.txt", b"numpy --find-links x\n"), "unsafe-requirement"),
    "an option in conda.yaml": (
        put("conda.yaml", b"dependencies: [python=3.11, {pip: ['numpy', '-i http://x/']}]\n"),
        "unsafe-requirement",
    ),
    "a URL in a second list of conda.yaml": (
        put("conda.yaml", b"dependencies: [{pip: [numpy]}, {pip: ['x @ http://x/x.whl']}]\n"),
        "unsafe-requirement",
    ),
    "a channel of conda elsewhere": (
        put("conda.yaml", b"channels: ['http://127.0.0.1/x']\n"), "unsafe-requirement",
    ),
    "a package of conda from a channel": (
        put("conda.yaml", b"dependencies: ['evil::numpy']\n"), "unsafe-requirement",
    ),
    "what builds an environment": (
        put("python_env.yaml", b"build_dependencies: ['pip @ file:///x']\n"), "unsafe-requirement",
    ),
    "other files of requirements": (
        put("python_env.yaml", b"dependencies: [-r other.txt]\n"), "unsafe-requirement",
    ),
    "an environment elsewhere": (flavor(env={"conda": "../conda.yaml"}), "path-outside"),
    "shards elsewhere": (
        put("data/model.safetensors.index.json", b'{"weight_map": {"a": "../../x"}}'), "path-outside",
    ),
    "an environment under another name": (
        lambda folder: (
            put("sub/e.yaml", b"dependencies: [{pip: ['-i http://x/']}]\n")(folder),
            flavor(env={"conda": "./sub/e.yaml"})(folder),
        ),
        "unsafe-requirement",
    ),
    "an environment of the old kind": (
        lambda folder: (
            put("e.yaml", b"channels: ['http://x']\n")(folder), flavor(env="e.yaml")(folder)
        ),
        "unsafe-requirement",
    ),
    "variables of conda": (
        put("conda.yaml", b"variables: {PIP_INDEX_URL: 'http://x'}\n"), "unsafe-requirement",
    ),
    "an option behind a remark that seems to go on": (
        put("requirements.txt", b"# why \\\n-i http://x\nnumpy==1\n"), "unsafe-requirement",
    ),
    "an option behind a package's remark": (
        put("requirements.txt", b"numpy==1 # why \\\n-i http://x\n"), "unsafe-requirement",
    ),
    "a pickle module of its own": (put("data/pickle_module_info.txt", b"antigravity"), "custom-code"),
    "a class that MLflow would call": (flavor(model_class="idlelib.idle.main"), "custom-code"),
    "objects that texts name": (flavor(loader_module="mlflow.llama_index"), "custom-code"),
    "weights fetched while it is loaded": (
        told(flavors={"transformers": {"source_model_name": "evil/net"}}), "unscanned-file",
    ),
    "a library that ONNX Runtime would load": (
        told(flavors={"onnx": {"providers": [["Tensorrt", {"trt_extra_plugin_lib_paths": "x.so"}]]}}),
        "custom-code",
    ),
    "a file that ONNX Runtime would write": (
        told(
            flavors={
                "onnx": {
                    "onnx_session_options": {"extra_session_config": {"ep.context_file_path": "/tmp/x"}}
                }
            }
        ),
        "custom-code",
    ),
    "an explainer elsewhere": (flavor(serialized_explainer="../x"), "path-outside"),
    "a wheel": (put("requirements.txt", b"x-1.0-py3-none-any.whl\n"), "unsafe-requirement"),
}  # fmt: skip
"""What is odd → what makes it so, and the rule that blocks."""

REFUSED: dict[str, tuple[Change, str]] = {
    "a bomb of YAML": (put("MLmodel", BOMB + b"flavors: {a: {}}\nsignature: {inputs: *j}\n"), "7511"),
    "deep YAML": (put("MLmodel", b"[" * 100_000), "7511"),
    "MLmodel that makes objects": (put("MLmodel", b"flavors: !!python/name:os.system\n"), "7511"),
    "a date that is none": (put("MLmodel", b"flavors: {a: {}}\nx: 2024-13-45\n"), "7511"),
    "a version with a line more": (told(mlflow_version="3.0\n--index-url http://x"), "7511"),
    "a Python that is a program": (flavor(python_version="/tmp/evil/python"), "7511"),
    "dependencies that are none": (
        lambda folder: (
            (folder / "requirements.txt").unlink(), put("conda.yaml", b"dependencies: 3\n")(folder)
        ),
        "7511",
    ),
    "a signature too deep": (told(signature={"inputs": "[" * 100_000}), "7511"),
    "a key that one reader of YAML alone sees": (
        lambda folder: (folder / "MLmodel").write_bytes(
            b"flavors:\n  python_function:\n    data: model.pkl\n\xef\xbb\xbf   loader_module: evil\n"
        ),
        "7511",
    ),
    "a name of two lines": (put("a\nb", b""), "7522"),
}  # fmt: skip


@pytest.mark.parametrize("what", JUDGED)
def test_what_means_harm_or_is_not_read_blocks(tmp_path: Path, what: str) -> None:
    change, rule = JUDGED[what]
    source = save(tmp_path / "s")
    change(source)
    record = check(tmp_path, source, accept=frozenset({"malicious-code", "path-outside"}))
    assert rule in blockers(record), record.findings
    assert not record.passed


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_read_is_refused_by_its_name(tmp_path: Path, what: str) -> None:
    change, code = REFUSED[what]
    source = save(tmp_path / "s")
    change(source)
    with pytest.raises(HeavyliftError) as raised:
        check(tmp_path, source)
    error = raised.value
    assert error.code == code
    assert all((error.what, error.got, error.expected, error.state, error.remedy))


def test_where_parts_of_a_model_came_from_is_no_path_of_it(tmp_path: Path) -> None:
    source = save(tmp_path / "s", files={"artifacts/x": b"x"})
    flavor(artifacts={"a": {"path": "artifacts/x", "uri": "/home/x"}}, source_model_name="/home/net")(source)
    assert check(tmp_path, source).passed


def test_what_mlflow_writes_of_a_flavor_passes(tmp_path: Path) -> None:
    source = save(
        tmp_path / "s", files={"model/config.json": b"{}", "own.yaml": b"dependencies: [python=3.11]\n"}
    )
    put("data/pickle_module_info.txt", b"mlflow.pytorch.pickle_module")(source)
    own = {"model_binary": "model", "source_model_name": "some/net"}
    booster = {"model_class": "xgboost.sklearn.XGBClassifier"}
    python = {"loader_module": "mlflow.xgboost", "env": {"conda": "own.yaml"}}
    graph = {
        "providers": ["CUDAExecutionProvider", ["CPUExecutionProvider", {"arena_extend_strategy": "kSame"}]],
        "onnx_session_options": {"extra_session_config": {"session.disable_prepacking": "1"}},
    }
    told(flavors={"transformers": own, "xgboost": booster, "python_function": python, "onnx": graph})(source)
    assert check(tmp_path, source).passed


def test_uv_is_asked_for_packages_by_their_names_alone(tmp_path: Path, asked: list[str]) -> None:
    source = save(tmp_path / "s")
    (source / "requirements.txt").unlink()
    pip = ["numpy==1.0\n--find-links /tmp/evil", "-r other.txt", "good==1 ; python_version > '3'"]
    put("conda.yaml", yaml.safe_dump({"dependencies": ["python=3.11", {"pip": pip}]}).encode())(source)
    record = check(tmp_path, source)
    assert "unsafe-requirement" in blockers(record)
    assert not [line for line in asked if "\n" in line or line.startswith("-")], asked
    assert "good==1 ; python_version > '3'" in asked


def test_requirements_are_read_as_pip_reads_them(tmp_path: Path, asked: list[str]) -> None:
    source = save(tmp_path / "s")
    text = "\ufeffnumpy==1.26.4 # why\n\nscikit-learn==1.9.1 \\\n  --hash=sha256:00\n# x\n"
    put("requirements.txt", text.encode())(source)
    assert check(tmp_path, source).passed
    assert {"numpy==1.26.4", "scikit-learn==1.9.1"} <= set(asked)


def test_a_file_whose_name_has_a_colon_says_nothing_of_another(tmp_path: Path) -> None:
    for name in ("weights.bin", "weights.bin:x.pkl", "model.zip"):
        (tmp_path / name).touch()
    told = {
        name: _inside(str(tmp_path / name), tmp_path) for name in ("weights.bin:x.pkl", "model.zip:data.pkl")
    }
    assert told == {"weights.bin:x.pkl": "weights.bin:x.pkl", "model.zip:data.pkl": "model.zip"}


@pytest.mark.parametrize(
    "signature",
    [
        {},
        {"inputs": "[]", "outputs": None},
        {"inputs": json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}])},
        {"inputs": json.dumps([{"name": "t", "type": "datetime"}, {"name": "b", "type": "binary"}])},
        {"inputs": json.dumps([{"name": "a", "type": "any"}, {"name": "l", "type": "array", "items": {}}])},
        {"inputs": "3", "params": json.dumps([{"name": "p", "type": "long", "default": 1, "shape": None}])},
    ],
)
def test_signatures_of_any_kind_are_kept(tmp_path: Path, signature: dict[str, Any]) -> None:
    source = save(tmp_path / "s")
    told(signature=signature)(source)
    assert check(tmp_path, source).passed


def test_empty_files_and_thousands_of_files_are_looked_at(tmp_path: Path) -> None:
    source = save(tmp_path / "s", files={f"many/{n}.txt": b"" for n in range(2000)})
    record = check(tmp_path, source)
    assert record.passed
    assert len(record.files) == 2003


def test_an_expanded_archive_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from heavylift.models import archives

    monkeypatch.setattr(archives, "MAX_EXPANDED_BYTES", 2**20)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights", bytes(2**22))
    source = save(tmp_path / "s", files={"w.zip": made.getvalue()})
    assert blockers(check(tmp_path, source)) == {"unscanned-file"}


def test_a_call_that_joblib_would_step_over_and_pickle_would_make_is_found(tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    wrapper = (
        b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}("
        b"X\x05\x00\x00\x00dtypecnumpy\ndtype\nX\x02\x00\x00\x00u1\x85RX\x05\x00\x00\x00shapeK\xc8\x85ub"
    )
    act = f"cposix\nsystem\n(S'touch {mark}'\ntR.".encode()
    data = b"\x80\x02" + wrapper + act.ljust(200, b"0") + b"."
    record = check(tmp_path, save(tmp_path / "s", model=data))
    assert "malicious-code" in blockers(record)
    assert not mark.exists()


@pytest.mark.parametrize(
    "wrapper",
    [
        # Made in another way than by calling it.
        b"ccopyreg\n_reconstructor\n(cjoblib.numpy_pickle\nNumpyArrayWrapper\nc__builtin__\nobject\nNtR",
        b"(cjoblib.numpy_pickle\nNumpyArrayWrapper\no",
    ],
)
@pytest.mark.parametrize(
    "dtype",
    [
        # Of another size, or with objects, by a state that the type is given afterwards.
        b"X\x02\x00\x00\x00V1\x85R(K\x03X\x01\x00\x00\x00|NNNK\xffK\x01K\x00tb",
        b"X\x02\x00\x00\x00f8\x85R(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ftb",
        b"X\x05\x00\x00\x00u1,u1\x85R",
    ],
)
def test_an_array_of_which_joblib_may_count_other_bytes_is_not_stepped_over(
    tmp_path: Path, wrapper: bytes, dtype: bytes
) -> None:
    state = b"}(X\x05\x00\x00\x00dtypecnumpy\ndtype\n" + dtype + b"X\x05\x00\x00\x00shapeK\x01\x85ub"
    data = b"\x80\x02" + wrapper + state + b"\0" * 8 + calling("os", "system", "true")[2:]
    assert "damaged-pickle" in blockers(check(tmp_path, save(tmp_path / "s", model=data)))


def test_a_model_from_code_may_be_accepted_wherever_it_was_written(tmp_path: Path) -> None:
    source = save(tmp_path / "s", files={"agent.py": b"import mlflow\n"})
    flavor(loader_module="mlflow.pyfunc.loaders.code_model", model_code_path="/srv/x/agent.py")(source)
    assert blockers(check(tmp_path, source)) == {"custom-code"}
    assert check(tmp_path, source, accept=frozenset({"custom-code"})).passed


def test_bytecode_beside_names_that_act_is_malicious(tmp_path: Path) -> None:
    source = save(tmp_path / "s", model=BY_VALUE[:-1] + b"0cos\nsystem\n.")
    assert blockers(check(tmp_path, source)) == {"malicious-code"}
    source = save(tmp_path / "t", model=BY_VALUE)
    assert blockers(check(tmp_path, source)) == {"pickled-code"}


def test_environments_as_mlflow_writes_them_pass(tmp_path: Path) -> None:
    source = save(tmp_path / "s")
    conda = {
        "channels": ["conda-forge", "https://conda.anaconda.org/pytorch/"],
        "dependencies": ["python=3.11.7", "pip<=24.0", "numpy >=1.2,<2", {"pip": ["mlflow==3.17.2"]}],
    }
    virtual = {"build_dependencies": ["pip", "setuptools==84.2.1"], "dependencies": ["-r requirements.txt"]}
    put("conda.yaml", yaml.safe_dump(conda).encode())(source)
    put("python_env.yaml", yaml.safe_dump(virtual).encode())(source)
    flavor(env={"conda": "conda.yaml", "virtualenv": "python_env.yaml"})(source)
    record = check(tmp_path, source)
    assert record.passed, record.findings


def test_a_configuration_that_would_fill_the_memory_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from heavylift.models import archives

    monkeypatch.setattr(archives, "_MAX_JSON", 100)
    packed = zipped(**{"config.json": b"{" + b" " * 200 + b"}"})
    assert blockers(check(tmp_path, save(tmp_path / "s", files={"w.zip": packed}))) == {"unscanned-file"}
