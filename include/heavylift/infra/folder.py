"""The folder of generated files: written so that nothing of a person's is lost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from heavylift.errors import ConflictError, NotFoundError, SpecError
from heavylift.infra.generate import Generated
from heavylift.infra.things import Wanted

MANIFEST, VALUES = "infra.json", "values.json"
_MOST = 5


@dataclass(frozen=True)
class Infra:
    """A folder that :func:`write` made.

    :param approved: the plan that it was made from was approved; nothing of another is applied.
    :param folders: roots, in the order in which they are applied.
    :param variables: of each root, with the description of those that a person must give.
    """

    folder: Path
    migration: str
    target: str
    plan_digest: str
    approved: bool
    folders: tuple[str, ...]
    variables: Mapping[str, Mapping[str, str]]
    files: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The digest over all files."""
        return hashlib.sha256(json.dumps(self.files, sort_keys=True).encode()).hexdigest()


def write(generated: Generated, wanted: Wanted, folder: Path, *, approved: bool) -> Infra:
    """Write the files; a second time changes nothing.

    Only what an earlier run wrote, and nobody has touched since, is written over or removed.

    :raises ConflictError: a person has changed a file that would be written over.
    """
    before = read(folder).files if (folder / MANIFEST).exists() else {}
    texts = {path: text for path, text in generated.files.items()}
    _demand_untouched(folder, texts, before)
    for path, text in texts.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
    for path in set(before) - set(texts):
        (folder / path).unlink(missing_ok=True)
    document = {
        "format": 1,
        "migration": wanted.migration,
        "source": wanted.source,
        "target": wanted.target,
        "plan_digest": wanted.digest,
        "approved": approved,
        "folders": list(generated.folders),
        "variables": {name: dict(sorted(each.items())) for name, each in generated.variables.items()},
        "made": [asdict(each) for each in generated.made],
        "untranslated": [asdict(each) for each in generated.untranslated],
        "files": {path: _sha(text) for path, text in sorted(texts.items())},
    }
    (folder / MANIFEST).write_text(json.dumps(document, indent=1) + "\n")
    return read(folder)


def read(folder: Path) -> Infra:
    """Return what the folder says of itself.

    :raises NotFoundError: no generated files lie there.
    """
    try:
        document: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        return Infra(
            folder,
            document["migration"],
            document["target"],
            document["plan_digest"],
            bool(document["approved"]),
            tuple(document["folders"]),
            document["variables"],
            document["files"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotFoundError(
            f"reading {folder / MANIFEST}",
            got=type(error).__name__,
            expected="what 'heavylift infra generate' wrote",
            state="nothing was touched",
            remedy="generate the infrastructure there, or name the right folder",
            code="7906",
        ) from error


def values_of(infra: Infra, root: str, foundation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a root's variables: what a person wrote in ``values.json``, and the foundation's.

    :raises SpecError: some are missing; all are named, with what they are.
    """
    path = infra.folder / VALUES
    try:
        given = json.loads(path.read_text()) if path.exists() else {}
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise SpecError(
            f"reading {path}",
            got="no JSON object",
            expected='{"variable": "value", …}',
            state="nothing was touched",
            remedy="correct the file",
            code="7907",
        )
    wanted = infra.variables[root]
    found = {name: value for name, value in given.items() if name in wanted}
    if foundation:
        found["foundation"] = dict(foundation)
    missing = [f"{name} ({told})" for name, told in wanted.items() if told and name not in found]
    if missing:
        shown = "; ".join(missing[:_MOST]) + (
            f"; and {len(missing) - _MOST} more" if len(missing) > _MOST else ""
        )
        raise SpecError(
            f"planning {root} of {infra.migration}",
            got=f"no value for {shown}",
            expected="a value for each variable without a default",
            state="nothing was touched",
            remedy=f"write them into {path}, for the phase provision into infrastructure.variables of the"
            " spec; nothing secret belongs there",
            code="7908",
        )
    return found


def _demand_untouched(folder: Path, texts: Mapping[str, str], before: Mapping[str, str]) -> None:
    changed = [
        path
        for path in sorted({*texts, *before})
        if (folder / path).exists()
        and (now := (folder / path).read_text()) != texts.get(path)
        and _sha(now) != before.get(path)
    ]
    if changed:
        raise ConflictError(
            f"writing to {folder}",
            got=f"{len(changed)} files that somebody else wrote or changed: {', '.join(changed[:_MOST])}",
            expected="files as an earlier run wrote them",
            state="nothing was written",
            remedy="move changes to a *_override.tf file or to values.json, or generate into another folder",
            code="7909",
        )


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
