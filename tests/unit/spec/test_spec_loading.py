"""Files and directories of specs, digests and suites."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from heavylift.spec import (
    SpecFileError,
    load_files,
    load_spec,
    load_specs,
    migrations_dir,
    spec_digest,
)
from heavylift.spec.load import specs_in
from tests.unit.spec.samples import MINIMAL, changed, load, minimal, problems_of, with_dataset, write

EXPECTATION = {"type": "expect_column_to_exist", "kwargs": {"column": "id"}}


def named(name: str) -> str:
    return MINIMAL.replace("fraud-scoring", name)


def test_one_bad_file_harms_no_other(tmp_path: Path) -> None:
    write(tmp_path, named("one"), "one.yaml")
    write(tmp_path, named("two") + "nonsense: 1\n", "two.yaml")
    write(tmp_path, "[", "three.yml")
    (tmp_path / "four.yaml").write_bytes(b"\xff")
    write(tmp_path, named("five"), "five.yml")
    found = load_specs(tmp_path)
    assert [loaded.spec.migration for loaded in found.valid] == ["five", "one"]
    assert [loaded.path.name for loaded in found.valid] == ["five.yml", "one.yaml"]
    assert sorted(Path(error.file).name for error in found.broken) == ["four.yaml", "three.yml", "two.yaml"]


def test_only_visible_yaml_files_directly_in_the_directory_are_specs(tmp_path: Path) -> None:
    write(tmp_path, named("one"), "one.yaml")
    write(tmp_path, "[", ".hidden.yaml")
    write(tmp_path, "[", "README.md")
    write(tmp_path, "[", "one.yaml.bak")
    (tmp_path / "folder.yaml").mkdir()
    write(tmp_path / "folder.yaml", "[", "inner.yaml")
    found = load_specs(tmp_path)
    assert len(found.valid) == 1
    assert found.broken == ()


def test_of_two_files_with_one_migration_the_first_by_name_counts(tmp_path: Path) -> None:
    write(tmp_path, named("same"), "b.yaml")
    write(tmp_path, named("same"), "a.yaml")
    found = load_specs(tmp_path)
    assert [loaded.path.name for loaded in found.valid] == ["a.yaml"]
    [error] = found.broken
    assert error.code == "2160"
    assert Path(error.file).name == "b.yaml"
    assert f"line 2, column 12, migration: got the name 'same', which {tmp_path / 'a.yaml'} has" in str(error)


def test_a_broken_first_file_leaves_its_name_to_the_second(tmp_path: Path) -> None:
    write(tmp_path, named("same") + "nonsense: 1\n", "a.yaml")
    write(tmp_path, named("same"), "b.yaml")
    assert [loaded.path.name for loaded in load_specs(tmp_path).valid] == ["b.yaml"]


def test_a_missing_directory_is_one_broken_entry_and_an_empty_one_none(tmp_path: Path) -> None:
    [error] = load_specs(tmp_path / "nowhere").broken
    assert error.code == "2161"
    assert "HEAVYLIFT_MIGRATIONS" in str(error)
    assert load_specs(tmp_path).broken == ()


@pytest.mark.parametrize("kind", ["missing", "directory", "pipe", "name"])
def test_what_is_no_file_is_told_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "spec.yaml"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "name":
        path = Path(f"{path}\0")
    with pytest.raises(SpecFileError) as caught:
        load_spec(path)
    assert caught.value.code == "2101"


def test_a_link_to_a_spec_is_followed_as_mounted_ones_are(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    write(tmp_path / "..data", named("mounted"), "spec.yaml")
    (tmp_path / "spec.yaml").symlink_to(tmp_path / "..data" / "spec.yaml")
    assert [loaded.spec.migration for loaded in load_specs(tmp_path).valid] == ["mounted"]


def test_the_directory_comes_from_the_environment_or_lies_beside_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, repository: Path
) -> None:
    monkeypatch.delenv("HEAVYLIFT_MIGRATIONS", raising=False)
    assert migrations_dir() == repository / "include" / "migrations"
    monkeypatch.setenv("HEAVYLIFT_MIGRATIONS", str(tmp_path))
    assert migrations_dir() == tmp_path


def test_directories_are_replaced_by_their_specs_and_each_file_comes_once(tmp_path: Path) -> None:
    one, two = write(tmp_path, named("one"), "one.yaml"), write(tmp_path, named("two"), "two.yaml")
    assert specs_in([two, tmp_path, tmp_path / "." / "one.yaml"]) == (two, one)
    assert specs_in([tmp_path / "missing.yaml"]) == (tmp_path / "missing.yaml",)
    assert len(load_files(specs_in([tmp_path, one])).valid) == 2


def test_the_digest_knows_what_a_spec_says_and_nothing_else(tmp_path: Path) -> None:
    digest = spec_digest(load(tmp_path, MINIMAL))
    same = "# a comment\n" + MINIMAL.replace("owner: payments-ml\n", "") + "owner: payments-ml\n"
    assert spec_digest(load(tmp_path, same)) == digest
    assert spec_digest(load(tmp_path, with_dataset(on_conflict="fail", verify="full"))) == digest
    assert spec_digest(load(tmp_path, with_dataset(on_conflict="skip"))) != digest
    assert spec_digest(load(tmp_path, changed(owner="else"))) != digest
    assert len(digest) == 64


def test_the_digest_stays_what_it_was_so_that_approvals_outlive_an_upgrade(tmp_path: Path) -> None:
    digest = spec_digest(load(tmp_path, MINIMAL))
    assert digest == "e33673eae74bf5d427e602198bc845f320a4555d047edc97ac4e869646e07423"


def with_suite_file(name: str) -> str:
    table = {"name": "rows", "format": "parquet", "path": "*.parquet", "suite_file": name}
    return with_dataset(expectations=[table])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.yaml", yaml.safe_dump([EXPECTATION])),
        ("rows.json", '[{"type": "expect_column_to_exist", "kwargs": {"column": "id"}}]'),
        (
            "saved.json",
            '{"name": "s", "id": "1", "meta": {}, "expectations": [{"type": "expect_column_to_exist",'
            ' "id": "2", "meta": {}, "severity": "critical", "kwargs": {"column": "id"}}]}',
        ),
    ],
)
def test_a_suite_may_lie_in_a_file_of_its_own(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / "suites").mkdir()
    write(tmp_path / "suites", content, name)
    spec = load(tmp_path, with_suite_file(f"suites/{name}"))
    [expectation] = spec.datasets[0].expectations[0].suite
    assert expectation.type == "expect_column_to_exist"
    assert expectation.kwargs == {"column": "id"}


def test_the_digest_follows_the_suites_content(tmp_path: Path) -> None:
    write(tmp_path, yaml.safe_dump([EXPECTATION]), "rows.yml")
    before = spec_digest(load(tmp_path, with_suite_file("rows.yml")))
    write(tmp_path, yaml.safe_dump([EXPECTATION, EXPECTATION]), "rows.yml")
    assert spec_digest(load(tmp_path, with_suite_file("rows.yml"))) != before


def test_what_is_wrong_in_a_suite_is_told_with_the_suites_file_and_line(tmp_path: Path) -> None:
    suite = write(
        tmp_path, "- type: expect_column_to_exist\n  kwargs: {}\n- type: expect_colum\n", "rows.yml"
    )
    [problem] = problems_of(tmp_path, with_suite_file("rows.yml"))
    assert (problem.code, problem.mark.file, problem.mark.line) == ("2134", str(suite), 3)
    assert problem.field == "datasets[0].expectations[0].suite[1].type"
    with pytest.raises(SpecFileError, match=r"rows\.yml, line 3, column 9"):
        load(tmp_path, with_suite_file("rows.yml"))


@pytest.mark.parametrize(
    ("name", "content", "code", "said"),
    [
        ("missing.yml", None, "2116", "no such file"),
        ("../rows.yml", "[]", "2116", "a file outside the spec's directory"),
        ("/etc/hostname", None, "2116", "a file outside the spec's directory"),
        ("rows.yml", "just: words", "2116", "a list of expectations"),
        ("rows.yml", "[", "2105", "well-formed YAML"),
        ("rows.yml", "- {type: expect_column_to_exist, kwarg: {}}", "2120", "perhaps kwargs is meant"),
    ],
)
def test_a_suite_that_cannot_be_used_is_told(
    tmp_path: Path, name: str, content: str | None, code: str, said: str
) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    if content is not None:
        write(folder, content, name)
    [problem] = problems_of(folder, with_suite_file(name))
    assert problem.code == code
    assert said in problem.render()


def test_a_suite_behind_a_link_out_of_the_directory_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "rows.yml").symlink_to(write(tmp_path, "[]", "outside.yml"))
    [problem] = problems_of(folder, with_suite_file("rows.yml"))
    assert "outside the spec's directory" in problem.render()


def test_a_suite_comes_from_one_place(tmp_path: Path) -> None:
    write(tmp_path, yaml.safe_dump([EXPECTATION]), "rows.yml")
    data = minimal()
    table = {
        "name": "rows",
        "format": "csv",
        "path": "*.csv",
        "suite": [EXPECTATION],
        "suite_file": "rows.yml",
    }
    data["datasets"][0]["expectations"] = [table]
    [problem] = problems_of(tmp_path, yaml.safe_dump(data))
    assert "both suite and suite_file" in problem.render()
