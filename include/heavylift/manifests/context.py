"""What a subject is given: the object, what the whole set holds, and the only ways to change something."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.facts.accelerators import AcceleratorMap
from heavylift.manifests.mapping import NameMap
from heavylift.manifests.report import Change, Finding, Path, Report, dotted, rename, shown

PROVIDER = {"eks": "aws", "gke": "gcp", "aks": "azure"}
"""The name of a platform in the table of accelerators."""

PLATFORMS = tuple(PROVIDER)

_POD_LISTS = ("containers", "initContainers", "ephemeralContainers")
_STALE = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True)
class Settings:
    """What was asked for.

    :param version: of Kubernetes on the target, as (1, 33).
    """

    source: str
    target: str
    version: tuple[int, int]
    names: NameMap
    accelerators: AcceleratorMap

    def moves(self, platform: str) -> bool:
        """Whether what belongs to ``platform`` is to be translated."""
        return platform != self.target and self.source in {"any", platform}


@dataclass
class Estate:
    """What the whole set of manifests defines, whichever file it stands in."""

    storage_classes: dict[str, str] = field(default_factory=dict)
    """Classes by name, with the family of their storage where the table knows it."""
    accounts: set[tuple[str, str]] = field(default_factory=set)
    """Service accounts (namespace, name) that act as an identity of the target."""


@dataclass
class Subject:
    """One object while it is translated."""

    root: MutableMapping[str, Any]
    prefix: Path
    file: str
    document: int
    settings: Settings
    estate: Estate
    report: Report
    about: set[Path] = field(default_factory=set)
    """Paths that something was said about; the last look for what was left passes over them."""

    @property
    def names(self) -> NameMap:
        """The map file."""
        return self.settings.names

    @property
    def target(self) -> str:
        """The target platform."""
        return self.settings.target

    @property
    def kind(self) -> str:
        """The object's kind."""
        return str(self.root.get("kind", ""))

    @property
    def group(self) -> str:
        """The object's API group; empty for the core."""
        group, slash, _ = str(self.root.get("apiVersion", "")).rpartition("/")
        return group if slash else ""

    @property
    def metadata(self) -> MutableMapping[str, Any]:
        """The object's metadata."""
        found = self.root.get("metadata")
        return found if isinstance(found, MutableMapping) else {}

    @property
    def annotations(self) -> MutableMapping[str, Any]:
        """The object's annotations."""
        found = self.metadata.get("annotations")
        return found if isinstance(found, MutableMapping) else {}

    @property
    def namespace(self) -> str:
        """The object's namespace."""
        return str(self.metadata.get("namespace") or "default")

    @property
    def called(self) -> str:
        """What the report calls it."""
        name = self.metadata.get("name") or self.metadata.get("generateName") or "(no name)"
        return f"{self.kind}/{name}"

    def change(self, path: Path, old: Any, new: Any, reason: str, name: str = "") -> None:
        """Note a change that was made."""
        before, after = (_summary(value, path, name) for value in (old, new))
        self.report.changes.append(
            Change(self.file, self.document, self.called, dotted(self.prefix + path), before, after, reason)
        )

    def set(
        self, mapping: MutableMapping[str, Any], key: str, new: Any, path: Path, reason: str, name: str = ""
    ) -> None:
        """Give a key a value and note it; nothing where it has it already."""
        old = mapping.get(key)
        if old != new:
            mapping[key] = new
            self.change((*path, key), old, new, reason, name)

    def drop(self, mapping: MutableMapping[str, Any], key: str, path: Path, reason: str) -> None:
        """Take a key away and note it."""
        old = mapping.pop(key)
        self.change((*path, key), old, None, reason)

    def rename(
        self, mapping: MutableMapping[str, Any], old: str, new: str, value: Any, path: Path, reason: str
    ) -> None:
        """Put another key in a key's place and note it."""
        was = mapping[old]
        rename(mapping, old, new, value)
        self.change((*path, old), f"{old}: {shown(was, (old,))}", f"{new}: {shown(value, (new,))}", reason)

    def left(self, path: Path, value: Any, subject: str, why: str, remedy: str, name: str = "") -> None:
        """Note something that was left as it is and does not work on the target."""
        self.about.add(path)
        self.report.untranslated.append(self._finding(path, value, subject, why, remedy, name))

    def needs(self, path: Path, value: Any, subject: str, why: str, remedy: str) -> None:
        """Note something that the target must have for the manifest to work."""
        self.about.add(path)
        finding = self._finding(path, value, subject, why, remedy)
        if finding not in self.report.requirements:
            self.report.requirements.append(finding)

    def _finding(
        self, path: Path, value: Any, subject: str, why: str, remedy: str, name: str = ""
    ) -> Finding:
        text = _summary(value, path, name)
        where = dotted(self.prefix + path)
        return Finding(self.file, self.document, self.called, where, text, subject, why, remedy)

    def mappings(self) -> Iterator[tuple[Path, MutableMapping[str, Any]]]:
        """Yield every mapping of the object with its path, outer ones first."""
        yield from _mappings(self.root, ())

    def pods(self) -> Iterator[tuple[Path, MutableMapping[str, Any]]]:
        """Yield what has the shape of a pod's specification, in whatever kind it stands."""
        for path, mapping in self.mappings():
            if any(_containers(mapping, name) for name in _POD_LISTS):
                yield path, mapping

    def containers(self) -> Iterator[tuple[Path, MutableMapping[str, Any]]]:
        """Yield every container, and what has the shape of one, such as KServe's ``model``."""
        for path, mapping in self.mappings():
            of_pod = len(path) > 1 and path[-2] in _POD_LISTS
            if of_pod or isinstance(mapping.get("image"), str) or isinstance(mapping.get("env"), list):
                yield path, mapping

    def strings(self) -> Iterator[tuple[Path, Any, Any, str]]:
        """Yield every text with its path, what holds it and the key or index in there."""
        for path, mapping in self.mappings():
            for key in list(mapping):
                value = mapping[key]
                if isinstance(value, str) and key != _STALE:
                    yield (*path, key), mapping, key, value
                elif isinstance(value, list):
                    yield from _texts(value, (*path, key))


def _texts(values: list[Any], path: Path) -> Iterator[tuple[Path, Any, Any, str]]:
    for index, value in enumerate(values):
        if isinstance(value, str):
            yield (*path, index), values, index, value
        elif isinstance(value, list):
            yield from _texts(value, (*path, index))


def _containers(mapping: MutableMapping[str, Any], name: str) -> bool:
    value = mapping.get(name)
    return isinstance(value, list) and any(isinstance(each, MutableMapping) for each in value)


def _mappings(value: Any, path: Path) -> Iterator[tuple[Path, MutableMapping[str, Any]]]:
    if isinstance(value, MutableMapping):
        yield path, value
        for key in list(value):
            if key in value:
                yield from _mappings(value[key], (*path, key if isinstance(key, (str, int)) else str(key)))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _mappings(each, (*path, index))


def _summary(value: Any, path: Path, name: str) -> str:
    if isinstance(value, (MutableMapping, list)):
        return f"({len(value)} entries)"
    return shown(value, path, name)
