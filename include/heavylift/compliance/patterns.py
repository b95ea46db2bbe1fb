"""The forms of personal data, for a regex engine whose time is linear in the text whatever the text is.

All forms are one alternation, so that a text is read once. What it finds is a candidate; the form that it
has and the check of that decide. Forms end at a line's end: values of a column are joined by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from heavylift.compliance import validators as v
from heavylift.compliance.entities import Entity


@dataclass(frozen=True)
class Form:
    """One form of one entity.

    :param label: the form begins with words that say what follows; ``value`` finds it then.
    """

    entity: Entity
    pattern: bytes
    check: Callable[[str], bool] = v.anything
    label: bytes = b""

    @property
    def whole(self) -> bytes:
        """The pattern that the candidate has, with its label."""
        return self.label + self.pattern


_GAP = rb"[^\w\n]{1,4}"
_DATE = rb"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})\b"
_WORD = rb"A-Za-z0-9\x80-\xff"


def _label(words: bytes) -> bytes:
    return rb"(?i:\b(?:" + words + rb"))" + _GAP


_NUMBER = rb"(?: ?(?:number|no|nr|#)\.?)?"

FORMS = (
    Form(
        Entity.EMAIL,
        rb"[" + _WORD + rb"_%+.'-]+@[" + _WORD + rb".-]+\.[A-Za-z\x80-\xff]{2,24}",
        v.email,
    ),
    Form(
        Entity.IBAN, rb"\b[A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?)\b", v.iban
    ),
    Form(Entity.CREDIT_CARD, rb"\b[2-6]\d{3}[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,7}\b", v.card),
    Form(Entity.CREDIT_CARD, rb"\b3[0-9]\d{2}[ -]?\d{6}[ -]?\d{4,5}\b", v.card),
    Form(Entity.US_SSN, rb"\b\d{3}-\d{2}-\d{4}\b", v.ssn),
    Form(Entity.US_SSN, rb"\d{3}[- ]?\d{2}[- ]?\d{4}\b", v.ssn, _label(rb"ssn|social security" + _NUMBER)),
    Form(Entity.PHONE, rb"\+[1-9][\d ().-]{5,18}\d\b", v.phone),
    Form(Entity.PHONE, rb"(?:\(\d{3}\) ?|\b\d{3}[ .-])\d{3}[ .-]\d{4}\b", v.phone),
    Form(Entity.IP_ADDRESS, rb"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b", v.ip),
    Form(Entity.IP_ADDRESS, rb"\b(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}\b", v.ip),
    Form(
        Entity.IP_ADDRESS, rb"\b[0-9A-Fa-f]{4}:(?:[0-9A-Fa-f]{1,4}:){0,6}:(?:[0-9A-Fa-f]{1,4}:?){0,7}", v.ip
    ),
    Form(Entity.PASSPORT, rb"\b[A-Z0-9<]{9}\d[A-Z<]{3}\d{7}[MFX<]\d{7}[A-Z0-9<]{14}\d\d", v.mrz),
    Form(Entity.PASSPORT, rb"[A-Z]{0,2}\d{6,9}\b", v.anything, _label(rb"passport" + _NUMBER)),
    Form(Entity.DRIVING_LICENCE, rb"\b[A-Z]{2,5}9{0,3}\d[0156]\d[0-3]\d{2}[A-Z9]{2}\d[A-Z]{2}\b", v.licence),
    Form(Entity.NATIONAL_ID, rb"\b[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]\b", v.national),
    Form(Entity.NATIONAL_ID, rb"\b(?:\d{8}|[XYZ]\d{7})-?[A-HJ-NP-TV-Z]\b", v.national),
    Form(Entity.NATIONAL_ID, rb"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b", v.national),
    Form(Entity.NATIONAL_ID, rb"\b[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}\b", v.national),
    Form(Entity.NATIONAL_ID, rb"\b[2-9]\d{3} \d{4} \d{4}\b", v.national),
    Form(Entity.NATIONAL_ID, rb"\b[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b", v.nino),
    Form(Entity.NATIONAL_ID, rb"\d{3}[ -]?\d{3}[ -]?\d{4}\b", v.national, _label(rb"nhs" + _NUMBER)),
    Form(
        Entity.DATE_OF_BIRTH, _DATE, v.birth, _label(rb"dob|d\.o\.b|date of birth|birth ?date|born(?: on)?")
    ),
    Form(
        Entity.MEDICAL_RECORD,
        rb"[A-Z]{0,4}-?\d[A-Z0-9-]{3,12}\b",
        v.anything,
        _label(rb"mrn|medical record" + _NUMBER),
    ),
    Form(
        Entity.DIAGNOSIS,
        rb"[A-TV-Z]\d[0-9AB](?:\.[0-9A-Z]{1,4})?\b",
        v.anything,
        _label(rb"icd(?:-?10)?(?:-?cm)?(?: code)?|diagnos[ie]s(?: code)?|dx"),
    ),
    Form(Entity.HEALTH_PROVIDER, rb"[12]\d{9}\b", v.npi, _label(rb"npi" + _NUMBER)),
    Form(Entity.CREDENTIAL, rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    Form(Entity.CREDENTIAL, rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    Form(Entity.CREDENTIAL, rb"\bgh[pousr]_[A-Za-z0-9]{36,}\b"),
    Form(Entity.CREDENTIAL, rb"\bAIza[A-Za-z0-9_-]{35}"),
    Form(Entity.CREDENTIAL, rb"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    Form(Entity.CREDENTIAL, rb"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    Form(
        Entity.CREDENTIAL,
        rb"[A-Za-z0-9/+]{40}\b",
        v.anything,
        _label(rb"aws_?secret_?access_?key|secret_?access_?key"),
    ),
)
"""Every form; where several fit, the first whose check holds."""


@cache
def engine() -> tuple[Any, tuple[tuple[Form, Any, int], ...]]:
    """Return the one pattern that finds candidates, and each form's own, compiled; each process once.

    With each form stands the group that is its value.
    """
    import re2

    options = re2.Options()
    # The default of 8 MiB makes the automaton forget its states again and again on mixed text.
    options.max_mem = 64 << 20
    options.never_capture = True
    everything = b"|".join(b"(?:" + form.whole + b")" for form in FORMS)
    # A group costs a second look at what was found: only forms with a label before them have one.
    single = tuple(
        (form, re2.compile(b"(?:" + form.label + b")(" + form.pattern + b")"), 1)
        if form.label
        else (form, re2.compile(form.pattern, options), 0)
        for form in FORMS
    )
    return re2.compile(everything, options), single


@cache
def beginnings() -> Any:
    """Return what tells by one pass which forms a candidate may have, by their numbers; each process once."""
    import re2

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = 64 << 20
    found = re2.Set.MatchSet(options)
    for form in FORMS:
        found.Add(form.whole)
    found.Compile()
    return found
