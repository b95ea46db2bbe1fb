"""Reads the text of a spec file, with bounds."""

from __future__ import annotations

from pathlib import Path

from heavylift.spec.problems import Mark, Problem

MAX_FILE_BYTES = 2**20


def read_text(path: Path, file: str) -> str | Problem:
    """Return the text of ``path``, or why it has none.

    :param file: the name that the problem's mark carries.
    """
    mark = Mark(file)
    try:
        # A pipe or device would block or never end.
        if not path.is_file():
            return Problem(
                "2101", mark, "", "no such file" if not path.exists() else "no plain file", "a file"
            )
        with path.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        return Problem("2101", mark, "", f"a file that cannot be read ({error})", "a readable file")
    if len(raw) > MAX_FILE_BYTES:
        return Problem("2102", mark, "", "a file of more than 1 MiB", "a spec of at most 1 MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        place = Mark(file, before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        return Problem("2103", place, "", f"the byte 0x{raw[error.start]:02x}", "text in UTF-8")
