"""What a store tells of a container as a whole: settings that do not move with its objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class ContainerTrait:
    """One setting of a container that a person should know before a move.

    :param rule: a short fixed name, such as ``versioning``.
    """

    rule: str
    detail: str
    remedy: str


@runtime_checkable
class DescribesContainer(Protocol):
    """A store that can tell of its container's settings, by a few calls that change nothing."""

    async def describe_container(self) -> list[ContainerTrait]:
        """Return what is set and does not move; what may not be asked is said to be unknown."""
        ...


def versioned() -> ContainerTrait:
    """Return the trait of a container that keeps older versions."""
    return ContainerTrait(
        "versioning",
        "the container keeps older versions; only the current version of each object moves",
        "keep the source until its older versions are not needed, or copy them by the vendor's own tool",
    )


RETENTION = "retention"
"""The rule of what may not be changed or deleted on the source, and may on the target."""
RETENTION_REMEDY = "set retention on the target after the move, before anything relies on it"


def locked(detail: str) -> ContainerTrait:
    """Return the trait of a container whose objects may not be changed or deleted."""
    return ContainerTrait(
        RETENTION, f"{detail}; retention periods and legal holds of objects do not move", RETENTION_REMEDY
    )


def encrypted(detail: str) -> ContainerTrait:
    """Return the trait of a container with keys of its owner's."""
    return ContainerTrait(
        "encryption",
        f"{detail}; on the target objects are encrypted as its own default says",
        "set the target's default key before the move",
    )


def shared(detail: str) -> ContainerTrait:
    """Return the trait of a container that others may read or write by lists of its own."""
    return ContainerTrait("acl", f"{detail}; access lists do not move", "grant access on the target anew")


def unknown(setting: str, why: str) -> ContainerTrait:
    """Return the trait of a setting that could not be read."""
    return ContainerTrait(
        f"{setting}-unknown",
        f"whether the source has {setting} could not be read ({why})",
        "allow the identity to read the setting, or look it up by hand",
    )
