"""How servers are seen between which things have gone the other way before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from heavylift.registry.interface.merging import note, noted, united
from heavylift.registry.rest.returning import Marks
from heavylift.registry.rest.tags import seen, tags_of

HOME, AWAY = "home-1", "away-1"
MARKS = {"heavylift.source.id": HOME, "heavylift.source.registry": "m/r", **note({"a": "b"})}


def pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def things(own: str, tags: dict[str, str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return one thing of each kind, as servers tell them, with the field that it comes in."""
    name, _, number = own.partition("-")
    return {
        "experiment": ("experiments", {"experiment_id": own, "name": "one", "tags": pairs(tags)}),
        "run": ("runs", {"info": {"run_id": own, "run_name": "n"}, "data": {"tags": pairs(tags)}}),
        "logged model": ("models", {"info": {"model_id": own, "tags": pairs(tags)}, "data": {}}),
        "trace": ("traces", {"trace_id": own, "tags": tags}),
        "registered model": ("registered_models", {"name": own, "tags": pairs(tags)}),
        "evaluation dataset": ("datasets", {"dataset_id": own, "tags": json.dumps(tags)}),
        "model version": ("model_versions", {"name": name, "version": number, "tags": pairs(tags)}),
    }


@pytest.fixture
def marks() -> Marks:
    """Return the marks of a way back."""
    return Marks("m/r.back", "m/r", united)


@pytest.mark.parametrize("kind", list(things("", {})))
def test_a_copy_is_seen_without_its_marks_and_its_origin_with_them(marks: Marks, kind: str) -> None:
    given = dict(MARKS)
    if kind == "model version":
        given["heavylift.source.id"] = "home/1"
    field, copy = things(AWAY, {"a": "b", **given})[kind]
    _, origin = things(HOME, {"a": "b", "heavylift.source.noted": "-"})[kind]
    assert marks.take(kind, copy)
    (bare,) = seen({field: [copy]}, marks.of_source)[field]
    assert tags_of(bare) == {"a": "b"}
    (shown,) = seen({field: [origin], "next_page_token": "x"}, marks.of_target)[field]
    tags = tags_of(shown)
    assert (tags["heavylift.source.registry"], tags["a"]) == ("m/r.back", "b")
    assert tags["heavylift.source.id"] == ("away/1" if kind == "model version" else AWAY)
    both = noted(tags)
    assert both is not None
    assert both.has("a", "b")


def test_what_is_no_thing_of_ours_stays_as_it_is(marks: Marks) -> None:
    _, copy = things(AWAY, MARKS)["run"]
    marks.take("run", copy)
    answer = {
        "model": "gpt", "models": ["a", {"b": 1}], "traces": [{"request_id": "1", "tags": []}],
        "run": {"status": "x"}, "dataset": None, "other": [copy],
    }  # fmt: skip
    assert seen(answer, marks.of_source) == answer
    assert seen(answer, marks.of_target) == answer


def test_a_conversions_tags_go_along(marks: Marks) -> None:
    converted = {"heavylift.converted.digest": "abc", "heavylift.source.noted": "-"}
    _, version = things("model-7", converted)["model version"]
    assert not marks.take("model version", version)
    (shown,) = seen({"model_versions": [version]}, marks.of_source)["model_versions"]
    assert tags_of(shown) == {"heavylift.converted.digest": "abc"}


def test_a_copy_without_a_note_was_not_finished_and_is_not_seen(marks: Marks) -> None:
    unfinished = {key: value for key, value in MARKS.items() if not key.endswith("noted")}
    _, copy = things(AWAY, unfinished)["run"]
    assert not marks.take("run", copy)
    assert seen({"runs": [copy]}, marks.of_source) == {"runs": []}
    _, origin = things(HOME, {"a": "b"})["run"]
    assert seen({"runs": [origin]}, marks.of_target) == {"runs": [origin]}


def test_what_another_move_or_a_duplicate_says_is_not_believed(marks: Marks) -> None:
    for more in ({"heavylift.source.registry": "other/r"}, {"heavylift.duplicate": "true"}):
        _, copy = things(AWAY, {**MARKS, **more})["run"]
        assert not marks.take("run", copy)
    assert marks.copies == {}


def test_a_version_that_held_a_number_has_no_origin(marks: Marks) -> None:
    for origin in ("heavylift.source.placeholder", "home/2"):
        _, copy = things(AWAY, {**MARKS, "heavylift.source.id": origin})["model version"]
        assert not marks.take("model version", copy)


def test_an_unfinished_thing_does_not_become_finished_by_the_other_sides_note(marks: Marks) -> None:
    _, ours = things(AWAY, note({"x": "y"}))["run"]
    marks.take("run", ours)
    made = {"heavylift.source.id": AWAY, "heavylift.source.registry": "m/r.back"}
    _, there = things(HOME, made)["run"]
    (shown,) = seen({"runs": [there]}, marks.of_target)["runs"]
    assert noted(tags_of(shown)) is None
