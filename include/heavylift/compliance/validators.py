"""Checks of candidates: check digits, number ranges, numbering plans. Nothing here looks at the context."""

from __future__ import annotations

import ipaddress
import re
from datetime import date
from functools import cache
from string import ascii_uppercase
from typing import Any

_DIGITS = re.compile(r"\D")
_DOUBLED = str.maketrans("0123456789", "0246813579")
"""A digit → the sum of its double's digits."""
_BASE_TEN = str.maketrans({letter: str(number) for number, letter in enumerate(ascii_uppercase, 10)})
_NAME_OF_HOST = re.compile(
    r"[a-z0-9\u0080-\U0010ffff]([a-z0-9\u0080-\U0010ffff-]{0,61}[a-z0-9\u0080-\U0010ffff])?"
)
_CARD_LENGTHS = (
    (re.compile("4"), {13, 16, 19}),
    (re.compile("5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)"), {16}),
    (re.compile("3[47]"), {15}),
    (re.compile("3(?:0[0-5]|[689])"), {14, 16}),
    (re.compile("35(?:2[89]|[3-8])"), {16}),
    (re.compile("6(?:011|5|4[4-9]|2)"), {16, 17, 18, 19}),
)
_FILES = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "py", "json", "yaml", "txt"})


def digits(text: str) -> str:
    """Return the digits of ``text``."""
    return _DIGITS.sub("", text)


def luhn(number: str) -> bool:
    """Tell whether the last digit is Luhn's."""
    backwards = number[::-1]
    return sum(map(int, backwards[::2] + backwards[1::2].translate(_DOUBLED))) % 10 == 0


def email(text: str) -> bool:
    """Tell whether an address could be delivered to: parts, lengths, no file's name at its end."""
    local, _, host = text.rpartition("@")
    labels = host.lower().split(".")
    if not 0 < len(local) <= 64 or local[0] == "." or local[-1] == "." or ".." in local:
        return False
    if labels[-1] in _FILES or not labels[-1].isalpha():
        return False
    return len(host) <= 253 and all(_NAME_OF_HOST.fullmatch(label) for label in labels)


def card(text: str) -> bool:
    """Tell whether it is the number of a card: a known issuer's beginning and length, Luhn's digit."""
    number = digits(text)
    known = any(start.match(number) and len(number) in lengths for start, lengths in _CARD_LENGTHS)
    return known and len(set(number)) > 1 and luhn(number)


def iban(text: str) -> bool:
    """Tell whether it begins with an IBAN: a country's length and form, ISO 7064's check digits."""
    from stdnum import iban as checked

    compact = re.sub(r"[ -]", "", text)
    if len(compact) > 34 or (compact.isascii() and compact.isalnum() and not _is_mod_97(compact.upper())):
        return False
    return bool(checked.is_valid(compact))


def _is_mod_97(compact: str) -> bool:
    """Tell whether the check digits hold: most of what only looks like one fails here, for little."""
    return int((compact[4:] + compact[:4]).translate(_BASE_TEN) or "0") % 97 == 1


def ssn(text: str) -> bool:
    """Tell whether the Social Security Administration could have given the number out."""
    number = digits(text)
    if len(number) != 9 or number in {"078051120", "219099999", "123456789"}:
        return False
    area, group, serial = number[:3], number[3:5], number[5:]
    return area not in {"000", "666"} and area[0] != "9" and group != "00" and serial != "0000"


def phone(text: str) -> bool:
    """Tell whether a numbering plan has such a number; without ``+`` that of North America."""
    import phonenumbers

    plain = re.sub(r"(?i)\s*(?:ext\.?|x)\s*\d+$", "", text)
    if len(set(digits(plain))) < 3:
        return False
    try:
        parsed = phonenumbers.parse(plain, None if plain.startswith("+") else "US")
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_valid_number(parsed))


def ip(text: str) -> bool:
    """Tell whether it is the address of a machine: neither a network's, nor one that means no machine."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (found.is_unspecified or found.is_loopback or found.is_multicast or _no_machine(found))


def _no_machine(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return isinstance(found, ipaddress.IPv4Address) and (found.packed[0] in {0, 255} or found.packed[3] == 0)


def npi(text: str) -> bool:
    """Tell whether it is a National Provider Identifier: ten digits, Luhn's over 80840 and them."""
    number = digits(text)
    return len(number) == 10 and number[0] in "12" and luhn("80840" + number)


def national(text: str) -> bool:
    """Tell whether some country's check digits hold; see :func:`countries`."""
    return any(bool(each.is_valid(text.strip())) for each in countries())


@cache
def countries() -> tuple[Any, ...]:
    """Return the checks of national numbers, each with check digits."""
    from stdnum.br import cpf
    from stdnum.es import dni, nie
    from stdnum.fr import nir
    from stdnum.gb import nhs
    from stdnum.in_ import aadhaar
    from stdnum.it import codicefiscale

    return (codicefiscale, dni, nie, nir, cpf, aadhaar, nhs)


@cache
def countries_by_heading() -> tuple[Any, ...]:
    """Return further checks, of bare digits, which only a column's heading makes plausible."""
    from stdnum.de import idnr
    from stdnum.nl import bsn
    from stdnum.pl import pesel

    return (*countries(), idnr, bsn, pesel)


def national_by_heading(text: str) -> bool:
    """Tell whether a value below a heading such as ``national_id`` is a number with check digits."""
    return nino(text) or any(bool(each.is_valid(text.strip())) for each in countries_by_heading())


def nino(text: str) -> bool:
    """Tell whether it has the form of a British National Insurance number, and a prefix that is used."""
    compact = text.replace(" ", "").upper()
    prefixes = {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}
    form = re.fullmatch(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]", compact)
    return bool(form) and compact[:2] not in prefixes


def licence(text: str) -> bool:
    """Tell whether it has the form of a British driving licence, with a day that exists in it."""
    month = int(text[6:8]) - (50 if text[6] in "56" else 0)
    return 1 <= month <= 12 and 1 <= int(text[8:10]) <= 31


def mrz(text: str) -> bool:
    """Tell whether it is the second line of a passport's machine-readable zone: four check digits hold."""
    fields = ((text[0:9], text[9]), (text[13:19], text[19]), (text[21:27], text[27]))
    return all(_mrz_digit(field) == check for field, check in fields)


def _mrz_digit(field: str) -> str:
    values = [0 if each == "<" else int(each, 36) for each in field]
    return str(sum(value * (7, 3, 1)[index % 3] for index, value in enumerate(values)) % 10)


_DATE = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ].*)?|(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})|(\d{4})(\d\d)(\d\d)"
)


def birth(text: str) -> bool:
    """Tell whether it is a day on which somebody who lives can have been born."""
    found = _DATE.fullmatch(text.strip())
    if not found:
        return False
    groups = [int(each) for each in found.groups() if each is not None]
    year, one, two = groups if groups[0] > 31 else (groups[2], groups[0], groups[1])
    return 1900 <= year <= date.today().year and _is_day(year, one, two)  # noqa: DTZ011  (a year's precision)


def _is_day(year: int, one: int, two: int) -> bool:
    for month, day in ((one, two), (two, one)):
        try:
            date(year, month, day)
        except ValueError:
            continue
        return True
    return False


def anything(_text: str) -> bool:
    """Return True: the form is all that can be checked."""
    return True
