"""What a column's heading says of its values, and how many of them must look like it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from heavylift.compliance import validators as v
from heavylift.compliance.entities import Entity

MIN_SHARE = 0.5
"""Share of a column's values that must have the form which the heading promises."""


@dataclass(frozen=True)
class Heading:
    """A heading that makes values plausible which say nothing by themselves.

    :param words: of the heading, lower case, joined by single blanks; the pattern must be found.
    :param check: what a value must be.
    """

    entity: Entity
    words: re.Pattern[str]
    check: Callable[[str], bool]


def _fits(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b")


_NAME = _fits(r"[^\W\d_][^\d_@:/\\]{0,60}")
_PLACE = _fits(r"(?=.*[^\W\d_]).{3,120}")

HEADINGS = (
    Heading(Entity.US_SSN, _words("ssn|social security(?: number| no)?"), v.ssn),
    Heading(
        Entity.DATE_OF_BIRTH,
        _words("dob|birth ?date|date of birth|birth ?day|born(?: on)?|geburtsdatum|date naissance"),
        v.birth,
    ),
    Heading(Entity.PHONE, _words("phone|telephone|mobile|cell|fax|msisdn|telefon"), v.phone),
    Heading(
        Entity.MEDICAL_RECORD,
        _words("mrn|medical record(?: number| no| id)?|patient (?:id|no|number)"),
        _fits(r"[A-Za-z]{0,4}-?\d[A-Za-z0-9-]{2,14}"),
    ),
    Heading(
        Entity.DIAGNOSIS,
        _words("icd(?: ?10)?(?: cm)?|diagnos[ie]s|dx|icd10(?: code)?"),
        _fits(r"[A-TV-Z]\d[0-9AB](?:\.?[0-9A-Z]{1,4})?"),
    ),
    Heading(Entity.HEALTH_PROVIDER, _words("npi"), v.npi),
    Heading(
        Entity.PASSPORT,
        _words("passport"),
        _fits(r"[A-Z]{0,2}\d{6,9}|[A-Z]\d{2}[A-Z0-9]{6}|[CFGHJKLMNPRTVWXYZ0-9]{9}"),
    ),
    Heading(
        Entity.DRIVING_LICENCE,
        _words("driv(?:er s|ers|ing)? licen[cs]e(?: number| no)?|dl (?:number|no)"),
        _fits(r"[A-Z0-9-]{5,20}"),
    ),
    Heading(
        Entity.NATIONAL_ID,
        _words("national (?:id|insurance)|nino|nhs|tax ?id|steuer ?id|bsn|pesel|dni|nie|nif|cpf|nir|aadhaar"),
        v.national_by_heading,
    ),
    Heading(Entity.CREDIT_CARD, _words("card|pan|credit card(?: number| no)?"), v.card),
    Heading(
        Entity.ADDRESS,
        _words("address|street|addr|strasse|postal address|home address|address line ?\\d?"),
        _PLACE,
    ),
    Heading(
        Entity.PERSON_NAME,
        _words(
            "(?:first|last|middle|full|given|family|maiden|person|patient|customer|contact|holder|employee)"
            " ?name|surname|forename|vorname|nachname|fname|lname"
        ),
        _NAME,
    ),
)
"""Every heading that is known; the first that fits counts."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SPLIT = re.compile(r"[^A-Za-z0-9\u0080-\U0010ffff]+")
_OF_MACHINES = re.compile(r"\b(?:ip|mac|email|e mail|url|host|network|memory)\b")


def heading_of(column: str) -> Heading | None:
    """Return what a column's name promises, or None; a field's own name counts before its parents'."""
    text = " ".join(_SPLIT.sub(" ", _CAMEL.sub(" ", column)).lower().split())
    if _OF_MACHINES.search(text):
        return None
    return next((each for each in HEADINGS if each.words.search(text)), None)
