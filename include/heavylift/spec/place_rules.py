"""Rules on where datasets come from and go to: right platform, no copy into itself, no mixing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from heavylift.locations import Location
from heavylift.spec.model import MigrationSpec
from heavylift.spec.resolve import ResolvedDataset, ResolvedPlace, resolve_datasets
from heavylift.spec.rule import Broken
from heavylift.spec.vocabulary import Platform

SCHEMES: dict[Platform, tuple[str, ...]] = {
    Platform.AWS: ("s3", "file"),
    Platform.GCP: ("gs", "file"),
    Platform.AZURE: ("az", "file"),
    Platform.KUBERNETES: ("file", "s3"),
}
"""Platform → URL schemes of its stores; ``file`` is a mounted volume, on-premises S3 is common."""


def place_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the datasets' places."""
    datasets = resolve_datasets(spec)
    for index, dataset in enumerate(datasets):
        yield from _scheme_fits(index, "source", dataset.source)
        yield from _scheme_fits(index, "target", dataset.target)
        yield from _not_into_itself(index, dataset)
    for (first, one), (second, other) in combinations(enumerate(datasets), 2):
        yield from _targets_apart(first, one, second, other)


def _scheme_fits(index: int, side: str, place: ResolvedPlace) -> Iterator[Broken]:
    allowed = SCHEMES[place.platform]
    if place.location.scheme not in allowed:
        yield Broken(
            "2153",
            ("datasets", index, side, "url"),
            f"{place.location.scheme}:// for the {side} platform {place.platform.value}",
            " or ".join(f"{scheme}://" for scheme in allowed),
            f"where this dataset alone has its {side} elsewhere, give it its own platform and connection",
        )


def _not_into_itself(index: int, dataset: ResolvedDataset) -> Iterator[Broken]:
    path = ("datasets", index, "target", "url")
    source, target = dataset.source, dataset.target
    if not _same_store(source, target):
        return
    if source.location == target.location:
        yield Broken("2151", path, "the place that the source is", "another place than the source")
    elif _within(source.location, target.location) or _within(target.location, source.location):
        yield Broken(
            "2152",
            path,
            f"{target.url} for the source {source.url}",
            "places of which none lies inside the other",
            "a copy into its own source never ends",
        )


def _targets_apart(first: int, one: ResolvedDataset, second: int, other: ResolvedDataset) -> Iterator[Broken]:
    if not _same_store(one.target, other.target):
        return
    a, b = one.target.location, other.target.location
    if not (_within(a, b) or _within(b, a)) or _filtered(one, other):
        return
    yield Broken(
        "2158",
        ("datasets", second, "target", "url"),
        f"a target that overlaps with that of datasets[{first}] ({one.name})",
        "targets apart from each other",
        "choose another prefix, or keep the two apart by include and exclude",
    )


def _filtered(one: ResolvedDataset, other: ResolvedDataset) -> bool:
    outer = one if _within(other.target.location, one.target.location) else other
    same = one.target.location == other.target.location
    filters = [bool(dataset.include or dataset.exclude) for dataset in (one, other)]
    return any(filters) if same else bool(outer.include or outer.exclude)


def _same_store(one: ResolvedPlace, other: ResolvedPlace) -> bool:
    # A local path is the same file whatever connection names it; two S3 connections may well be
    # two servers that have a bucket of the same name.
    if one.location.scheme != other.location.scheme:
        return False
    return one.location.scheme == "file" or one.connection == other.connection


def _within(inner: Location, outer: Location) -> bool:
    return _path(inner).startswith(_path(outer))


def _path(location: Location) -> str:
    return f"{location.container.rstrip('/')}/{location.prefix}"
