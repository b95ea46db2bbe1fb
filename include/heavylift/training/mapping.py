"""What only the owners of both sides know: addresses, images, identities, machines, claims."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heavylift.errors import SpecError
from heavylift.training.documents import read_documents
from heavylift.training.model import Form
from heavylift.training.notes import Findings

_SECTIONS = {"uris", "images", "identities", "machines", "claims", "environment"}


@dataclass(frozen=True)
class TargetMap:
    """Names of the source with those of the target; what is missing is told, never guessed."""

    uris: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)
    machines: dict[str, str] = field(default_factory=dict)
    claims: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def uri(self, text: str, findings: Findings) -> str:
        """Return the target's address of data; the longest prefix that ends where a part ends wins."""
        for prefix in sorted(self.uris, key=len, reverse=True):
            bare = prefix.rstrip("/")
            if text == bare or text.startswith(bare + "/"):
                made = self.uris[prefix].rstrip("/") + text[len(bare) :]
                findings.change("data", text, made, "as the map says")
                return made
        findings.block("data", f"{text} has no address on the target", "add it to the map's section uris")
        return text

    def code(self, text: str, form: Form, findings: Findings) -> str:
        """Return where the program's files are on the target; empty where the image has them."""
        if not text or text == ".":
            # The image has the files today; SageMaker's toolkit wants them as an archive.
            return self.uris.get("image", text) if form is Form.SAGEMAKER else text
        if self.uris.get(text) == "image":
            findings.change("code", text, "", "the map says that the image has it")
            return ""
        if form in {Form.VERTEX, Form.KUBERNETES}:
            findings.block(
                "code",
                f"{form} loads no files beside the image, and the program lies at {text}",
                f"build them into the image, and write {text}: image into the map's section uris",
            )
        return self.uri(text, findings) if "://" in text else text

    def image(self, name: str, findings: Findings) -> str:
        """Return the target's image."""
        for prefix in sorted(self.images, key=len, reverse=True):
            if name == prefix or (name.startswith(prefix) and name[len(prefix)] in "/:@"):
                made = self.images[prefix] + name[len(prefix) :]
                findings.change("image", name, made, "as the map says")
                return made
        findings.block(
            "image",
            f"{name or 'no image'} is not known to be on the target",
            "copy it by digest, and add it to the map's section images; a public one is mapped to itself",
        )
        return name

    def identity(self, name: str, findings: Findings) -> str:
        """Return the target's identity, empty where there is none."""
        name = name or ("*" if "*" in self.identities else "")
        if not name:
            return ""
        if name in self.identities:
            findings.change("identity", name, self.identities[name], "as the map says")
            return self.identities[name]
        findings.need(
            "identity",
            f"the job ran as {name}",
            "add it to the map's section identities; without it the platform's default identity is taken",
        )
        return ""


def read_map(path: Path | None) -> TargetMap:
    """Return the map of a file; an empty one without.

    :raises SpecError: it has other sections, or values that are no texts.
    """
    if path is None:
        return TargetMap()
    (found, *more) = read_documents(path)
    wrong = sorted(set(found) - _SECTIONS) or (["a second document"] if more else [])
    if wrong or not all(_texts(section) for section in found.values()):
        raise SpecError(
            f"reading the map {path.name}",
            got=", ".join(map(str, wrong)) or "values that are no texts",
            expected=f"mappings of texts called {', '.join(sorted(_SECTIONS))}",
            state="nothing was written",
            remedy="correct the file of --map",
            code="9204",
        )
    return TargetMap(**{name: section or {} for name, section in found.items()})


def _texts(section: Any) -> bool:
    if section is None:
        return True
    return isinstance(section, dict) and all(
        isinstance(key, str) and isinstance(value, str) for key, value in section.items()
    )
