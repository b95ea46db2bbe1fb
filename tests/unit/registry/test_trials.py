"""Runs as trials and components: names, limits, what fits, which points go, all without a server."""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import Any

import pytest

from heavylift.platforms.aws.stated_limits import Stated, stated_limits
from heavylift.registry.catalogues.marks import COUNT
from heavylift.registry.catalogues.trials import naming
from heavylift.registry.catalogues.trials.limits import rule_of, trial_limits
from heavylift.registry.catalogues.trials.points import Due, lost_in, mark_of, shown
from heavylift.registry.catalogues.trials.shapes import (
    TAGS,
    component_fields,
    component_leaves,
    experiment_leaves,
    leaves_there,
    parameter,
    removals,
)
from heavylift.registry.catalogues.trials.source import Families


def run(**info: Any) -> dict[str, Any]:
    """Return a run as a server tells it."""
    data = {name: info.pop(name) for name in ("tags", "params", "metrics") if name in info}
    pairs = {name: [{"key": k, "value": v} for k, v in given.items()] for name, given in data.items()}
    return {"info": {"run_id": "ab12", "run_name": "plain", "status": "FINISHED", **info}, "data": pairs}


def fitted(told: dict[str, Any]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return the leaves of a run, and which of its parts are lost and why."""
    lost: list[tuple[str, str]] = []
    leaves = component_leaves(
        told, str, lambda _, item, reason: lost.append((item, reason)), last_values=False
    )
    return leaves, lost


@pytest.mark.parametrize("own", ["0" * 32, "ab12", "Ünlucky RUN", "A" * 300, "x/../y", ""])
def test_names_of_runs_are_taken_by_every_service_and_differ_by_move(own: str) -> None:
    one, other = naming.run_name("m/models", own), naming.run_name("m/other", own)
    for name in (one, other):
        assert not trial_limits().component.wrong(name)
        assert not trial_limits().name.wrong(name)
    assert one != other
    assert (naming.is_of("m/models", one), naming.is_of("m/models", other)) == (True, False)
    assert naming.run_name("m/models", own.upper() + "x") != one


@pytest.mark.parametrize("name", ["plain-1", "Ein Name", "x" * 121, "---", "é", "a--b-", "-a"])
def test_names_of_experiments_are_kept_or_tell_of_the_true_one(name: str) -> None:
    found = naming.experiment_name(name, "7", "m/models")
    assert not trial_limits().name.wrong(found)
    assert (found == name) is (name == "plain-1")
    assert naming.unique_name(name, "7", "m") != naming.unique_name(name, "8", "m")
    assert not trial_limits().display.wrong(naming.display_name(name))


def test_limits_are_those_of_the_model_and_a_pattern_that_is_not_known_is_no_limit_that_is_guessed() -> None:
    told = stated_limits("sagemaker", ["CreateTrialComponent/Parameters/{}", "CreateTrial/Tags/[]/Key"])
    assert told["CreateTrialComponent/Parameters/{}"].most == 320
    assert told["CreateTrial/Tags/[]/Key"].fewest == 1
    limits = trial_limits()
    assert (limits.pairs.most, limits.params, limits.points, limits.text.longest) == (50, 300, 10, 2500)
    with pytest.raises(KeyError):
        stated_limits("sagemaker", ["CreateTrial/NoSuchField"])
    with pytest.raises(ValueError, match="pattern"):
        rule_of(Stated(10, 0, r"\p{L}+x"))
    for text in ("a\nb", "a\rb", "a\u2028b"):
        assert limits.text.wrong(text), "a dot takes no end of a line there"


@pytest.mark.parametrize(
    ("text", "number"),
    [("0.1", 0.1), ("1e-05", 1e-05), ("-0.0", -0.0), ("0.30000000000000004", 0.1 + 0.2), ("10.0", 10.0)],
)
def test_a_parameter_is_a_number_where_it_reads_as_the_same_text_again(text: str, number: float) -> None:
    assert parameter(text) == {"NumberValue": number}


@pytest.mark.parametrize(
    "text", ["10", "0.10", "1e5", "nan", "inf", "-inf", " 1.0", "1_0.0", "", "true", "٣.٠"]
)
def test_a_parameter_that_would_lose_a_character_is_a_text(text: str) -> None:
    assert parameter(text) == {"StringValue": text}


def test_what_is_written_reads_as_what_was_meant() -> None:
    told = run(
        start_time=1_700_000_000_125,
        end_time=1_700_000_001_999,
        run_name="Ein Lauf",
        artifact_uri="s3://bucket/1/",
        params={"rate": "0.1", "note": "0.10", "empty": ""},
        tags={"owner": "ann", "mlflow.source.git.commit": "abc", "heavylift.source.id": "x"},
    )
    leaves, lost = fitted(told)
    assert lost == []
    fields = component_fields(leaves, made=True)
    assert fields["MetadataProperties"] == {"CommitId": "abc"}
    tags = {key.removeprefix(TAGS): value for key, value in leaves.items() if key.startswith(TAGS)}
    described = {"TrialComponentName": "run-ab12", **fields}
    assert leaves_there(described, tags | {"heavylift.source.digest": "~x"}) == leaves
    assert tags["heavylift.earlier.source.id"] == "x"
    assert removals(["params/a", "tags/b", "outputs/c"]) == {
        "ParametersToRemove": ["a"],
        "OutputArtifactsToRemove": ["c"],
    }


def test_structure_goes_first_then_the_users_tags_and_what_is_over_is_lost_whole() -> None:
    tags = {f"user{number:02}": "x" for number in range(60)}
    leaves, lost = fitted(run(run_name="a b", tags={**tags, "mlflow.parentRunId": "p", "mlflow.user": "u"}))
    kept = [key.removeprefix(TAGS) for key in leaves if key.startswith(TAGS)]
    assert len(kept) == trial_limits().pairs.most - COUNT
    assert kept[:2] == ["mlflow.parentRunId", "mlflow.runName"]
    assert {item for item, _ in lost} == {
        "tag mlflow.user",
        *(f"tag user{number}" for number in range(43, 60)),
    }


def test_an_experiments_note_is_its_description_where_it_fits_and_else_a_tag_or_lost() -> None:
    def of(note: str) -> tuple[dict[str, str], list[str]]:
        lost: list[str] = []
        thing = {"name": "e", "tags": [{"key": "mlflow.note.content", "value": note}]}
        return experiment_leaves(thing, "e", str, lambda _, item, __: lost.append(item)), lost

    assert of("x" * 3072) == ({"description": "x" * 3072}, [])
    assert of("x" * 3073) == ({}, ["tag mlflow.note.content"])
    assert of("two\nlines") == ({}, ["tag mlflow.note.content"])


def test_families_have_one_root_whoever_asks_and_a_circle_too() -> None:
    parents = {"b": "a", "c": "b", "x": "y", "y": "z", "z": "x", "w": "x", "lost": "gone", "self": "self"}
    families = Families(set("abcwxyz") | {"lost", "self"}, parents)
    roots = {each: families.root(each) for each in families.ids}
    assert roots == {
        **dict.fromkeys("abc", "a"),
        **dict.fromkeys("wxyz", "x"),
        "lost": "lost",
        "self": "self",
    }
    assert [each for each in sorted(families.ids) if families.is_deep(each)] == ["c", "y"]


def test_points_that_can_be_there_are_the_last_finite_ones_of_each_step() -> None:
    now = time.time()
    moment = int(now) * 1000
    due = Due()
    due.take([("0.5", moment, 0), ("nan", moment, 1), ("inf", moment, 2), ("1.0", moment, -1)])
    due.take([("2.0", moment + 1, 0), ("9.0", moment - 1, 0), ("3.0", moment, 2**31), ("-0.0", 0, 7)])
    assert due.points == {0: (2.0, moment + 1), 7: (0.0, 0)}
    assert math.copysign(1, due.points[7][0]) == 1
    assert due.losses(now) == Counter(v=2, s=2, m=2, t=1)


def test_a_mark_tells_what_was_shown_and_what_was_lost() -> None:
    metrics = [{"key": "loss", "value": 0.5, "timestamp": 1, "step": 2}]
    digest = shown(metrics, last_values=False)
    assert digest == shown([dict(reversed(metrics[0].items()))], last_values=False)
    others = [
        shown([{**metrics[0], field: 3}], last_values=False) for field in ("value", "timestamp", "step")
    ]
    assert len({digest, shown(metrics, last_values=True), *others}) == 5
    mark = mark_of(digest, Counter(v=2, t=10, s=0))
    assert (mark, lost_in(mark)) == (f"{digest}:t10:v2", Counter(t=10, v=2))
    assert lost_in("") == lost_in("x:?5:vy:v") == Counter()
    assert not trial_limits().pairs.refused("heavylift.source.points", mark)
