"""Names that the target accepts, each its own: one rule, told in docs/reference/infra.md.

Lower case where the target wants that; what it does not accept becomes its separator; cut to its length.
A name that had to be changed, and every name that must be unique in the world, ends in six hexadecimal digits
of the SHA-256 of the component's id, so that the same component has the same name in every run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_DIGITS = 6


@dataclass(frozen=True)
class NameRule:
    """What a kind of name may look like.

    :param accepted: a class of characters, as in a regular expression.
    :param separator: stands for what is not accepted; may be empty.
    :param world: unique in the world, not only in its project.
    """

    accepted: str
    longest: int
    separator: str = "-"
    lower: bool = True
    letter_first: bool = True
    world: bool = False


RULES: Mapping[str, NameRule] = MappingProxyType(
    {
        "label": NameRule("a-z0-9_", 60, "_"),
        "dns": NameRule("a-z0-9-", 40),
        "short": NameRule("a-z0-9-", 24),
        "bucket": NameRule("a-z0-9-", 60, world=True),
        "snake": NameRule("a-z0-9_", 60, "_"),
        "free": NameRule("A-Za-z0-9_-", 60, lower=False, letter_first=False),
        "camel": NameRule("A-Za-z0-9", 60, "", lower=False),
        "plain": NameRule("a-z0-9", 24, "", world=True),
        "pool": NameRule("a-z0-9", 12, ""),
        "world": NameRule("a-z0-9-", 40, world=True),
        "vault": NameRule("a-z0-9-", 24, world=True),
    }
)
"""The rules, by the name that tables use."""


class Names:
    """Gives names, and never one twice within ``scope``."""

    def __init__(self, migration: str) -> None:
        self._migration = migration
        self._taken: dict[tuple[str, str], str] = {}

    def give(self, scope: str, wanted: str, owner: str, rule: NameRule) -> str:
        """Return the name of ``owner`` in ``scope``; the same arguments give the same name.

        :param scope: what must not have two things of one name, such as a resource type.
        :param wanted: what the source calls it.
        :param owner: the component's id.
        """
        digest = hashlib.sha256(f"{self._migration}\n{owner}".encode()).hexdigest()
        shaped = _shaped(wanted, rule, rule.longest)
        if shaped == wanted and not rule.world and self._take(scope, shaped, owner):
            return shaped
        for length in range(_DIGITS, len(digest) + 1):
            tail = rule.separator + digest[:length]
            name = _shaped(wanted, rule, rule.longest - len(tail)) + tail
            if self._take(scope, name, owner):
                return name
        # Sixty-four digits that meet another component's are beyond what can happen.
        raise RuntimeError(f"no name left in {scope}")

    def _take(self, scope: str, name: str, owner: str) -> bool:
        return self._taken.setdefault((scope, name), owner) == owner


def _shaped(text: str, rule: NameRule, longest: int) -> str:
    text = text.lower() if rule.lower else text
    text = re.sub(f"[^{rule.accepted}]+", rule.separator, text)
    if rule.separator:
        text = re.sub(f"{re.escape(rule.separator)}{{2,}}", rule.separator, text).strip(rule.separator)
    if rule.letter_first and not re.match("[A-Za-z]", text):
        text = f"r{rule.separator}{text}" if text else "r"
    return text[: max(longest, 1)].strip(rule.separator or None) or "r"
