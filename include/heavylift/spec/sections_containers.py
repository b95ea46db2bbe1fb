"""The section for container images: which move, what they are called, and what is never overwritten."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from heavylift.spec.base import ConnectionId, Pattern, SpecModel, Text
from heavylift.spec.datasets import KIB, TIB
from heavylift.spec.quantities import BytesPerSecond

_REGISTRY = r"^[A-Za-z0-9.\[\]:-]+(/[a-z0-9][a-z0-9._/-]*)?$"


class TagConflict(StrEnum):
    """What is done about a tag that the target has at another digest."""

    FAIL = "fail"
    SKIP = "skip"
    OVERWRITE = "overwrite"


class RepositoryRename(SpecModel):
    """What repositories are called on the target, below its registry's path."""

    strip_prefix: Text = Field(default="", description="Taken away from the beginning of a name.")
    add_prefix: Text = Field(default="", description="Put before it.")
    names: dict[str, Text] = Field(
        default={}, description="Names chosen by hand: source repository to target repository."
    )


class Containers(SpecModel):
    """Container images that are copied by digest between registries; nothing is repacked or deleted."""

    source: Text = Field(
        pattern=_REGISTRY,
        description="The source's registry, and a path where one is common to all: host[:port][/path].",
    )
    target: Text = Field(pattern=_REGISTRY, description="The target's registry and path, likewise.")
    source_connection: ConnectionId | None = Field(
        default=None, description="Connection of the source's registry; the source's own where null."
    )
    target_connection: ConnectionId | None = Field(
        default=None, description="Connection of the target's registry; the target's own where null."
    )
    repositories: tuple[Pattern, ...] = Field(
        default=(),
        description="Repositories below the source's path, as patterns; * stops at a /, ** does not. Patterns"
        " need a registry that lists its repositories; names do not. All, where neither these nor images nor"
        " manifests are given.",
    )
    exclude: tuple[Pattern, ...] = Field(default=(), description="Repositories that stay.")
    tags: tuple[Pattern, ...] = Field(
        default=("*",), description="Tags of those repositories that move, as patterns."
    )
    exclude_tags: tuple[Pattern, ...] = Field(default=(), description="Tags that stay.")
    images: tuple[Text, ...] = Field(
        default=(), description="Single images: repository[:tag][@sha256:…], with the registry or without."
    )
    manifests: tuple[Text, ...] = Field(
        default=(),
        description="Files or folders of Kubernetes manifests: the source's images that they name move.",
    )
    rename: RepositoryRename = Field(
        default=RepositoryRename(), description="What repositories are called on the target."
    )
    conflict: TagConflict = Field(
        default=TagConflict.FAIL,
        description="A tag that the target has at another digest: fail, skip or overwrite.",
    )
    referrers: bool = Field(
        default=True, description="Signatures, attestations and bills of materials move with their images."
    )
    parallel: int = Field(default=6, ge=1, le=64, description="Blobs on the way at once.")
    max_bandwidth: BytesPerSecond | None = Field(
        default=None, ge=KIB, le=TIB, description="Most bytes a second, over all images of a run."
    )
    chunk_mib: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="0 sends a blob in one request; else in pieces of so many MiB, for registries or proxies"
        " that take no longer requests.",
    )
