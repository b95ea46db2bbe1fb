"""What each error code means and what to do about it, from data that is packed with the library.

``python -m sandbox.error_runbook`` writes the data from the source;
docs/runbooks/codes.md is the same as a page.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

from heavylift.errors import NotFoundError

_CODE = re.compile(r"\[?(?:HL-?)?(?P<code>[0-9]{4})\]?", re.IGNORECASE)


@dataclass(frozen=True)
class Explanation:
    """All that is known of one code before it happens; the message of the error knows more.

    :param means: what happened, ``{…}`` where the message fills in.
    :param retries_itself: Airflow tries again by itself.
    :param remedies: as the message gives them; ``advice`` is that of its class, ``note`` that of experience.
    :param more: the command that tells more.
    :param page: documentation, from the repository's root.
    """

    code: str
    classes: tuple[str, ...]
    means: tuple[str, ...]
    retry_safe: bool
    retries_itself: bool
    remedies: tuple[str, ...]
    advice: str
    note: str
    area: str
    more: str
    page: str
    files: tuple[str, ...]

    @property
    def runbook(self) -> str:
        """The section of the page with all codes."""
        return runbook_of(self.code)


def runbook_of(code: str) -> str:
    """Return where the runbook tells of a code: ``docs/runbooks/codes.md#hl-1234``."""
    return f"docs/runbooks/codes.md#hl-{code}"


def explain(text: str) -> Explanation:
    """Return what is known of a code; reads the packed data, no network.

    :param text: ``HL-1234``, ``1234`` or ``[HL-1234]``.
    :raises NotFoundError: this version has no such code.
    """
    match = _CODE.fullmatch(text.strip())
    code = match["code"] if match else ""
    known = _all()
    if code in known:
        return known[code]
    close = ", ".join(f"HL-{each}" for each in get_close_matches(code, known, 3)) if code else ""
    raise NotFoundError(
        f"explaining {text[:40]!r}",
        got="no such code in this version",
        expected=f"a code such as {close}" if close else "a code such as HL-2101",
        state="nothing was read but the packed list",
        remedy="copy the code from the end of the message; docs/runbooks/codes.md lists all",
        code="8962",
    )


def known_codes() -> tuple[str, ...]:
    """Return every code of this version, sorted."""
    return tuple(_all())


@cache
def _all() -> dict[str, Explanation]:
    text = files("heavylift.report").joinpath("codes.json").read_text(encoding="utf-8")
    return {raw["code"]: _explanation(raw) for raw in json.loads(text)}


def _explanation(raw: dict[str, Any]) -> Explanation:
    values: dict[str, Any] = {each.name: raw[each.name] for each in fields(Explanation)}
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Explanation(**(values | lists))
