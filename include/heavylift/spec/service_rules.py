"""Rules on transfer services: which pairs of places each can serve, and what it cannot keep."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.spec.model import MigrationSpec
from heavylift.spec.problems import FieldPath
from heavylift.spec.resolve import ResolvedDataset, resolve_dataset
from heavylift.spec.rule import Broken
from heavylift.spec.sections_datasets import Dataset
from heavylift.spec.vocabulary import Platform, Via

CLOUDS = frozenset({Platform.AWS, Platform.GCP, Platform.AZURE})
PAIRS: dict[Via, tuple[frozenset[Platform], frozenset[Platform]]] = {
    Via.STORAGE_TRANSFER_SERVICE: (CLOUDS, frozenset({Platform.GCP})),
    Via.DATASYNC: (CLOUDS, CLOUDS),
    Via.AZCOPY: (frozenset({Platform.AWS}), frozenset({Platform.AZURE})),
}
"""Service → platforms of its source and of its target that Heavylift drives it for."""

_SCHEMES = {Platform.AWS: "s3", Platform.GCP: "gs", Platform.AZURE: "az"}


def service_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the datasets' transfer services."""
    for index, dataset in enumerate(spec.datasets):
        path = ("datasets", index)
        if dataset.via is Via.HEAVYLIFT:
            if dataset.service is not None:
                yield Broken("2170", (*path, "service"), "settings of a service", "via: a service's name")
            continue
        yield from _serves(dataset, resolve_dataset(spec, dataset), path)
        yield from _keeps_limits(dataset, path)


def _serves(dataset: Dataset, resolved: ResolvedDataset, path: FieldPath) -> Iterator[Broken]:
    via, source, target = dataset.via, resolved.source, resolved.target
    sources, targets = PAIRS[via]
    pair = f"{via.value} from {source.platform.value} to {target.platform.value}"
    in_cloud = all(
        _SCHEMES.get(place.platform) == place.location.scheme for place in (resolved.source, resolved.target)
    )
    right = source.platform in sources and target.platform in targets and in_cloud
    if via is Via.DATASYNC and Platform.AWS not in {source.platform, target.platform}:
        right = False
    if not right:
        yield Broken(
            "2171", (*path, "via"), pair, _served(via), "take via out: Heavylift's workers go everywhere"
        )
        return
    if via is Via.DATASYNC:
        yield from _roles(dataset, resolved, path)


def _served(via: Via) -> str:
    if via is Via.DATASYNC:
        return "a bucket of S3 on one side at least, a bucket of S3, Cloud Storage or Azure Blob on the other"
    sources, targets = PAIRS[via]
    names = [", ".join(sorted(place.value for place in places)) for places in (sources, targets)]
    return f"a source on {names[0]} and a target on {names[1]}"


def _roles(dataset: Dataset, resolved: ResolvedDataset, path: FieldPath) -> Iterator[Broken]:
    for side, place in (("source", resolved.source), ("target", resolved.target)):
        role = getattr(dataset.service, f"{side}_role", None)
        if place.platform is Platform.AWS and not role:
            yield Broken(
                "2172",
                (*path, "service", f"{side}_role"),
                "no role",
                f"the ARN of the IAM role that DataSync assumes for the {side}'s bucket",
            )


def _keeps_limits(dataset: Dataset, path: FieldPath) -> Iterator[Broken]:
    # Neither service has a limit of its rate in the mode that is used; the program has --cap-mbps.
    if dataset.limits.max_bandwidth is not None and dataset.via is not Via.AZCOPY:
        yield Broken(
            "2173",
            (*path, "limits", "max_bandwidth"),
            f"a bandwidth limit for {dataset.via.value}",
            "no limit here: this service cannot be told one",
        )
