"""Rules on where datasets come from and go to: right platform, no copy into itself, no mixing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from heavylift.locations import Location
from heavylift.spec.model import MigrationSpec
from heavylift.spec.resolve import ResolvedDataset, ResolvedPlace, resolve_datasets
from heavylift.spec.rule import Broken
from heavylift.spec.vocabulary import SCHEMES

_Numbered = tuple[int, ResolvedDataset]


def place_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the datasets' places."""
    datasets = resolve_datasets(spec)
    for index, dataset in enumerate(datasets):
        yield from _scheme_fits(index, "source", dataset.source)
        yield from _scheme_fits(index, "target", dataset.target)
        yield from _not_into_itself(index, dataset)
    yield from _own_platforms_are_reached(spec)
    for (first, one), (second, other) in _overlapping(datasets):
        if not _filtered(one, other):
            yield _overlap(first, one, second)


def _own_platforms_are_reached(spec: MigrationSpec) -> Iterator[Broken]:
    for index, dataset in enumerate(spec.datasets):
        for name, side, place in (
            ("source", spec.source, dataset.source),
            ("target", spec.target, dataset.target),
        ):
            if place.platform not in {None, side.platform} and place.connection is None:
                yield Broken(
                    "2162",
                    ("datasets", index, name),
                    f"the platform {place.platform} and the connection of {side.platform}",
                    "a connection of its own beside a platform of its own",
                )


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


def _overlapping(datasets: Sequence[ResolvedDataset]) -> Iterator[tuple[_Numbered, _Numbered]]:
    """Yield the pairs whose targets lie in one another; in the file's order within a pair."""
    # Sorted by path, whatever lies inside a place follows it directly, so a stack of the
    # places around the current one finds every pair without comparing all with all.
    ordered = sorted(enumerate(datasets), key=lambda item: _sort_key(item[1].target))
    around: list[_Numbered] = []
    for item in ordered:
        while around and not _inside(item[1].target, around[-1][1].target):
            around.pop()
        for outer in around:
            yield min(outer, item, key=_number), max(outer, item, key=_number)
        around.append(item)


def _overlap(first: int, one: ResolvedDataset, second: int) -> Broken:
    return Broken(
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
    return _store(one) == _store(other)


def _store(place: ResolvedPlace) -> tuple[str, str]:
    # A local path is the same file whatever connection names it; two S3 connections may well be
    # two servers that have a bucket of the same name.
    scheme = place.location.scheme
    return scheme, "" if scheme == "file" else place.connection


def _sort_key(place: ResolvedPlace) -> tuple[str, str, str]:
    return *_store(place), _path(place.location)


def _inside(inner: ResolvedPlace, outer: ResolvedPlace) -> bool:
    return _same_store(inner, outer) and _within(inner.location, outer.location)


def _number(item: _Numbered) -> int:
    return item[0]


def _within(inner: Location, outer: Location) -> bool:
    return _path(inner).startswith(_path(outer))


def _path(location: Location) -> str:
    return f"{location.container.rstrip('/')}/{location.prefix}"
