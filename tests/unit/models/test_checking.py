"""The check of a model in a folder: its layout, what arrived, that nothing passes unseen."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.aio import run
from heavylift.environments import Solved, Solver
from heavylift.errors import NotFoundError, SpecError, UnsupportedError
from heavylift.evidence.model_records import ModelCheckRecord
from heavylift.evidence.records import RunKey
from heavylift.locations import parse_location
from heavylift.models import checking
from heavylift.models.api import check_model
from heavylift.models.fetching import fetch_model
from heavylift.models.layout import read_layout
from heavylift.models.modelscan import Scanned, read_report
from heavylift.models.requests import CheckOptions, ModelRequest
from heavylift.platforms.places import Place
from tests.unit.models.keras_files import DENSE, archive, layer, sequential
from tests.unit.models.pickles import SYSTEM, calling

SIGNATURE = {
    "inputs": json.dumps([{"name": "x", "type": "double"}]),
    "outputs": json.dumps([{"type": "long"}]),
}


def save(
    folder: Path, *, model: bytes = pickle.dumps({"w": 1}), files: dict[str, bytes] | None = None
) -> Path:
    """Write a small model as MLflow lays it out."""
    document = {
        "flavors": {
            "python_function": {"loader_module": "mlflow.sklearn", "python_version": "3.11.7"},
            "sklearn": {"pickled_model": "model.pkl", "serialization_format": "pickle"},
        },
        "mlflow_version": "3.17.2",
        "signature": SIGNATURE,
    }
    everything = {
        "MLmodel": yaml.safe_dump(document).encode(),
        "requirements.txt": b"mlflow==3.17.2\nscikit-learn==1.9.1\n",
        "model.pkl": model,
        **(files or {}),
    }
    for name, content in everything.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture(autouse=True)
def _no_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for uv and modelscan, which need an index of packages."""
    monkeypatch.setattr(Solver, "solve", lambda *_arguments, **_options: Solved(("mlflow==3.17.2",)))
    monkeypatch.setattr(checking.modelscan, "scan", lambda *_arguments, **_options: Scanned("0.8.8"))


def place(folder: Path) -> Place:
    return Place(parse_location(folder.as_uri()))


def check(tmp_path: Path, source: Path, target: Path | None = None, **options: Any) -> ModelCheckRecord:
    request = ModelRequest(
        run=RunKey(migration="m", phase="revalidate", run="r"),
        model="fraud",
        version="3",
        source=place(source),
        target=place(target) if target else None,
        evidence_url=(tmp_path / "evidence").as_uri(),
        evidence_connection=None,
        check=CheckOptions(**options),
    )
    (tmp_path / "evidence").mkdir(exist_ok=True)
    record, ref = run(check_model(request))
    kept = (tmp_path / "evidence" / ref.path).read_bytes()
    assert ModelCheckRecord.model_validate_json(kept) == record
    return record


def blockers(record: ModelCheckRecord) -> set[str]:
    return {each.rule for each in record.findings if each.severity.value == "blocker"}


def test_a_sound_model_that_has_arrived_passes(tmp_path: Path) -> None:
    source, target = save(tmp_path / "s"), save(tmp_path / "t")
    record = check(tmp_path, source, target)
    assert record.passed, record.findings
    assert record.digest == record.target_digest
    assert record.flavors == ("python_function", "sklearn")
    assert {file.path: file.kind for file in record.files} == {
        "MLmodel": "text", "requirements.txt": "text", "model.pkl": "pickle",
    }  # fmt: skip
    assert all(file.looked_at_by for file in record.files)
    assert {each.rule for each in record.findings} == {"pickled-model", "no-runtime"}


