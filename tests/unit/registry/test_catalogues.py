"""What a description of a model becomes for each registry: pure, at every limit, nothing lost unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import botocore.session
import pytest
import regex
from botocore.validate import ParamValidator

from heavylift.registry.catalogues import azure_ml_shapes, mlflow_rules, sagemaker_rules, vertex_shapes
from heavylift.registry.catalogues.capabilities import Capabilities
from heavylift.registry.catalogues.description import (
    Container,
    Inference,
    Lineage,
    Made,
    Model,
    Report,
    Version,
)
from heavylift.registry.catalogues.fitting import Fitted, fit, losses, name_there
from heavylift.registry.catalogues.leaves import build, digest_of, leaves_of
from heavylift.registry.catalogues.marks import Origin, marks_of, origin_in
from heavylift.registry.catalogues.planning import Planner, State, state_of
from heavylift.registry.catalogues.ports import HeldModel, HeldVersion, held_version
from heavylift.registry.catalogues.sagemaker_shapes import package_of
from heavylift.registry.uris import UriMap

TARGETS = {
    "mlflow": mlflow_rules.CAPABILITIES,
    "sagemaker": sagemaker_rules.CAPABILITIES,
    "vertex": replace(vertex_shapes.CAPABILITIES, default_image="gcr.io/p/adapter"),
    "azure_ml": replace(azure_ml_shapes.CAPABILITIES, roots=("az://models",)),
}
ROOTS = {"mlflow": "s3://new", "sagemaker": "s3://new", "vertex": "gs://new", "azure_ml": "az://models"}

FULL = Version(
    number="7",
    description="two\nlines",
    approval="approved",
    approval_note="by 'ann'; 100 %",
    stage="Production",
    stage_status="ok",
    stage_note="…",
    kind="mlflow",
    containers=(
        Container(
            artifact="s3://old/a/model.tar.gz",
            packing="archive",
            image="1.dkr.ecr.eu-west-1.amazonaws.com/a:1",
            image_digest="sha256:" + "0" * 64,
            hostname="first",
            framework="PYTORCH",
            framework_version="2.1",
            nearest_model="bert",
            model_input='{"a": [1]}',
            environment={"A": "b c", "EMPTY": ""},
        ),
        Container(
            artifact="s3://old/b",
            packing="folder",
            image="gcr.io/p/b",
            command=("run", "--it"),
            arguments=("x",),
            ports=("8080",),
            predict_route="/p",
            health_route="/h",
        ),
    ),
    inference=Inference(
        ("text/csv",),
        ("application/json",),
        ("ml.m5.large",),
        ("ml.m5.xlarge",),
        "s3://old/sample",
        "CV",
        "OTHER",
        "{}",
    ),
    lineage=Lineage("run", "exp", "trial", "job", "c0ffee", "https://git", "p-1", "s3://src", ("d1", "d2")),
    reports={
        "model_quality.statistics": Report("s3://old/q", "application/json", "sha256:" + "1" * 64),
        "own.report": Report("s3://old/own"),
        "schema.instance": Report("s3://old/schema"),
    },
    metrics={"auc": "0.91", "val/loss": "1e-05", "nan": "nan"},
    made=Made("2026-11-01T00:00:00+00:00", "ann", "2026-11-02T00:00:00+00:00"),
    metadata={
        "team": "risk",
        "Ünïcode key 🎉": "x",
        "long": "y" * 5001,
        "empty": "",
        "heavylift.kept.x": "z",
    },
)
HOSTILE = Model(
    "../etc: a/b 'c' \"d\"",
    "d" * 6000,
    aliases={"champion": "7", "latest": "7", "v3": "9", "ein Alias": "9", "old": "2"},
    metadata={f"key {number}": "v" * 300 if number % 7 == 0 else "v" for number in range(60)},
    versions=(FULL, Version("9"), Version("10-beta", metadata={f"k{n}": str(n) for n in range(70)})),
)


def fitted(name: str, model: Model = HOSTILE) -> tuple[Capabilities, list[Fitted]]:
    found = fit(model, TARGETS[name], UriMap((("s3://old", ROOTS[name]),)))
    return TARGETS[name], [found.itself, *found.versions.values()]


def test_leaves_are_the_whole_description() -> None:
    assert build(Version, leaves_of(FULL), number="7") == FULL
    assert build(Model, leaves_of(HOSTILE), name=HOSTILE.name, versions=HOSTILE.versions) == HOSTILE
    assert leaves_of(Version("1")) == {}
    assert digest_of({"a": "1", "b": "2"}) == digest_of({"b": "2", "a": "1"}) != digest_of({"a": "12"})


@pytest.mark.parametrize("name", TARGETS)
def test_every_field_arrives_or_is_kept_or_is_listed(name: str) -> None:
    target, things = fitted(name)
    sources = [leaves_of(HOSTILE), *map(leaves_of, HOSTILE.versions)]
    gone = {each.path for each in fit(HOSTILE, target, UriMap()).lost if each.path.startswith("aliases/")}
    assert gone == {"aliases/old"}
    for source, thing in zip(sources, things, strict=True):
        lost = {each.path for each in thing.lost} | gone
        assert set(thing.leaves) | lost >= set(source)
        assert not lost & set(thing.leaves) - {"containers/0/image"}
        holder = target.model if thing is things[0] else target.version
        for path, value in thing.native.items():
            assert holder.wrong(path, value) == ""
        if holder.pairs is None:
            assert thing.pairs == {}
            continue
        marks = marks_of(Origin("sagemaker", "m/é", HOSTILE.name, "10-beta", "0" * 32), holder.pairs)
        for key, value in {**thing.pairs, **marks}.items():
            assert holder.pairs.refused(key, value) == ""
        most = holder.pairs.most
        assert not most or len({**thing.pairs, **marks}) <= most


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_read_again_is_what_was_promised(name: str) -> None:
    target, things = fitted(name)
    pairs = target.version.pairs
    assert pairs is not None
    for thing in things[1:]:
        marks = marks_of(Origin("x", "m", "n", "1", "d"), pairs)
        native = build(Version, thing.native, number="1")
        held = held_version(replace(native, made=Made("now")), {**thing.pairs, **marks}, pairs)
        assert leaves_of(held.version) == thing.leaves
        assert held.origin == Origin("x", "m", "n", "1", "d")


def test_losses_are_told_by_sort_with_counts() -> None:
    told = {(each.what, each.item): each for each in losses([HOSTILE], TARGETS["sagemaker"])}
    assert told["model version", "number"].count == 3
    assert told["model version", "description"].reason.startswith("only texts of one line")
    assert told["model version", "metadata/long"].reason == "a value of at most 256 characters there"
    assert told["model version", "metadata/heavylift.kept.x"].reason == "a key that is reserved there"
    assert told["registered model", "description"].examples == (HOSTILE.name,)
    plain = Model("plain", versions=(Version("1"), Version("2")))
    assert losses([plain], TARGETS["sagemaker"]) == losses([plain], TARGETS["mlflow"]) == ()
    empty = Model("empty")
    assert [each.item for each in losses([empty], TARGETS["vertex"])] == ["itself"]
    gap = Model("gap", versions=(Version("1"), Version("3")))
    assert [each.count for each in losses([gap], TARGETS["mlflow"])] == [1]
    assert losses([gap], TARGETS["azure_ml"]) == ()


@pytest.mark.parametrize("name", TARGETS)
def test_names_are_such_as_the_target_takes_and_stay_apart(name: str) -> None:
    target = TARGETS[name]
    names = ["fraud", "Fraud Model", "fraud/model", "fraud:model", "é", "x" * 300, "..", "-a-", "a" * 63]
    found = [name_there(each, target) for each in names]
    assert len(set(found)) == len(names)
    assert [target.name.wrong(each) for each in found] == [""] * len(names)
    assert name_there("fraud", target) == "fraud"


@cache
def shape_of(operation: str) -> Any:
    model = botocore.session.get_session().get_service_model("sagemaker").operation_model(operation)
    return model.input_shape


def wrong_in(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """Yield what the service refuses by its model's lengths, forms and lists; botocore leaves these out."""
    told = shape.metadata
    if shape.type_name == "structure":
        for name, inner in value.items():
            yield from wrong_in(shape.members[name], inner, f"{path}.{name}")
    elif shape.type_name == "list":
        for inner in value:
            yield from wrong_in(shape.member, inner, f"{path}[]")
    elif shape.type_name == "map":
        for key, inner in value.items():
            yield from wrong_in(shape.key, key, f"{path}.key")
            yield from wrong_in(shape.value, inner, f"{path}[{key}]")
    elif shape.type_name == "string":
        # A suffix such as ${1,128} is how the model writes a length within a form.
        form = regex.sub(r"\$\{\d+,\d+\}$", "", told.get("pattern", "")) or r"(?s).*"
        if not regex.fullmatch(form, value) or (shape.enum and value not in shape.enum):
            yield f"{path}: {value!r}"
    size = len(value) if hasattr(value, "__len__") else 0
    if size < told.get("min", 0) or size > told.get("max", size):
        yield f"{path}: {size} of {told}"


