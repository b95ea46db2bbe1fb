"""What real terraform says of what is generated, and what it does with it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from heavylift.errors import ConflictError, HeavyliftError, IncompleteError, SpecError
from heavylift.infra.folder import read, write
from heavylift.infra.generate import generate
from heavylift.infra.scanning import scan
from heavylift.infra.terraform import find_terraform
from sandbox.terraform.rig import checkov
from tests.integration.infra.conftest import CANARY, Placing, named
from tests.support.infra_samples import HOSTILE, PAIRS, everything, sampled, wanted
from tests.support.longer import first_then_long

CYCLES = [("aws", "gcp"), ("gcp", "azure"), ("azure", "aws")]
FEW = ("object storage", "relational", "network", "subnet")


def test_what_is_written_is_as_terraform_formats_it(tmp_path: Path) -> None:
    for target in ("aws", "gcp", "azure"):
        demand = wanted("aws", target, [*everything(), *sampled("aws")])
        write(generate(demand), demand, tmp_path / target, approved=True)
    done = find_terraform().run(tmp_path, "fmt", "-check", "-recursive")
    assert (done.status, done.stdout) == (0, "")


@pytest.mark.long
def test_providers_that_each_command_starts_itself(at: Placing) -> None:
    made = at(wanted("aws", "gcp", named(sampled("aws"), "object storage")), started=False)
    for name in made.infra.folders:
        assert made.root(name).validate() == ()


@pytest.mark.parametrize(("source", "target"), first_then_long(PAIRS))
def test_everything_is_valid_for_the_providers_real_schemas(source: str, target: str, at: Placing) -> None:
    things = [*everything(), *sampled(source)]
    hostile = [
        type(each)(f"{HOSTILE}{each.id}", HOSTILE, each.capability, HOSTILE, 3) for each in everything()[:12]
    ]
    made = at(wanted(source, target, [*things, *hostile]))
    for name in made.infra.folders:
        assert made.root(name).validate() == (), name


def test_what_is_wrong_is_found(at: Placing) -> None:
    made = at(wanted("aws", "gcp", named(sampled("aws"), "object storage")))
    bad = 'resource "google_storage_bucket" "more" {\n  name = "x"\n  locaton = "EU"\n}\n'
    (made.infra.folder / "wave-1" / "more.tf").write_text(bad)
    problems = made.root("wave-1").validate()
    assert any("Missing required argument" in each for each in problems)
    assert any('Did you mean "location"' in each for each in problems)


@pytest.mark.long
@pytest.mark.parametrize(("source", "target"), CYCLES)
def test_applied_once_found_to_drift_and_destroyed_without_rest(
    source: str, target: str, at: Placing
) -> None:
    made = at(wanted(source, target, named([*sampled(source), *everything()], *FEW)))
    made.applied("foundation")
    planned = made.planned("wave-1")
    assert planned.counts == {"create": len(planned.changes)}
    with pytest.raises(ConflictError, match="HL-7911"):
        made.root("wave-1").apply("0" * 64)
    assert made.planned("wave-1").digest == planned.digest
    done = made.root("wave-1").apply(planned.digest)
    assert (done.proved, done.kept) == (True, len(planned.changes))
    before = made.rig.objects()
    assert made.planned("wave-1").empty
    assert made.root("wave-1").drift().empty
    lost = next(each.type for each in planned.changes)
    made.rig.lose(lost)
    drifted = made.root("wave-1").drift()
    assert [each.type for each in drifted.drifted] == [lost]
    assert drifted.count("create") >= 1
    made.applied("wave-1")
    assert made.rig.objects() == before
    for name in ("wave-2", "wave-1", "foundation"):
        if name in made.infra.folders:
            made.root(name).prepare()
            if made.root(name).resources():
                made.applied(name, destroy=True)
    assert made.rig.objects() == []
    assert not CANARY.in_files([made.infra.folder])


@pytest.mark.long
def test_a_quota_midway_leaves_a_state_that_goes_on(at: Placing) -> None:
    made = at(wanted("aws", "gcp", named(sampled("aws"), *FEW)))
    made.applied("foundation")
    quota = "Error 403: quota exceeded for instances"
    made.rig.set(fail={"google_sql_database_instance": quota})
    first = made.planned("wave-1")
    with pytest.raises(IncompleteError, match="HL-7916") as caught:
        made.root("wave-1").apply(first.digest)
    assert quota in caught.value.got
    kept = len(made.root("wave-1").resources())
    assert kept == len(first.changes) - 1
    assert f"{kept} resources were made" in caught.value.state
    made.rig.set(fail={})
    # The old plan no longer fits, whoever approved it.
    with pytest.raises(ConflictError, match="HL-7915"):
        made.root("wave-1").apply(first.digest)
    again = made.planned("wave-1")
    assert [each.type for each in again.changes] == ["google_sql_database_instance"]
    assert made.root("wave-1").apply(again.digest).kept == kept + 1


def test_what_must_not_be_applied_is_not(at: Placing) -> None:
    demand = wanted("aws", "gcp", named(sampled("aws"), "object storage"))
    made = at(demand, approved=False)
    digest = made.planned("foundation").digest
    with pytest.raises(ConflictError, match="HL-7914"):
        made.root("foundation").apply(digest)
    with pytest.raises(SpecError, match="HL-7913"):
        made.planned("wave-1")
    (made.infra.folder / "values.json").write_text("{}")
    with pytest.raises(SpecError, match=r"HL-7908") as caught:
        made.planned("foundation")
    assert "project_number" in caught.value.got
    assert made.rig.objects() == []
    # A file that a person has changed is not written over; another's plan changes nothing else.
    main = made.infra.folder / "foundation" / "main.tf"
    main.write_text(main.read_text() + "# mine\n")
    with pytest.raises(ConflictError, match="HL-7909"):
        write(generate(demand), demand, made.infra.folder, approved=True)
    assert not read(made.infra.folder).approved


def wait_for(holds: object, seconds: float = 60.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.long
def test_no_check_of_checkov_fails_that_the_files_do_not_explain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEAVYLIFT_CHECKOV", str(checkov()))
    for target in ("aws", "gcp", "azure"):
        demand = wanted("aws", target, [*everything(), *sampled("aws")])
        write(generate(demand), demand, tmp_path / target, approved=True)
    bad = 'resource "google_storage_bucket" "open" {\n  name = "x"\n  location = "EU"\n}\n'
    (tmp_path / "open.tf").write_text(bad)
    found = scan(tmp_path)
    assert {each.resource for each in found.failed} == {"google_storage_bucket.open"}
    assert found.passed > 500


def test_no_terraform_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVYLIFT_TERRAFORM", "/nowhere/terraform")
    with pytest.raises(HeavyliftError, match="HL-7902"):
        find_terraform()