def test_a_wicked_model_is_refused_and_nobody_has_loaded_it(tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    source = save(tmp_path / "s", model=calling("posix", "system", f"touch {mark}"))
    record = check(
        tmp_path, source, accept=frozenset({"malicious-code"}), trusted=frozenset({"posix.system"})
    )
    assert blockers(record) == {"malicious-code"}
    assert not record.passed
    assert not mark.exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"model.pkl": pickle.dumps({"w": 2})}, "digest-differs"),
        ({"model.pkl": None}, "file-missing"),
        ({"MLmodel": b"flavors: {python_function: {}}\n"}, "signature-differs"),
    ],
)
def test_what_did_not_arrive_as_it_was_is_found(
    tmp_path: Path, change: dict[str, bytes | None], expected: str
) -> None:
    source, target = save(tmp_path / "s"), save(tmp_path / "t")
    for name, content in change.items():
        (target / name).unlink()
        if content is not None:
            (target / name).write_bytes(content)
    record = check(tmp_path, source, target)
    assert expected in blockers(record)
    assert record.digest != record.target_digest


def test_a_file_that_only_the_target_has_is_a_warning(tmp_path: Path) -> None:
    source, target = save(tmp_path / "s"), save(tmp_path / "t", files={"extra.txt": b"x"})
    record = check(tmp_path, source, target)
    assert record.passed
    assert "file-extra" in {each.rule for each in record.findings}


def test_a_file_that_no_scanner_understands_blocks(tmp_path: Path) -> None:
    source = save(tmp_path / "s", files={"weights.db": b"SQLite format 3\0\0\0\0\0"})
    record = check(tmp_path, source)
    assert blockers(record) == {"unscanned-file"}
    accepted = check(tmp_path, source, accept=frozenset({"unscanned-file"}))
    assert accepted.passed
    assert any("accepted by the spec" in each.detail for each in accepted.findings)


def test_a_file_that_only_modelscan_understands_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned = Scanned("0.8.8", frozenset({"weights.db"}))
    monkeypatch.setattr(checking.modelscan, "scan", lambda *_arguments, **_options: scanned)
    record = check(tmp_path, save(tmp_path / "s", files={"weights.db": b"SQLite format 3\0\0\0\0\0"}))
    assert record.passed
    assert [each.looked_at_by for each in record.files if each.path == "weights.db"] == [("modelscan",)]


@pytest.mark.parametrize(
    ("scanned", "rule"),
    [
        (Scanned(problem="no index"), "scanner-unavailable"),
        (Scanned("0.8.8", issues=(("model.pkl", "HIGH: x"),)), "scanner-issue"),
    ],
)
def test_without_the_scanner_s_word_or_against_it_nothing_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scanned: Scanned, rule: str
) -> None:
    monkeypatch.setattr(checking.modelscan, "scan", lambda *_arguments, **_options: scanned)
    record = check(tmp_path, save(tmp_path / "s"), accept=frozenset({rule}))
    assert blockers(record) == {rule}


def test_the_scanner_s_report_is_read_by_what_it_lists_as_scanned(tmp_path: Path) -> None:
    report = {
        "summary": {
            "modelscan_version": "0.8.8",
            "scanned": {"scanned_files": ["a.pkl", str(tmp_path / "b.pt:data.pkl")]},
        },
        "issues": [{"source": "a.pkl", "severity": "CRITICAL", "description": "os"}],
        "errors": [{"source": "b.pt"}],
    }
    found = read_report(report, tmp_path)
    assert found.files == {"a.pkl"}
    assert found.issues == (("a.pkl", "CRITICAL: os"),)


def test_an_environment_that_cannot_be_solved_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Solver, "solve", lambda *_arguments, **_options: Solved(problem="no numpy==9"))
    assert blockers(check(tmp_path, save(tmp_path / "s"))) == {"environment-unsolvable"}


@pytest.mark.parametrize("name", ["MLmodel", "requirements.txt", "conda.yaml"])
def test_a_wicked_pickle_under_another_name_is_found(tmp_path: Path, name: str) -> None:
    source = save(tmp_path / "s", files={"inner/" + name: SYSTEM})
    assert "malicious-code" in blockers(check(tmp_path, source))


