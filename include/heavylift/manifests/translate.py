"""Translate a set of manifests; writes nothing."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from heavylift.errors import HeavyliftError
from heavylift.manifests.context import Estate, Settings, Subject
from heavylift.manifests.edges import translate_edges
from heavylift.manifests.identity import acts_on_target, translate_identity
from heavylift.manifests.images import translate_images
from heavylift.manifests.leftovers import list_leftovers
from heavylift.manifests.nodes import translate_nodes
from heavylift.manifests.reading import Chunk, Unreadable, is_empty_list, objects_in, read_file
from heavylift.manifests.report import Finding, Report
from heavylift.manifests.storage import translate_storage
from heavylift.manifests.storage_facts import PROVISIONERS
from heavylift.manifests.versions import translate_versions
from heavylift.manifests.writing import render_json, render_yaml

SUBJECTS = (
    translate_versions,
    translate_storage,
    translate_nodes,
    translate_identity,
    translate_edges,
    translate_images,
    list_leftovers,
)
"""In this order: what a version calls its fields first, what is left over last."""


@dataclass
class Translation:
    """What came of a set of files.

    :param texts: by file, what to write; unreadable files are not there.
    :param documents: how many went in, which is how many come out.
    """

    texts: dict[str, str] = field(default_factory=dict)
    documents: int = 0
    changed: int = 0
    comments_lost: list[str] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    unreadable: list[Unreadable] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether everything was translated."""
        return not self.report.untranslated and not self.unreadable

    def as_document(self) -> dict[str, Any]:
        """Return the report as plain JSON."""
        return {
            "passed": self.passed,
            "files": sorted(self.texts),
            "documents": self.documents,
            "changed": self.changed,
            "comments_lost": self.comments_lost,
            "unreadable": [{"file": each.file, **each.error.attrs()} for each in self.unreadable],
            **asdict(self.report),
        }


def translate_files(files: Sequence[tuple[Path, str]], settings: Settings) -> Translation:
    """Return the files as the target needs them, with everything that was changed and left.

    What cannot be read is listed and keeps no other file back.
    """
    done = Translation()
    read: dict[str, list[Chunk]] = {}
    for path, name in files:
        try:
            read[name] = read_file(path, name)
        except HeavyliftError as error:
            done.unreadable.append(Unreadable(name, error))
    estate = _estate([chunk for chunks in read.values() for chunk in chunks], settings)
    for name, chunks in read.items():
        done.texts[name] = "".join(_one(chunk, settings, estate, done) for chunk in chunks)
    return done


def _estate(chunks: list[Chunk], settings: Settings) -> Estate:
    estate = Estate()
    for chunk in chunks:
        for prefix, root in objects_in(chunk.data):
            subject = Subject(root, prefix, chunk.file, chunk.number, settings, estate, Report())
            if subject.kind == "StorageClass":
                _, family = PROVISIONERS.get(str(root.get("provisioner")), ("", ""))
                estate.storage_classes[str(subject.metadata.get("name"))] = family
            if acts_on_target(subject):
                estate.accounts.add((subject.namespace, str(subject.metadata.get("name"))))
    return estate


def _one(chunk: Chunk, settings: Settings, estate: Estate, done: Translation) -> str:
    if chunk.data is None:
        return chunk.text
    done.documents += 1
    if is_empty_list(chunk.data):
        return chunk.text
    if not any(True for _ in objects_in(chunk.data)):
        done.report.untranslated.append(_stranger(chunk))
        return chunk.text
    # Anchors share values: each place gets its own before anything is changed in one of them.
    data = _unshared(chunk.data) if chunk.aliased else copy.deepcopy(chunk.data)
    report = Report()
    _apply(data, chunk, settings, estate, report)
    done.report.changes += report.changes
    done.report.untranslated += report.untranslated
    done.report.requirements += report.requirements
    if data == chunk.data:
        return chunk.text
    done.changed += 1
    if chunk.is_json:
        return render_json(chunk, data)
    text, kept = render_yaml(chunk, data, lambda root: _apply(root, chunk, settings, estate, Report()))
    if not kept:
        done.comments_lost.append(chunk.name)
    return text


def _apply(data: Any, chunk: Chunk, settings: Settings, estate: Estate, report: Report) -> None:
    for prefix, root in objects_in(data):
        subject = Subject(root, prefix, chunk.file, chunk.number, settings, estate, report)
        for translate in SUBJECTS:
            translate(subject)


def _unshared(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unshared(each) for key, each in value.items()}
    return [_unshared(each) for each in value] if isinstance(value, list) else value


def _stranger(chunk: Chunk) -> Finding:
    why = "no Kubernetes object: it has no apiVersion and kind"
    remedy = "leave it out, or translate what helm template or kustomize build prints of it"
    return Finding(chunk.file, chunk.number, "(none)", "", "", "document", why, remedy)
