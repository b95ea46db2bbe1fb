"""A secret that is looked for afterwards: in every file, in every form in which it may have been written."""

from __future__ import annotations

import base64
import html
import json
import secrets
import urllib.parse
from collections.abc import Iterable
from pathlib import Path

_AWKWARD = '"/&é +<\\'
"""Characters that each way of writing a text writes in its own way."""


class Canary:
    """A marker that is nowhere else on this machine.

    :param plain: without characters that are escaped, for places that take few.
    """

    def __init__(self, *, plain: bool = False) -> None:
        token = secrets.token_hex(8)
        self.value = f"cAnary{token}" if plain else f"cAnary{token}{_AWKWARD}{token[::-1]}"
        self.forms = forms(self.value)

    def in_text(self, text: str | bytes) -> list[str]:
        """Return the forms in which a text has it."""
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        return [name for name, form in self.forms.items() if form in data]

    def in_files(self, roots: Iterable[Path]) -> list[str]:
        """Return ``file: form`` for each file at or below ``roots`` that has it, or is called so."""
        found = []
        for root in roots:
            files = [root] if root.is_file() else sorted(each for each in root.rglob("*") if each.is_file())
            for file in files:
                told = self.in_text(file.read_bytes()) + self.in_text(str(file))
                found += [f"{file}: {form}" for form in told]
        return found


def forms(value: str) -> dict[str, bytes]:
    """Return what a value looks like where it was written plainly, escaped or encoded."""
    data = value.encode()
    found = {
        "plain": data,
        "its beginning": data[:18],
        "json": json.dumps(value)[1:-1].encode(),
        "json, not ASCII alone": json.dumps(value, ensure_ascii=False)[1:-1].encode(),
        "json in json": json.dumps(json.dumps(value))[3:-3].encode(),
        "URL": urllib.parse.quote(value, safe="").encode(),
        "URL with slashes": urllib.parse.quote(value).encode(),
        "form": urllib.parse.quote_plus(value).encode(),
        "HTML": html.escape(value).encode(),
        "repr": repr(value)[1:-1].encode(),
        "repr of bytes": repr(data)[2:-1].encode(),
        "hex": data.hex().encode(),
        "UTF-16": value.encode("utf-16-le"),
    }
    for shift in range(3):
        # Behind other text its letters stand elsewhere: the ends depend on the neighbours, and are cut.
        text = base64.b64encode(b"\0" * shift + data).decode()
        inner = text[4 if shift else 0 : -4]
        found[f"base64, {shift}"] = inner.encode()
        found[f"base64 of URLs, {shift}"] = inner.translate(str.maketrans("+/", "-_")).encode()
    return found