def test_a_model_that_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps([1]))
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    found = run(fetch_model(place(tmp_path / "model.pkl"), fetched, max_bytes=10_000))
    assert found.url == (tmp_path / "model.pkl").as_uri()
    assert found.names == ("model.pkl",)
    layout = read_layout(fetched, found.names, ("scikit-learn==1.9.1",))
    assert (layout.form, layout.path, layout.requirements) == (
        "pickle",
        "model.pkl",
        ("scikit-learn==1.9.1",),
    )
    other = check(tmp_path, tmp_path / "model.pkl")
    assert other.passed, other.findings


@pytest.mark.parametrize(
    ("files", "error", "code"),
    [
        ({}, NotFoundError, "7520"),
        ({"a": b"1", "b": b"2"}, SpecError, "7510"),
        ({"MLmodel": b"- 1\n"}, SpecError, "7511"),
        ({"MLmodel": b"a: [\n"}, SpecError, "7511"),
        ({"MLmodel": b"flavors: {}\n"}, SpecError, "7511"),
        ({"MLmodel": b"\xff\xfe"}, SpecError, "7511"),
        ({"MLmodel": b"flavors: {a: {}}\nsignature: {inputs: '['}\n"}, SpecError, "7511"),
    ],
)
def test_what_is_no_model_is_told(
    tmp_path: Path, files: dict[str, bytes], error: type[Exception], code: str
) -> None:
    source = tmp_path / "s"
    source.mkdir()
    for name, content in files.items():
        (source / name).write_bytes(content)
    with pytest.raises(error) as raised:
        check(tmp_path, source)
    assert raised.value.code == code  # type: ignore[attr-defined]


def test_a_model_beyond_its_limit_is_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="7523"):
        check(tmp_path, save(tmp_path / "s"), max_bytes=100)


def test_requirements_are_read_from_conda_where_there_are_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {sklearn: {}}\n")
    (folder / "conda.yaml").write_text(
        "dependencies: ['python=3.10.4', pip, {pip: ['mlflow==3.1', 'x==2']}]\n"
    )
    layout = read_layout(folder, ("MLmodel", "conda.yaml"))
    assert (layout.python, layout.requirements) == ("3.10.4", ("mlflow==3.1", "x==2"))


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        ("net.pt2", b"PK", "exported"),
        ("weights.pth", b"PK", "torch"),
        ("model.safetensors", b"", "safetensors"),
        ("model.ubj", b"{L", "xgboost"),
        ("xgboost-model", b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{", "xgboost"),
        ("model.json", b'{"learner":{"attributes":{}', "xgboost"),
        ("model.json", b'{"weights":[1]}', ""),
        ("model.txt", b"tree\nversion=v4\nnum_class=1\n", "lightgbm"),
        ("model.txt", b"trees are tall\n", ""),
    ],
)
def test_the_form_of_one_file_is_told_by_its_name_or_its_beginning(
    tmp_path: Path, name: str, content: bytes, form: str
) -> None:
    (tmp_path / name).write_bytes(content)
    layout = read_layout(tmp_path, (name,))
    assert (layout.form, layout.path) == (form, name)


def test_weights_that_were_converted_are_no_function_of_python(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: {safetensors: {data: model.safetensors}}\n")
    (tmp_path / "model.safetensors").write_bytes(b"")
    layout = read_layout(tmp_path, ("MLmodel", "model.safetensors"))
    assert (layout.form, layout.path, layout.flavors) == (
        "safetensors",
        "model.safetensors",
        ("safetensors",),
    )


def test_a_model_of_keras_is_checked_and_its_code_is_never_accepted(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    path.write_bytes(archive(sequential(DENSE)))
    pins = ("keras==3.15.1", "tensorflow-cpu==2.21.0")
    record = check(tmp_path, path, requirements=pins)
    assert (record.passed, record.form) == (True, "keras")
    assert [(file.kind, file.looked_at_by) for file in record.files] == [("Keras archive", ("content",))]
    path.write_bytes(archive(sequential(DENSE, layer("Lambda"))))
    record = check(tmp_path, path, requirements=pins, accept=frozenset({"malicious-code"}))
    assert blockers(record) == {"malicious-code"}