def test_requests_to_sagemaker_are_what_its_model_allows() -> None:
    target, things = fitted("sagemaker")
    pairs = target.version.pairs
    assert pairs is not None
    marks = marks_of(Origin("mlflow", "m/é", HOSTILE.name, "10-beta", "0" * 32), pairs)
    for thing in things[1:]:
        request = {
            "ModelPackageGroupName": name_there(HOSTILE.name, target),
            **package_of(build(Version, thing.native, number="1")),
            "CustomerMetadataProperties": {**thing.pairs, **marks},
        }
        shape = shape_of("CreateModelPackage")
        assert ParamValidator().validate(request, shape).generate_report() == ""
        assert list(wrong_in(shape, request)) == []
    tags = [{"Key": key, "Value": value} for key, value in things[0].pairs.items()]
    group = {"ModelPackageGroupName": name_there(HOSTILE.name, target), "Tags": tags}
    assert list(wrong_in(shape_of("CreateModelPackageGroup"), group)) == []
    bad = {"ModelPackageGroupName": "é", "ModelPackageGroupDescription": "a\nb"}
    assert len(list(wrong_in(shape_of("CreateModelPackageGroup"), bad))) == 2


def test_a_full_package_comes_back_from_its_own_shape() -> None:
    from heavylift.registry.catalogues.sagemaker_shapes import version_of

    plain = replace(
        FULL,
        description="one line",
        stage="",
        stage_status="",
        stage_note="",
        kind="",
        metrics={},
        metadata={},
        made=Made(),
        approval_note="",
    )
    plain = replace(
        plain,
        containers=(plain.containers[0], Container("s3://old/b", "folder", "gcr.io/p/b")),
        inference=replace(plain.inference, schema=""),
        lineage=Lineage(job="job", commit="c0ffee", repository="https://git", project="p-1"),
        reports={"model_quality.statistics": plain.reports["model_quality.statistics"]},
    )
    assert version_of({**package_of(plain), "ModelPackageVersion": 7}) == plain


