"""What a registry can hold, as data: which fields, how long, how many, and under which names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal


@dataclass(frozen=True)
class Rule:
    """Which texts a place takes.

    :param longest: in characters; 0 means no limit.
    :param shortest: likewise.
    :param form: a regular expression of the whole text; empty for any.
    :param test: a further test, with what it demands in words.
    """

    longest: int = 0
    form: str = ""
    shortest: int = 0
    test: tuple[Callable[[str], bool], str] | None = None

    def wrong(self, text: str) -> str:
        """Return why a text is not taken; empty where it is."""
        if self.longest and len(text) > self.longest:
            return f"at most {self.longest} characters there"
        if len(text) < self.shortest:
            return f"at least {self.shortest} characters there"
        if self.form and not re.fullmatch(self.form, text):
            return "characters that are not taken there"
        if self.test and not self.test[0](text):
            return f"only {self.test[1]} there"
        return ""


ANY = Rule()


def categories(text: str, allowed: str, more: str = "") -> bool:
    """Tell whether a text has only characters of Unicode's major categories, or those in ``more``."""
    return all(each in more or unicodedata.category(each)[0] in allowed for each in text)


@dataclass(frozen=True)
class Pairs:
    """A place for keys and values of the user's choice: tags, labels, metadata.

    :param most: how many of them; 0 means no limit.
    :param reserved: prefixes that are not the user's.
    :param kept: under which prefix fields are kept that have no place of their own.
    :param slash: what stands for the slash of a path there.
    :param mark: prefix of the marks by which Heavylift knows its own.
    """

    most: int = 0
    key: Rule = ANY
    value: Rule = ANY
    reserved: tuple[str, ...] = ()
    kept: str = "heavylift.kept."
    slash: str = "/"
    mark: str = "heavylift.source."

    def wrong(self, key: str, value: str) -> str:
        """Return why a pair is not taken; empty where it is."""
        if any(key.startswith(each) for each in (*self.reserved, self.kept, self.mark)):
            return "a key that is reserved there"
        return self.refused(key, value)

    def refused(self, key: str, value: str) -> str:
        """Return why a pair is not taken, whoever's key it is."""
        bad = self.key.wrong(key)
        if bad:
            return f"a key with {bad}" if bad.startswith("char") else f"a key of {bad}"
        bad = self.value.wrong(value)
        return f"a value with {bad}" if bad.startswith("char") else (f"a value of {bad}" if bad else "")

    def kept_key(self, path: str) -> str:
        """Return under which key a field is kept."""
        return self.kept + path.replace("/", self.slash)

    def path_of(self, key: str) -> str:
        """Return which field a key keeps; empty where it keeps none."""
        if not key.startswith(self.kept):
            return ""
        return key.removeprefix(self.kept).replace(self.slash, "/")


@dataclass(frozen=True)
class Holder:
    """What a model, or a version, can hold.

    :param native: patterns of paths that have a place of their own, with what they take there.
    :param pairs: the place for everything else; None where there is none.
    :param names: what the last part of such a path may be, where that is the user's choice.
    :param frozen: patterns of paths that cannot be changed once they are written.
    :param late: patterns of paths that a second request writes, after the thing was made.
    """

    native: Mapping[str, Rule] = field(default_factory=dict)
    pairs: Pairs | None = None
    names: Mapping[str, Rule] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()
    late: tuple[str, ...] = ()

    def wrong(self, path: str, value: str) -> str:
        """Return why a leaf has no place of its own; empty where it has one that takes it."""
        for pattern, rule in self.native.items():
            if fnmatchcase(path, pattern):
                name = self.names.get(pattern)
                bad = name.wrong(path.rpartition("/")[2]) if name else ""
                return bad or rule.wrong(value)
        return "no place for it there"

    def has_place(self, path: str) -> bool:
        """Tell whether a path has a place of its own there."""
        return any(fnmatchcase(path, pattern) for pattern in self.native)

    def is_frozen(self, path: str) -> bool:
        """Tell whether a path cannot be changed."""
        return any(fnmatchcase(path, pattern) for pattern in self.frozen)

    def is_late(self, path: str) -> bool:
        """Tell whether a path is written by a request of its own."""
        return any(fnmatchcase(path, pattern) for pattern in self.late)


@dataclass(frozen=True)
class Capabilities:
    """What a registry can hold.

    :param platform: its name, as marks and records tell it.
    :param schemes: of the URIs of artifacts that it takes; empty for all.
    :param name: which names of models it takes.
    :param name_separator: what stands for a character that a name may not have.
    :param numbers: whether versions keep their numbers, or are given new ones.
    :param number: which numbers are kept, where they are.
    :param empty_models: it can hold a model without versions.
    :param needs_image: it takes no version without a container image that it can pull.
    :param default_image: the image of a version that has none.
    :param roots: the only places below which artifacts may lie; empty where there are no such.
    """

    platform: str
    model: Holder
    version: Holder
    schemes: tuple[str, ...] = ()
    name: Rule = ANY
    name_longest: int = 0
    name_characters: str = ""
    numbers: Literal["kept", "given"] = "given"
    number: Rule = ANY
    empty_models: bool = True
    needs_image: bool = False
    default_image: str = ""
    roots: tuple[str, ...] = ()

    def takes(self, uri: str) -> bool:
        """Tell whether an artifact may lie at a URI."""
        if self.roots and not any(uri == each or uri.startswith(f"{each}/") for each in self.roots):
            return False
        return not self.schemes or uri.partition(":")[0] in self.schemes
