"""The tags by which things on the target tell where they came from; they are the map of ids.

They are written with the thing itself, in the request that makes it, so that a thing that was made by a
run that was killed is found again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

OWN = "heavylift."
PREFIX = f"{OWN}source."
ID = f"{PREFIX}id"
REGISTRY = f"{PREFIX}registry"
VERSION = f"{PREFIX}version"
"""Only where registries are of two kinds: the id is then the model's name alone."""
NOTED = f"{PREFIX}noted"
PLACEHOLDER = f"{PREFIX}placeholder"
REFUSED_SOURCE = f"s3://{PREFIX}refused/none"
"""The source of a version whose own the target's server does not take."""
NAME_GIVEN = f"{PREFIX}run_name"
"""A run's, that has no name on the source: the target's server has given it one."""
NO_NAME = "(none)"
DUPLICATE = f"{OWN}duplicate"
_EARLIER = f"{OWN}earlier."

PARENT_RUN = "mlflow.parentRunId"
RUN_NAME = "mlflow.runName"
MODEL_VERSIONS = "mlflow.modelVersions"


@dataclass(frozen=True)
class Provenance:
    """Where things of one registry come from.

    :param registry: the name under which the move is known, the same in every run.
    """

    registry: str

    def tags(self, source_id: str, facts: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Return the tags of a thing.

        :param facts: what the interface cannot write, by name; what is None is left out.
        """
        found = {ID: source_id, REGISTRY: self.registry}
        for name, value in (facts or {}).items():
            if value not in (None, ""):
                found[PREFIX + name] = str(value)
        return found

    def source_id(self, tags: Mapping[str, str]) -> str | None:
        """Return which thing of the source a thing of the target is; None if it is none of this move's."""
        if tags.get(REGISTRY) != self.registry or DUPLICATE in tags:
            return None
        return tags.get(ID)


def tags_of(pairs: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """Return tags, or parameters, as MLflow lists them as a dictionary."""
    return {str(each["key"]): str(each.get("value", "")) for each in pairs or ()}


def pairs_of(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as MLflow lists them."""
    return [{"key": key, "value": value} for key, value in tags.items()]


def to_target(key: str) -> str:
    """Return under which key a tag of the source stands on the target.

    A source that Heavylift itself filled once has tags of that move; they must not be taken for ours.
    """
    return _EARLIER + key.removeprefix(OWN) if key.startswith(OWN) else key


def is_ours(key: str) -> bool:
    """Tell whether a tag of the target is this move's own and none of the source's."""
    return key.startswith(OWN) and not key.startswith(_EARLIER)
