"""The port of a registry of models: read everything, make what is missing, change what is ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from heavylift.registry.catalogues.capabilities import Capabilities, Pairs
from heavylift.registry.catalogues.description import Made, Model, Version
from heavylift.registry.catalogues.leaves import Leaves, build, leaves_of
from heavylift.registry.catalogues.marks import Origin, origin_in

if TYPE_CHECKING:
    from heavylift.registry.catalogues.experiments.moving import Looked
    from heavylift.registry.interface.context import Tally
    from heavylift.registry.interface.server import WritingServer
    from heavylift.registry.settling import Judgement

_ALIASES = "aliases/"


@dataclass(frozen=True)
class HeldVersion:
    """A version as a registry holds it.

    :param version: with the registry's own number; what is kept as pairs stands in its place.
    :param pairs: all of them as they are.
    :param origin: what it is a copy of, if Heavylift made it.
    """

    version: Version
    pairs: Mapping[str, str]
    origin: Origin | None = None


@dataclass(frozen=True)
class HeldModel:
    """A model as a registry holds it, with its versions in order."""

    model: Model
    pairs: Mapping[str, str]
    origin: Origin | None = None
    versions: tuple[HeldVersion, ...] = ()


@dataclass(frozen=True)
class Write:
    """What a thing of the target shall be, and what it is now.

    :param leaves: what has a place of its own.
    :param pairs: all pairs, the marks among them.
    :param leaves_now: empty for a thing that is to be made; so is ``pairs_now``.
    """

    leaves: Leaves
    pairs: Mapping[str, str]
    leaves_now: Leaves = field(default_factory=dict)
    pairs_now: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is to be written."""
        return self.leaves == self.leaves_now and dict(self.pairs) == dict(self.pairs_now)

    @property
    def put_pairs(self) -> dict[str, str]:
        """Pairs to write."""
        return {key: value for key, value in self.pairs.items() if self.pairs_now.get(key) != value}

    @property
    def gone_pairs(self) -> list[str]:
        """Keys to take out."""
        return [key for key in self.pairs_now if key not in self.pairs]

    def changes(self, path: str) -> bool:
        """Tell whether a leaf, or one below a path that ends in a slash, is to be changed."""
        paths = {*self.leaves, *self.leaves_now}
        chosen = [each for each in paths if each == path or (path.endswith("/") and each.startswith(path))]
        return any(self.leaves.get(each) != self.leaves_now.get(each) for each in chosen)


class Catalogue(Protocol):
    """A registry of models."""

    capabilities: Capabilities

    @property
    def server(self) -> WritingServer | None:
        """What passes on files that lie in no object store, where there is such a server."""
        ...

    @property
    def address(self) -> str:
        """Where it is, for people."""
        ...

    async def read(self) -> list[HeldModel]:
        """Return everything that it holds."""
        ...

    async def beside(self) -> Sequence[tuple[str, str, int]]:
        """Return what it has besides registered models: what, why it stays, how many."""
        ...

    async def make_model(self, name: str, write: Write) -> None:
        """Make a model.

        :raises AlreadyExistsError: the name is taken.
        """
        ...

    async def change_model(self, name: str, write: Write) -> None:
        """Change a model of ours."""
        ...

    async def make_version(self, name: str, number: str, write: Write) -> str:
        """Make a version and return its number there; may raise though it was made.

        :param number: the source's, which it gets where numbers are kept.
        """
        ...

    async def change_version(self, name: str, number: str, write: Write) -> None:
        """Change a version of ours."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


class HistoryMove(Protocol):
    """Moves the experiments that one registry keeps beside its models to another one."""

    async def look(self) -> Looked:
        """Go through the whole move and write nothing."""
        ...

    async def is_copied(self) -> bool:
        """Tell whether the target has an experiment of this move."""
        ...

    async def run(self, tally: Tally, *, full: bool) -> int:
        """Make what is missing and bring the rest up to date; return how many requests wrote something.

        :param full: look at what is settled, too.
        """
        ...

    async def prove(self, found: Judgement) -> None:
        """Read both sides afresh and compare them."""
        ...


def held_version(version: Version, pairs: Mapping[str, str], holder: Pairs) -> HeldVersion:
    """Return a version with what its pairs keep put in place."""
    origin = origin_in(pairs, holder)
    own = replace(version, made=Made()) if origin else version
    leaves = leaves_of(replace(own, metadata={})) | _kept(pairs, holder)
    return HeldVersion(build(Version, leaves, number=version.number), pairs, origin)


def held_model(
    model: Model, pairs: Mapping[str, str], holder: Pairs, versions: Sequence[HeldVersion]
) -> HeldModel:
    """Return a model with what its pairs keep put in place; its aliases name its own versions' numbers."""
    origin = origin_in(pairs, holder)
    own = replace(model, made=Made()) if origin else model
    kept = _kept(pairs, holder)
    numbers = {each.origin.version: each.version.number for each in versions if each.origin}
    kept |= {path: numbers.get(value, value) for path, value in kept.items() if path.startswith(_ALIASES)}
    leaves = leaves_of(replace(own, metadata={})) | kept
    whole = build(Model, leaves, name=model.name, versions=tuple(each.version for each in versions))
    return HeldModel(whole, pairs, origin, tuple(versions))


def _kept(pairs: Mapping[str, str], holder: Pairs) -> Leaves:
    found: Leaves = {}
    for key, value in pairs.items():
        if key.startswith(holder.mark):
            continue
        path = holder.path_of(key)
        found[path or f"metadata/{key}"] = value
    return found


def by_number(number: str) -> tuple[int, int, str]:
    """Return what versions are ordered by."""
    return (0, int(number), "") if number.isdigit() else (1, 0, number)
