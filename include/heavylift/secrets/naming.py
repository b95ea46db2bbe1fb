"""What each store's names and values may be, and what a secret is called on the target. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from heavylift.patterns import selector
from heavylift.platforms.secrets import SecretInfo
from heavylift.secret_values import SecretValue
from heavylift.secrets.airflow import Entry, Translation
from heavylift.spec.sections_secrets import BinaryValues, Secrets


@dataclass(frozen=True)
class Grammar:
    """What a store takes.

    :param name: a whole name; ``forbidden`` is one run of characters that none may have.
    :param words: the same in words.
    :param most_bytes: of a value; ``most_characters`` likewise, where the store counts these.
    :param text_only: bytes that are no text are not taken.
    :param keys: it can encrypt a single secret with a customer's key.
    :param folds: names that differ in case alone are the same.
    """

    product: str
    name: re.Pattern[str]
    words: str
    forbidden: re.Pattern[str]
    most_bytes: int
    most_characters: int | None = None
    text_only: bool = False
    least_bytes: int = 1
    keys: bool = True
    folds: bool = False


_OBJECT = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
GRAMMARS = {
    "secrets_manager": Grammar(
        "AWS Secrets Manager",
        re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}"),
        "1 to 512 letters, digits and /_+=.@-",
        re.compile(r"[^A-Za-z0-9/_+=.@-]+"),
        65_536,
    ),
    "parameter_store": Grammar(
        "AWS Parameter Store",
        re.compile(
            r"(?!/?(?:aws|ssm))(?:[A-Za-z0-9_.-]{1,1011}|(?=.{2,1011}$)(?:/[A-Za-z0-9_.-]+){1,15})", re.I
        ),
        "letters, digits, _.- in up to 15 levels that each begin with /, not beginning with aws or ssm",
        re.compile(r"[^A-Za-z0-9/_.-]+"),
        8_192,
        text_only=True,
    ),
    "secret_manager": Grammar(
        "Google Secret Manager",
        re.compile(r"[A-Za-z0-9_-]{1,255}"),
        "1 to 255 letters, digits, _ and -",
        re.compile(r"[^A-Za-z0-9_-]+"),
        65_536,
    ),
    "key_vault": Grammar(
        "Azure Key Vault",
        re.compile(r"[A-Za-z0-9-]{1,127}"),
        "1 to 127 letters, digits and -",
        re.compile(r"[^A-Za-z0-9-]+"),
        100_000,
        most_characters=25_000,
        text_only=True,
        keys=False,
        folds=True,
    ),
    "kubernetes": Grammar(
        "Kubernetes",
        re.compile(rf"{_OBJECT}/[-._a-zA-Z0-9]{{1,253}}"),
        "object/key: up to 253 of a-z, 0-9, . and -, then up to 253 letters, digits, . _ and -",
        re.compile(r"[^a-z0-9.-]+"),
        2**20,
        least_bytes=0,
        keys=False,
    ),
}
"""Store → what it takes. docs/reference/secrets.md lists the vendors' pages."""

DEFAULT_KEY = "default"
"""Stands for the platform's own key in the spec."""


@dataclass(frozen=True)
class Mapped:
    """A secret of the source and its name on the target.

    :param refused: why it cannot be moved; ``remedy`` what to do about it.
    :param entry: the connection or variable of Airflow's that it is, if it is one.
    """

    info: SecretInfo
    target: str
    refused: str = ""
    remedy: str = ""
    entry: Entry | None = None


def mapped(found: Iterable[SecretInfo], wanted: Secrets, source: str, target: str) -> list[Mapped]:
    """Return the chosen secrets with their names on the target, sorted; two of one name are both refused.

    :param source: platform of the source; ``target`` a key of :data:`GRAMMARS`.
    :raises SpecError: a pattern cannot be read.
    """
    chosen = selector(wanted.include, wanted.exclude)
    kept = selector((), wanted.exclude)
    airflow = Translation(wanted.airflow, target) if wanted.airflow else None
    result = []
    for info in found:
        plain = info.name.removeprefix("/")
        entry = airflow.entry(info) if airflow else None
        if chosen(plain) or (entry is not None and kept(plain)):
            result.append(_named(info, entry, wanted, airflow, target))
    result.sort(key=lambda each: (each.info.name, each.info.store))
    return _apart(result, GRAMMARS[target])


def unmatched(found: Iterable[SecretInfo], wanted: Secrets) -> list[str]:
    """Return the patterns of ``include`` that no secret of the source answers to.

    :raises SpecError: a pattern cannot be read.
    """
    names = [each.name.removeprefix("/") for each in found]
    return [each for each in wanted.include if not any(map(selector((each,)), names))]


