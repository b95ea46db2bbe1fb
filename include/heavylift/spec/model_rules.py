"""Rules on models: two places to compare, versions where the URLs want them, where converted ones go."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.locations import is_registered, parse_location
from heavylift.spec.model import MigrationSpec
from heavylift.spec.problems import FieldPath
from heavylift.spec.rule import Broken
from heavylift.spec.sections_models import VERSION_MARK, Model
from heavylift.spec.vocabulary import SCHEMES, Check, Phase

MODEL_CHECKS = frozenset({Check.MODELS_COMPATIBLE, Check.MODELS_AGREE})


def model_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the models of ``spec``."""
    for index, model in enumerate(spec.models):
        path: FieldPath = ("models", index)
        yield from _converted(model, path)
        yield from _both_sides(model, path)
        yield from _registered(model, path)
        yield from _versions(model, path)
        yield from _measured(model, path)
        yield from _platforms(spec, model, path)
    yield from _gates(spec)


def _converted(model: Model, path: FieldPath) -> Iterator[Broken]:
    if bool(model.convert_to) != (model.converted is not None):
        yield Broken(
            "7813",
            (*path, "converted" if model.convert_to else "convert_to"),
            "convert_to without converted" if model.convert_to else "converted without convert_to",
            "both: which form, and where it goes",
        )
    if model.convert_to and model.source is None and (model.registry is None or model.source_endpoint):
        yield Broken(
            "7814", (*path, "convert_to"), "a conversion of an endpoint", "source: the model's own files"
        )
    place = model.converted
    if place is not None and is_registered(place.url) and place.connection is None:
        yield Broken(
            "7815",
            (*path, "converted", "connection"),
            f"{place.url} without a connection",
            "the connection of the registry that it goes to",
        )


def _both_sides(model: Model, path: FieldPath) -> Iterator[Broken]:
    for side, other in (("source", "target"), ("target", "source")):
        there = getattr(model, side) is not None
        endpoint = getattr(model, f"{side}_endpoint") is not None
        if there and endpoint:
            yield Broken(
                "7592", (*path, f"{side}_endpoint"), f"both {side} and {side}_endpoint", "one of the two"
            )
        elif not there and not endpoint and model.registry is None:
            yield Broken(
                "7593",
                (*path, "name"),
                f"a model without {side}",
                f"{side} or {side}_endpoint beside {other}, or registry",
            )
    if model.source_endpoint is not None and model.source_endpoint == model.target_endpoint:
        yield Broken(
            "7594",
            (*path, "target_endpoint"),
            f"the source's own connection {model.target_endpoint!r}",
            "the connection of another server",
        )
    if (
        (model.source_endpoint or model.target_endpoint)
        and model.golden_inputs is None
        and model.source is None
    ):
        yield Broken(
            "7595",
            (*path, "golden_inputs"),
            "no golden inputs for an endpoint",
            "the URL of a file with inputs",
        )


def _registered(model: Model, path: FieldPath) -> Iterator[Broken]:
    if model.registry is None:
        if model.registered_name:
            yield Broken(
                "7590",
                (*path, "registered_name"),
                "a registered name, and no registry",
                "registry: the entry of registries that holds the model",
                "or name both sides themselves: models:/name/{version}, with the registry's connection",
            )
    elif model.source is not None and model.target is not None:
        yield Broken("7805", (*path, "registry"), "registry beside both source and target", "one of the two")
    elif not model.versions:
        yield Broken(
            "7806",
            (*path, "versions"),
            "a registered model without versions",
            "the numbers of the versions that must behave alike",
        )
    for side in ("source", "target"):
        place = getattr(model, side)
        if place is not None and is_registered(place.url) and place.connection is None:
            yield Broken(
                "7807",
                (*path, side, "connection"),
                f"{place.url} without a connection",
                "the connection of the registry that holds it",
            )


def _versions(model: Model, path: FieldPath) -> Iterator[Broken]:
    if model.registry is not None:
        sides = [model.source, model.target]
        if not any(place and VERSION_MARK in place.url for place in sides):
            return
    for side in ("source", "target"):
        place = getattr(model, side)
        if place is None:
            continue
        if bool(model.versions) != (VERSION_MARK in place.url):
            yield Broken(
                "7596",
                (*path, side, "url"),
                f"{place.url} with {len(model.versions)} versions",
                f"{VERSION_MARK} in the URL where versions are listed, and nowhere else",
            )


def _measured(model: Model, path: FieldPath) -> Iterator[Broken]:
    if model.metrics and model.label is None:
        yield Broken(
            "7597", (*path, "metrics"), "metrics without a label", "label: the column with the truth"
        )
    if (model.label or model.slices or model.drop or model.golden_suite) and model.golden_inputs is None:
        yield Broken(
            "7595",
            (*path, "golden_inputs"),
            "columns or a suite of golden inputs that are not named",
            "golden_inputs",
        )


def _platforms(spec: MigrationSpec, model: Model, path: FieldPath) -> Iterator[Broken]:
    for name, side in (("source", spec.source), ("target", spec.target)):
        place = getattr(model, name)
        if place is None or is_registered(place.url):
            continue
        platform, scheme = place.platform or side.platform, parse_location(place.url).scheme
        if scheme not in SCHEMES[platform]:
            yield Broken(
                "7598",
                (*path, name, "url"),
                f"{scheme}:// for the {name} platform {platform.value}",
                " or ".join(f"{each}://" for each in SCHEMES[platform]),
                "where this model alone lies elsewhere, give its place its own platform and connection",
            )


def _gates(spec: MigrationSpec) -> Iterator[Broken]:
    for index, gate in enumerate(spec.gates):
        for position, check in enumerate(gate.checks):
            if check in MODEL_CHECKS and (gate.phase is not Phase.REVALIDATE or not spec.models):
                yield Broken(
                    "7599",
                    ("gates", index, "checks", position),
                    f"the check {check.value!r}, which would check nothing",
                    "a gate of the phase revalidate, and an entry of models",
                )
