"""Rules on datasets that are written to on both sides, or have several targets."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.spec.model import MigrationSpec
from heavylift.spec.problems import FieldPath
from heavylift.spec.rule import Broken
from heavylift.spec.vocabulary import Deletes, Via


def two_way_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what does not go together with ``two_way``, or with ``replicas``."""
    for index, dataset in enumerate(spec.datasets):
        if spec.decommission is not None and (dataset.two_way or dataset.replicas):
            yield Broken(
                "9713",
                ("datasets", index, "two_way" if dataset.two_way else "replicas"),
                "a source that is kept in step with its targets, and is to be given up",
                "no section decommission, or neither two_way nor replicas",
                "take out two_way and replicas once the last sync has passed; then give the source up",
            )
        if dataset.two_way is None:
            continue
        path: FieldPath = ("datasets", index)
        if dataset.deletes is not Deletes.QUARANTINE:
            yield Broken(
                "9710",
                (*path, "deletes"),
                f"deletes: {dataset.deletes.value} beside two_way",
                "deletes: quarantine",
                "what goes from one side is put aside on the other",
            )
        if dataset.filters_by_size or dataset.filters_by_age:
            yield Broken(
                "9711",
                (*path, "two_way"),
                "two_way of a dataset that is filtered by size or age",
                "neither min_size, max_size, modified_since nor modified_before",
                "choose the objects by include and exclude",
            )
        if dataset.via is not Via.HEAVYLIFT:
            yield Broken(
                "9712",
                (*path, "two_way"),
                f"two_way of a dataset that goes by {dataset.via.value}",
                "Heavylift's own workers, which alone can judge both sides",
                "take via out",
            )
