"""A generated folder as one document, so that another worker has the same files, to the byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Any

from heavylift.errors import IntegrityError
from heavylift.evidence.canonical import canonical_json
from heavylift.infra.folder import MANIFEST, VALUES, Infra, read


def pack(infra: Infra, values: dict[str, Any]) -> bytes:
    """Return the text of all files by path, with the values that a person gave for variables.

    Neither state nor terraform's plans are among them, nor anything else that lies in the folder.
    """
    texts = {path: (infra.folder / path).read_text() for path in infra.files}
    texts[MANIFEST] = (infra.folder / MANIFEST).read_text()
    texts[VALUES] = json.dumps(values, indent=1, sort_keys=True) + "\n"
    return canonical_json(texts)


def unpack(data: bytes, folder: Path, digest: str) -> Infra:
    """Write the files of :func:`pack` into an empty folder.

    :param digest: what all files together must have.
    :raises IntegrityError: they have another one, or would lie elsewhere.
    """
    texts: dict[str, str] = json.loads(data)
    for named in map(PurePosixPath, texts):
        if named.is_absolute() or ".." in named.parts:
            raise _other(folder, f"the path {str(named)!r}", "paths within the folder")
    for path, text in texts.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    infra = read(folder)
    if infra.digest != digest:
        raise _other(folder, f"files with the digest {infra.digest}", f"the generated ones, {digest}")
    changed = [path for path, sha in infra.files.items() if _sha(texts.get(path, "")) != sha]
    if changed:
        raise _other(folder, f"another {changed[0]}", "each file as it was generated")
    return infra


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _other(folder: Path, got: str, expected: str) -> IntegrityError:
    return IntegrityError(
        f"writing the generated files into {folder}",
        got=got,
        expected=expected,
        state="nothing was changed on the target",
        remedy="run 'heavylift audit verify', then generate again",
        code="7934",
    )
