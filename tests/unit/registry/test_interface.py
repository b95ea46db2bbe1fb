"""What a move through the interface decides without a server: merges, notes, names and translations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from heavylift.connections import Connection
from heavylift.errors import NotFoundError, ServerUnavailableError, UnsupportedError
from heavylift.registry.interface import server
from heavylift.registry.interface.artifacts import Artifacts, Place, owner_of, root_of, route_for
from heavylift.registry.interface.merging import Policy, note, noted, pairs
from heavylift.registry.interface.names import Provenance, is_ours, to_target
from heavylift.registry.rest.artifacts import Owner
from heavylift.registry.rest.translating import SourceView, TargetView
from heavylift.registry.uris import uri_map

if TYPE_CHECKING:
    from heavylift.registry.interface.context import Context

KEEP, PROPAGATE = Policy(), Policy(propagate=True)
WRITTEN = noted(note({"a": "1", "b": "2", "c": "3"}))


def test_a_note_tells_what_was_written() -> None:
    assert WRITTEN is not None
    assert WRITTEN.has("a", "1")
    assert not WRITTEN.has("a", "2")
    assert not WRITTEN.has("d", "1")
    assert noted({}) is None
    empty = noted(note({}))
    assert empty is not None
    assert not empty.has("a", "1")


def test_a_long_note_goes_over_several_tags() -> None:
    fields = {f"key {number}": "x" for number in range(2000)}
    tags = note(fields)
    assert len(tags) > 1
    assert all(len(value) <= 4800 and is_ours(key) for key, value in tags.items())
    read = noted(tags)
    assert read is not None
    assert all(read.has(key, value) for key, value in fields.items())


def test_a_note_that_somebody_has_spoilt_makes_nothing_ours() -> None:
    (key,) = note({"a": "1"})
    found = noted({key: "%%%"})
    assert found is not None
    assert not found.has("a", "1")


def test_what_changed_on_the_source_follows() -> None:
    merge = KEEP.merge({"a": "new", "b": "2", "d": "4"}, {"a": "1", "b": "2", "c": "3"}, WRITTEN)
    assert (merge.put, merge.delete, merge.kept, merge.conflicts) == ({"a": "new", "d": "4"}, [], ["c"], [])
    assert PROPAGATE.merge({}, {"c": "3"}, WRITTEN).delete == ["c"]


def test_what_others_changed_on_the_target_stays() -> None:
    theirs = {"a": "theirs", "b": "2", "c": "theirs too", "e": "theirs"}
    merge = PROPAGATE.merge({"a": "1", "b": "2"}, theirs, WRITTEN)
    assert (merge.put, merge.delete, merge.conflicts) == ({}, [], ["a"])
    forced = Policy(propagate=True, overwrite=True).merge({"a": "1", "b": "2"}, theirs, WRITTEN)
    assert (forced.put, forced.delete) == ({"a": "1"}, [])


def test_all_of_a_thing_that_was_not_finished_is_ours() -> None:
    merge = PROPAGATE.merge({"a": "1"}, {"a": "half", "z": "x"}, None)
    assert (merge.put, merge.delete) == ({"a": "1"}, ["z"])


def test_between_two_requests_both_values_are_ours() -> None:
    until_then = noted(note({"status": "FINISHED"}, pairs({"status": "RUNNING"})))
    for now in ("RUNNING", "FINISHED"):
        assert not KEEP.merge({"status": "FAILED"}, {"status": now}, until_then).conflicts


@pytest.mark.parametrize("key", ["team", "heavylift.source.id", "heavylift.earlier.source.id", "heavylift.x"])
def test_tags_of_an_earlier_move_are_not_taken_for_this_one(key: str) -> None:
    assert not is_ours(to_target(key))
    registry = Provenance("m/r")
    ours = registry.tags("1")
    raw: dict[str, Any] = {"trace_id": "tr-1", "tags": {key: "v"}}
    arrived = {"trace_id": "tr-1", "tags": {to_target(key): "v", **registry.tags("tr-1")}}
    assert registry.source_id({**ours, to_target(key): "v"}) == "1"
    view = SourceView()
    assert TargetView("m/r", view, uri_map([])).thing("trace", arrived) == view.thing("trace", raw)


def test_a_target_is_seen_in_the_sources_terms() -> None:
    source = SourceView()
    target = TargetView("m/r", source, uri_map([("gs://new", "s3://old")]))
    target.origins = {("run", "9"): "1", ("run", "8"): "2", ("logged model", "m-9"): "m-1"}
    target.places = {"mlflow-artifacts:/7/9/artifacts": "s3://old/5/1/artifacts"}
    dataset = {"name": "d", "source": json.dumps({"uri": "s3://old/d"})}
    run = {
        "info": {
            "run_id": "1",
            "run_uuid": "1",
            "experiment_id": "5",
            "artifact_uri": "s3://old/5/1/artifacts",
        },
        "data": {"tags": [{"key": "mlflow.parentRunId", "value": "2"}], "metrics": [{"key": "a", "step": 1}]},
        "inputs": {"dataset_inputs": [{"dataset": dataset}], "model_inputs": [{"model_id": "m-1"}]},
    }
    tags = {
        "heavylift.source.id": "1",
        "heavylift.source.registry": "m/r",
        "mlflow.parentRunId": "8",
        "heavylift.source.artifact_uri": "s3://old/5/1/artifacts",
    }
    arrived = {
        "info": {
            "run_id": "9",
            "run_uuid": "9",
            "experiment_id": "7",
            "artifact_uri": "mlflow-artifacts:/7/9/a",
        },
        "data": {
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
            "metrics": run["data"]["metrics"],
        },
        "inputs": {
            "dataset_inputs": [{"dataset": {**dataset, "source": json.dumps({"uri": "gs://new/d"})}}],
            "model_inputs": [{"model_id": "m-9"}],
        },
    }
    assert target.thing("run", arrived) == source.thing("run", run)
    version = {"name": "n", "version": "3", "source": "s3://old/5/1/artifacts/model", "run_id": "1"}
    tags = {"heavylift.source.id": "n/3", "heavylift.source.registry": "m/r"}
    there = {
        **version,
        "source": "mlflow-artifacts:/7/9/artifacts/model",
        "run_id": "9",
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }
    shown = target.thing("model version", there)
    assert shown == ("n/3", {**version, "tags": {}})
    # What others made is one too many within what came from the source, and theirs anywhere else.
    extra = target.thing("run", run)
    assert extra is not None
    assert (extra[0], extra[1]["origin"]) == ("1", "untold")
    assert target.thing("model version", version) is None
    target.origins["registered model", "n"] = "old n"
    extra = target.thing("model version", version)
    assert extra is not None
    assert extra[0] == "old n/3"
    assert target.thing("experiment", {"experiment_id": "5", "name": "theirs"}) is None


@pytest.mark.parametrize(
    ("source", "target", "by_stores"),
    [
        ("s3://a/7/r/artifacts", "gs://b/1/x/artifacts", True),
        ("s3://a/7/r/artifacts", "", True),
        ("s3://a/7/r/artifacts", "mlflow-artifacts:/1/x/artifacts", False),
        ("file:///mlruns/7/r/artifacts", "s3://b/1/x/artifacts", False),
    ],
)
def test_which_artifacts_go_from_store_to_store(source: str, target: str, by_stores: bool) -> None:
    place = Place(Owner("run", "r"), Owner("run", "x"), source, target, fresh=True)
    stores = Connection("a", "aws"), Connection("b", "google_cloud_platform")
    assert Artifacts(cast("Context", None), *stores).by_stores(place) is by_stores
    assert not Artifacts(cast("Context", None)).by_stores(place)


def test_an_object_belongs_to_the_run_or_model_above_it() -> None:
    place = Place(Owner("run", "r"), Owner("run", "x"), "s3://a/7/r/artifacts", "", fresh=True)
    assert owner_of("7/r/artifacts/model/MLmodel", {"7/r/artifacts": place}) == ("model/MLmodel", place)
    # A folder's mark stays one, and is no file of its name.
    assert owner_of("7/r/artifacts/model/", {"7/r/artifacts": place}) == ("model/", place)
    for nobody in ("7/r/artifacts", "7/r/artifacts/"):
        assert owner_of(nobody, {"7/r/artifacts": place}) is None
    assert owner_of("7/traces/t/artifacts/x", {"7/r/artifacts": place}) is None
    assert root_of("s3://a/7/models/m-1/artifacts") == root_of("s3://a/7/r/artifacts") == "s3://a/7"
    for by_hand in ("s3://a/x", "s3://a/team/final", "s3://a", "s3://artifacts"):
        assert root_of(by_hand) == by_hand
    assert root_of("s3://a/artifacts") == "s3://a/artifacts"
    assert root_of("s3://a/r/artifacts") == "s3://a"


def test_what_a_target_has_no_route_for_is_refused() -> None:
    model = Place(Owner("logged model", "m"), Owner("logged model", "n"), "s3://a/x", "s3://b/y", fresh=True)
    with pytest.raises(UnsupportedError, match="name the object stores"):
        route_for(model, "MLmodel", 5)
    run = Place(Owner("run", "r"), Owner("run", "x"), "s3://a/x", "s3://b/y", fresh=True)
    assert route_for(run, "f", 5)[1] == {"run_uuid": "x", "path": "f"}
    with pytest.raises(UnsupportedError):
        route_for(run, "f", 11 * 2**20)


class Answers(server.WritingServer):
    """Answers requests as it is told, one after the other."""

    def __init__(self, *errors: Exception | None) -> None:
        super().__init__(Connection("m", "http", host="http://127.0.0.1:9"), 1)
        self.errors = list(errors)

    async def _once(self, request: Any) -> dict[str, Any]:
        error = self.errors.pop(0)
        if error is not None:
            raise error
        return {}


async def test_an_end_whose_answer_was_lost_counts_when_it_is_refused_the_second_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_BASE_SECONDS", 0.0)
    lost, refused = ServerUnavailableError("w", got="a reset"), NotFoundError("w", got="HTTP 404")
    answers = Answers(lost, refused)
    await answers.turn("experiments/delete", {"experiment_id": "1"})
    assert answers.errors == []
    with pytest.raises(NotFoundError):
        await Answers(refused).turn("experiments/delete", {"experiment_id": "1"})