def test_marks_are_ours_by_registry_and_hashes_stand_for_what_is_not_taken() -> None:
    labels = vertex_shapes.LABELS
    marks = marks_of(Origin("sagemaker", "m/r", "Fraud Model", "7", "ab"), labels)
    assert all(labels.refused(key, value) == "" for key, value in marks.items())
    found = origin_in(marks, labels)
    assert found is not None
    assert found.registry.startswith("h-")
    assert (found.version, found.digest) == ("7", "ab")
    assert origin_in({"heavylift-source-id": "x"}, labels) is None


def test_what_others_changed_is_told_from_what_the_source_changed() -> None:
    written = {"approval": "pending"}
    origin = Origin("x", "m", "n", "1", digest_of(written))
    assert state_of(written, written, origin) is State.EQUAL
    assert state_of({"approval": "approved"}, written, origin) is State.BEHIND
    assert state_of(written, {"approval": "rejected"}, origin) is State.OTHERS
    assert state_of(written, {}, replace(origin, digest="~" + digest_of(written))) is State.BEHIND
    assert state_of(written, written, replace(origin, digest="other")) is State.BEHIND
    assert state_of(written, {}, None) is State.OTHERS


def held(model: Model) -> HeldModel:
    return HeldModel(model, {}, None, tuple(HeldVersion(each, {}) for each in model.versions))


def test_a_plan_tells_strangers_and_what_has_gone() -> None:
    target = TARGETS["mlflow"]
    planner = Planner("sagemaker", "m/r", target, UriMap())
    model = Model("fraud", versions=(Version("1"), Version("2")))
    first = planner.plan([held(model)], [])
    assert [each.state for each in first.things()] == [State.MISSING] * 3
    ours = [
        HeldVersion(Version(number), {}, Origin("sagemaker", "m/r", "fraud", source, digest_of({})))
        for number, source in (("1", "1"), ("2", "5"))
    ]
    there = HeldModel(
        Model("fraud"),
        {},
        Origin("sagemaker", "m/r", "fraud", "", digest_of({})),
        (*ours, HeldVersion(Version("3"), {})),
    )
    (plan,) = planner.plan([held(model)], [there]).models
    assert (plan.strangers, plan.gone) == (("3",), ("2",))
    assert [each.state for each in plan.versions] == [State.EQUAL, State.MISSING]
    other = replace(there, origin=replace(there.origin or Origin(), registry="m/other"))
    (taken,) = planner.plan([held(model)], [other]).models
    assert taken.taken
    (mapped,) = replace(planner, map_names=True).plan([held(model)], [other]).models
    assert (mapped.taken, mapped.name.startswith("fraud-")) == (False, True)
    gone = planner.plan([], [there])
    assert (gone.gone, gone.copied) == (("fraud",), True)