def _named(
    info: SecretInfo, entry: Entry | None, wanted: Secrets, airflow: Translation | None, target: str
) -> Mapped:
    grammar = GRAMMARS[target]
    by_hand = wanted.rename.names.get(info.name)
    if by_hand is None and entry is not None and airflow is not None:
        name, why = airflow.name(entry)
        made = Mapped(info, name, why, "name it in secrets.rename.names" if why else "", entry)
    else:
        made = Mapped(info, by_hand or target_name(info, wanted, target), entry=entry)
    if info.refused:
        return replace(made, refused=info.refused, remedy="leave it out (secrets.exclude), or mend it there")
    if not made.refused and not grammar.name.fullmatch(made.target):
        why = f"{made.target!r} is no name on {grammar.product}: {grammar.words}"
        return replace(made, refused=why, remedy="give it one in secrets.rename.names")
    return _with_kind(made, target)


def _with_kind(made: Mapped, target: str) -> Mapped:
    if target == "kubernetes" and made.info.store == "kubernetes" and made.info.kind:
        why = f"it is of the type {made.info.kind}, whose keys Kubernetes takes only all together"
        return replace(made, refused=why, remedy="have what makes it make it on the target, too")
    return made


def target_name(info: SecretInfo, wanted: Secrets, target: str) -> str:
    """Return what a secret is called on the target by the rules of the spec."""
    rename, grammar = wanted.rename, GRAMMARS[target]
    name = rename.add_prefix + info.name.removeprefix(rename.strip_prefix)
    if target == "kubernetes":
        held, _, key = name.partition("/") if info.store == "kubernetes" else (name, "", rename.key)
        return f"{grammar.forbidden.sub('-', held.lower()).strip('-.')}/{key}"
    if grammar.forbidden.search(name):
        separator = "-" if grammar.forbidden.fullmatch(rename.separator) else rename.separator
        name = grammar.forbidden.sub(separator, name.strip("/")).strip(separator)
    if target == "parameter_store" and "/" in name:
        return "/" + name.lstrip("/")
    return name


def _apart(found: Sequence[Mapped], grammar: Grammar) -> list[Mapped]:
    fold: Callable[[str], str] = str.lower if grammar.folds else str
    by_name: defaultdict[str, list[str]] = defaultdict(list)
    for each in found:
        by_name[fold(each.target)].append(f"{each.info.name} ({each.info.store})")
    result = []
    for each in found:
        same = by_name[fold(each.target)]
        if len(same) > 1 and not each.refused:
            why = f"{' and '.join(same[:3])} would all be {each.target!r} on {grammar.product}"
            each = replace(each, refused=why, remedy="give each a name of its own in secrets.rename.names")
        result.append(each)
    return result


def unfit(value: SecretValue, target: str, binary: BinaryValues) -> tuple[str, str]:
    """Return why a store would not take a value, and the remedy; both empty where it would."""
    grammar = GRAMMARS[target]
    if grammar.text_only and not value.text and binary is BinaryValues.REFUSE:
        return (
            f"its value is bytes that are no text, and {grammar.product} keeps only text",
            "set secrets.binary to base64, and have its readers decode it",
        )
    if target == "parameter_store" and not value.text:
        return "its value is bytes, and Parameter Store cannot say of a text that it stands for bytes", (
            "set secrets.target_store to secrets_manager"
        )
    size = value.size if value.text or not grammar.text_only else -(-value.size // 3) * 4
    if size < grammar.least_bytes:
        return f"its value is empty, which {grammar.product} does not take", "leave it out (secrets.exclude)"
    characters = value.characters if value.text else size
    too_long = characters > (grammar.most_characters or characters)
    if size > grammar.most_bytes or too_long:
        most = grammar.most_characters or grammar.most_bytes
        unit = "characters" if grammar.most_characters else "bytes"
        return (
            f"its value is longer than the {most:,} {unit} that {grammar.product} takes",
            "keep it as an object, encrypted, and leave it out here (secrets.exclude)",
        )
    return "", ""


def target_key(info: SecretInfo, wanted: Secrets, target: str) -> tuple[str, str]:
    """Return the target's key for a secret, and why it cannot be moved for want of one."""
    if not info.key:
        return "", ""
    chosen = wanted.keys.get(info.key)
    if chosen is None:
        return "", f"the customer's key {info.key} encrypts it, and no counterpart is named"
    if chosen == DEFAULT_KEY:
        return "", ""
    grammar = GRAMMARS[target]
    if not grammar.keys:
        return "", f"{grammar.product} cannot encrypt one secret with a key of its own"
    return chosen, ""
