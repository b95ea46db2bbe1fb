"""What the spec says of pipelines, permissions and manifests: which files, which gates, which parts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.errors import NotFoundError, SpecError
from heavylift.spec import Phase, SpecFileError, load_spec
from heavylift.spec.beside import MOST_FILES, all_beside, file_beside, files_beside
from heavylift.spec.carried import carried_digest
from heavylift.spec.provision_parts import Part, part_of
from tests.dags.specs import write
from tests.support.handed_over import ACCESS, ALERTS, AUTOSCALING, MANIFESTS, PIPELINES, TRAINING

TOY = PIPELINES[0]
BOTH = {"pipelines": [TOY], "access": ACCESS}


def gate(*checks: str, phase: str = "provision") -> dict[str, Any]:
    return {"name": "own", "phase": phase, "checks": list(checks)}


@pytest.mark.parametrize(
    ("sections", "code"),
    [
        ({"pipelines": [{**TOY, "definition": "../secret.json"}]}, "9101"),
        ({"pipelines": [{**TOY, "definition": "/etc/passwd"}]}, "9101"),
        ({"pipelines": [{**TOY, "map": "a/../../b"}]}, "9101"),
        ({"access": {**ACCESS, "names": "~/names.json"}}, "9101"),
        ({"access": {**ACCESS, "documents": ["s3://bucket/policy.json"]}}, "9101"),
        ({"manifests": {**MANIFESTS, "files": ["a\\..\\b"]}}, "9101"),
        ({"manifests": {**MANIFESTS, "kubernetes_version": "new"}}, "2138"),
        ({"pipelines": [{**TOY, "source_kind": "airflow"}]}, "9102"),
        ({"pipelines": [{**TOY, "target_kind": "step_functions"}]}, "9102"),
        ({"access": {"documents": ["a.json"]}}, "9103"),
        ({"access": {**ACCESS, "roles": "predefined"}}, "9104"),
        ({"access": {**ACCESS, "predefined_roles": "roles.json"}}, "9104"),
        ({"manifests": {**MANIFESTS, "target": "any"}}, "9106"),
        ({"training": [{**TRAINING[0], "definition": "../job.json"}]}, "9101"),
        ({"training": [{**TRAINING[0], "kubernetes_version": "new"}]}, "2138"),
        ({"training": [{**TRAINING[0], "target_kind": "kubernetes"}]}, "9580"),
        ({"training": [{**TRAINING[0], "cluster": "gke"}]}, "9580"),
        ({"training": [{**TRAINING[0], "object_kind": "jobset"}]}, "9580"),
        ({"training": [TRAINING[0], TRAINING[0]]}, "2150"),
        ({"autoscaling": [{**AUTOSCALING[0], "load": "/etc/passwd"}]}, "9101"),
        ({"alerts": [{**ALERTS[0], "documents": ["s3://bucket/alarms.json"]}]}, "9101"),
        ({"gates": [gate("alerts_equal")]}, "9108"),
        ({"training": TRAINING, "alerts": ALERTS, "gates": [gate("alerts_equal", "training_valid")]}, "9109"),
        ({"pipelines": [TOY], "gates": [gate("plan_approved")]}, "9107"),
        ({"pipelines": [TOY], "gates": [gate("pipelines_valid", phase="transfer")]}, "9108"),
        ({"access": ACCESS, "gates": [gate("access_matrix_equal")]}, "9108"),
        ({"gates": [gate("manifests_valid")]}, "9108"),
        (
            {"pipelines": [TOY], "access": ACCESS, "gates": [gate("pipelines_valid", "access_translated")]},
            "9109",
        ),
        (
            {"pipelines": [TOY], "infrastructure": {}, "gates": [gate("pipelines_valid", "infra_planned")]},
            "9109",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(sections: dict[str, Any], code: str, tmp_path: Path) -> None:
    with pytest.raises(SpecFileError) as caught:
        load_spec(write(tmp_path, "some", **sections))
    assert code in {problem.code for problem in caught.value.problems}, str(caught.value)


def test_gates_of_ones_own_take_the_place_of_that_parts_alone(tmp_path: Path) -> None:
    own = gate("pipelines_translated")
    spec = load_spec(write(tmp_path, "some", pipelines=[TOY], access=ACCESS, infrastructure={}, gates=[own]))
    found = {each.name: part_of(each) for each in spec.gates_for(Phase.PROVISION)}
    assert found == {
        "infrastructure-approved": None, "own": Part.PIPELINES, "access-reviewed": Part.ACCESS,
    }  # fmt: skip
    assert spec.parts == (Part.INFRASTRUCTURE, Part.PIPELINES, Part.ACCESS)
    plain = load_spec(write(tmp_path, "plain"))
    assert (plain.parts, plain.gates_for(Phase.PROVISION)) == ((), ())


def test_an_approved_plan_does_not_hold_for_other_manifests(tmp_path: Path) -> None:
    one = load_spec(write(tmp_path, "some", manifests=MANIFESTS))
    same = load_spec(write(tmp_path, "some", manifests={**MANIFESTS, "accept_untranslated": []}))
    other = load_spec(write(tmp_path, "some", manifests={**MANIFESTS, "target": "aks"}))
    assert carried_digest(one) == carried_digest(same) != carried_digest(other)
    for name, section in (("training", TRAINING), ("autoscaling", AUTOSCALING), ("alerts", ALERTS)):
        more = load_spec(write(tmp_path, "some", manifests=MANIFESTS, **{name: section}))
        assert carried_digest(more) != carried_digest(one)


def test_the_example_of_the_docs_is_one(tmp_path: Path, repository: Path) -> None:
    page = (repository / "docs" / "reference" / "provision-parts.md").read_text()
    [text] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    spec = load_spec(write(tmp_path, "some", **yaml.safe_load(text)))
    assert spec.parts == (
        Part.PIPELINES,
        Part.ACCESS,
        Part.TARGET_ACCESS,
        Part.MANIFESTS,
        Part.TRAINING,
        Part.AUTOSCALING,
        Part.ALERTS,
    )


def test_files_are_found_below_the_specs_folder_and_nowhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    spec = write(folder, "some")
    (tmp_path / "outside.json").write_text("{}")
    (folder / "a").mkdir()
    for name in ("two.json", "one.json"):
        (folder / "a" / name).write_text("{}")
    assert [path.name for path in files_beside(spec, "a/*.json")] == ["one.json", "two.json"]
    assert [path.name for path in all_beside(spec, ["a/*.json", "a/one.json"])] == ["one.json", "two.json"]
    assert file_beside(spec, None) is None
    assert file_beside(spec, "a/one.json") == folder / "a" / "one.json"
    for name, code in (("a", "9113"), ("a/*", "9113")):
        with pytest.raises(SpecError, match=code):
            file_beside(spec, name)
    (folder / "a" / "out.json").symlink_to(tmp_path / "outside.json")
    with pytest.raises(SpecError, match="HL-9110"):
        files_beside(spec, "a/*.json")
    with pytest.raises(NotFoundError, match="HL-9111"):
        files_beside(spec, "b/*")


def test_a_pattern_that_meets_a_whole_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = write(tmp_path, "some")
    monkeypatch.setattr("heavylift.spec.beside.glob.glob", lambda *_a, **_k: ["some.yaml"] * (MOST_FILES + 1))
    with pytest.raises(SpecError, match="HL-9112"):
        files_beside(spec, "**/*")
