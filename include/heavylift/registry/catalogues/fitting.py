"""What of a description a registry holds, and what is lost: pure, and known before anything moves."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from heavylift.evidence.registry_records import RegistryKept, RegistryLoss
from heavylift.registry.catalogues import marks
from heavylift.registry.catalogues.capabilities import Capabilities, Holder
from heavylift.registry.catalogues.description import Model
from heavylift.registry.catalogues.leaves import Leaves, leaves_of
from heavylift.registry.uris import UriMap

_URIS = ("containers/*/artifact", "reports/*/uri", "inference/sample")
_USERS, _ALIASES = "metadata/", "aliases/"
_IMAGE = "containers/0/image"
_EXAMPLES = 5
What = Literal["registered model", "model version"]


@dataclass(frozen=True)
class Lost:
    """One field of one thing that the target cannot hold."""

    what: What
    path: str
    reason: str
    id: str


@dataclass(frozen=True)
class Fitted:
    """One thing as the target can hold it.

    :param native: leaves that have a place of their own there.
    :param pairs: the user's pairs, and the fields that are kept as such.
    :param leaves: what reading it there should yield.
    :param kept: paths that are kept as pairs.
    :param unmapped: URIs of artifacts that no prefix covers, or that the target does not take.
    :param lacks_image: the target demands an image that it can pull, and there is none.
    """

    id: str
    native: Leaves
    pairs: Leaves
    leaves: Leaves
    kept: tuple[str, ...] = ()
    lost: tuple[Lost, ...] = ()
    unmapped: tuple[str, ...] = ()
    lacks_image: bool = False


@dataclass(frozen=True)
class FittedModel:
    """A model and its versions as the target can hold them.

    :param versions: by the source's number, in order.
    """

    name: str
    target_name: str
    itself: Fitted
    versions: Mapping[str, Fitted]
    lost: tuple[Lost, ...] = ()

    @property
    def all_lost(self) -> tuple[Lost, ...]:
        """Everything that is lost of it."""
        parts = (self.itself, *self.versions.values())
        return self.lost + tuple(lost for part in parts for lost in part.lost)


def is_uri(path: str) -> bool:
    """Tell whether a leaf is a URI of something that moves with the model."""
    return any(fnmatchcase(path, pattern) for pattern in _URIS)


def losses(
    models: Iterable[Model], target: Capabilities, uris: UriMap | None = None
) -> tuple[RegistryLoss, ...]:
    """Return what is lost when models go to a registry, each sort of it once, with counts and examples."""
    return told(lost for model in models for lost in fit(model, target, uris or UriMap()).all_lost)


def fit(model: Model, target: Capabilities, uris: UriMap) -> FittedModel:
    """Return a model as a registry can hold it, and what is lost of it."""
    lost: list[Lost] = []
    if not model.versions and not target.empty_models:
        lost.append(Lost("registered model", "itself", "it has no versions", model.name))
    versions: dict[str, Fitted] = {}
    for position, version in enumerate(model.versions, 1):
        name = f"{model.name}/{version.number}"
        versions[version.number] = _fit(
            "model version", name, leaves_of(version), target, target.version, uris
        )
        given = target.numbers == "given" and str(position) != version.number
        if given or target.number.wrong(version.number):
            reason = "numbers are given anew there; the source's stands in a mark"
            lost.append(Lost("model version", "number", reason, name))
    return FittedModel(
        model.name,
        name_there(model.name, target),
        _fit("registered model", model.name, _model_leaves(model, lost), target, target.model, uris),
        versions,
        tuple(lost),
    )


def _model_leaves(model: Model, lost: list[Lost]) -> Leaves:
    """Return a model's leaves without aliases of versions that are not there: they would name another one."""
    numbers = {each.number for each in model.versions}
    leaves = leaves_of(model)
    for path in [
        each for each, value in leaves.items() if each.startswith(_ALIASES) and value not in numbers
    ]:
        lost.append(Lost("registered model", path, "its version is not there", model.name))
        del leaves[path]
    return leaves


def name_there(name: str, target: Capabilities) -> str:
    """Return a model's name on the target: its own where that is taken, else one that tells of it."""
    if not target.name.wrong(name):
        return name
    cleaned = re.sub(f"[^{target.name_characters}]+", "-", _lowered(name, target)).strip("-_") or "model"
    end = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
    start = cleaned[: target.name_longest - len(end) - 1].rstrip("-_")
    return f"{start}-{end}"


def _lowered(name: str, target: Capabilities) -> str:
    return name if "A-Z" in target.name_characters else name.lower()


@dataclass
class _Fitting:
    what: What
    id: str
    holder: Holder
    reserved: int
    native: Leaves = field(default_factory=dict)
    pairs: Leaves = field(default_factory=dict)
    leaves: Leaves = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)

    def lose(self, path: str, reason: str) -> None:
        self.lost.append(Lost(self.what, path, reason, self.id))

    def is_full(self) -> bool:
        pairs = self.holder.pairs
        return pairs is None or (bool(pairs.most) and len(self.pairs) + self.reserved >= pairs.most)

    def put(self, path: str, value: str) -> None:
        if path.startswith(_USERS):
            self.put_users(path, value)
            return
        wrong = self.holder.wrong(path, value)
        if not wrong:
            self.native[path] = self.leaves[path] = value
            return
        pairs = self.holder.pairs
        if pairs is None:
            self.lose(path, wrong)
        elif bad := pairs.refused(pairs.kept_key(path), value):
            self.lose(path, f"{wrong}, and as a tag {bad}")
        elif self.is_full():
            self.lose(path, f"{wrong}, and at most {pairs.most} tags")
        else:
            self.pairs[pairs.kept_key(path)] = self.leaves[path] = value
            self.kept.append(path)

    def put_users(self, path: str, value: str) -> None:
        pairs, key = self.holder.pairs, path.removeprefix(_USERS)
        if pairs is None:
            self.lose(path, "no place for it there")
        elif bad := pairs.wrong(key, value):
            self.lose(path, bad)
        elif self.is_full():
            self.lose(path, f"at most {pairs.most} tags there")
        else:
            self.pairs[key] = self.leaves[path] = value


def _fit(what: What, name: str, leaves: Leaves, target: Capabilities, holder: Holder, uris: UriMap) -> Fitted:
    fitting = _Fitting(what, name, holder, marks.COUNT)
    unmapped, unpulled = [], False
    for path in sorted(leaves, key=_importance):
        value = leaves[path]
        if is_uri(path):
            if not uris.covers(value) or (holder.has_place(path) and not target.takes(uris.of(value))):
                unmapped.append(value)
            value = uris.of(value)
        fitting.put(path, value)
    if what == "model version" and target.needs_image and _IMAGE not in fitting.native:
        if target.default_image:
            fitting.native[_IMAGE] = fitting.leaves[_IMAGE] = target.default_image
        else:
            unpulled = True
    return Fitted(
        name,
        fitting.native,
        fitting.pairs,
        fitting.leaves,
        tuple(fitting.kept),
        tuple(fitting.lost),
        tuple(unmapped),
        unpulled,
    )


_ORDER = ("metadata/", "approval", "stage", "containers/", "inference/", "metrics/", "reports/", "lineage/")


def _importance(path: str) -> tuple[int, str]:
    """Where pairs are few, the user's own go first, and when a thing was made last."""
    rank = next((number for number, start in enumerate(_ORDER) if path.startswith(start)), len(_ORDER))
    return rank + (path.startswith("made/")), path


def told(lost: Iterable[Lost]) -> tuple[RegistryLoss, ...]:
    """Return what is lost, each sort of it once."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for each in lost:
        groups.setdefault((each.what, general(each.path), each.reason), []).append(each.id)
    return tuple(
        RegistryLoss(what=what, item=item, reason=reason, count=len(ids), examples=tuple(ids[:_EXAMPLES]))
        for (what, item, reason), ids in groups.items()
    )


def kept_of(models: Iterable[FittedModel]) -> tuple[RegistryKept, ...]:
    """Return which fields are kept as tags only."""
    models = list(models)
    parts = {
        "registered model": [each.itself for each in models],
        "model version": [version for each in models for version in each.versions.values()],
    }
    found = []
    for what, things in parts.items():
        paths = sorted({general(path) for thing in things for path in thing.kept})
        if paths:
            found.append(RegistryKept(what=what, fields=tuple(paths)))
    return tuple(found)


def general(path: str) -> str:
    """Return a path without what is particular to one thing: ``containers/*/image``."""
    parts = path.split("/")
    if parts[0] == "containers":
        return "/".join(["containers", "*", *parts[2:3]])
    return path
