"""The forms of personal data, for a regex engine whose time is linear in the text whatever the text is.

All forms are one alternation, so that a text is read once. What it finds is a candidate; the form that it
has and the check of that decide. Forms end at a line's end: values of a column are joined by it.

A form of at most some dozens of characters is held to a candidate by Python's own engine: that costs a third
of the linear one's call, and cannot run away within so few characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from heavylift.compliance import validators as v
from heavylift.compliance.entities import Entity


@dataclass(frozen=True)
class Form:
    """One form of one entity.

    :param label: the form begins with words that say what follows; ``value`` finds it then.
    :param endless: a value may be of any length.
    """

    entity: Entity
    pattern: bytes
    check: Callable[[str], bool] = v.anything
    label: bytes = b""
    endless: bool = False

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
        endless=True,
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
    Form(Entity.CREDENTIAL, rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----", endless=True),
    Form(Entity.CREDENTIAL, rb"\bgh[pousr]_[A-Za-z0-9]{36,}\b", endless=True),
    Form(Entity.CREDENTIAL, rb"\bAIza[A-Za-z0-9_-]{35}"),
    Form(Entity.CREDENTIAL, rb"\bxox[abprs]-[A-Za-z0-9-]{10,}", endless=True),
    Form(
        Entity.CREDENTIAL,
        rb"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
        endless=True,
    ),
    Form(
        Entity.CREDENTIAL,
        rb"[A-Za-z0-9/+]{40}\b",
        v.anything,
        _label(rb"aws_?secret_?access_?key|secret_?access_?key"),
    ),
)
"""Every form; where several fit, the first whose check holds."""


Span = tuple[int, int]
Find = Callable[[bytes, int], Span]
"""Text and place → where it was found from there on; (-1, -1) where it was not."""


class Single(NamedTuple):
    """One form, ready to be held to a candidate.

    :param spans: text and place → where the whole form and its value stand, or None.
    :param alone: a value may be no part of something longer; a label, an address and a key say enough.
    """

    form: Form
    spans: Callable[[bytes, int], tuple[Span, Span] | None]
    alone: bool


@cache
def engine() -> tuple[Find, tuple[Single, ...]]:
    """Return what finds the next candidate, and each form by itself, compiled; each process once."""
    from re2 import _re2

    everything = b"|".join(b"(?:" + form.whole + b")" for form in FORMS)
    # Its own objects, without the package's wrapper: that makes three objects for each answer, which costs
    # as much again as looking for it.
    combined = _re2.RE2(everything, _options(captures=False))
    # Named types, for the package has neither stubs nor a list of what it gives out.
    look: Callable[..., list[Span]] = combined.Match
    anywhere = _re2.RE2.Anchor.UNANCHORED

    def following(data: bytes, position: int) -> Span:
        return look(anywhere, data, position, len(data))[0]

    return following, tuple(_single(form) for form in FORMS)


def _options(*, captures: bool) -> Any:
    import re2

    options = re2.Options()
    # The default of 8 MiB makes the automaton forget its states again and again on mixed text.
    options.max_mem = 64 << 20
    options.never_capture = not captures
    return options


def _single(form: Form) -> Single:
    alone = not form.label and form.entity not in {Entity.EMAIL, Entity.CREDENTIAL}
    return Single(form, _linear(form) if form.label or form.endless else _bounded(form), alone)


def _bounded(form: Form) -> Callable[[bytes, int], tuple[Span, Span] | None]:
    match = re.compile(form.pattern).match

    def spans(data: bytes, position: int) -> tuple[Span, Span] | None:
        found = match(data, position)
        return None if found is None else (found.span(), found.span())

    return spans


def _linear(form: Form) -> Callable[[bytes, int], tuple[Span, Span] | None]:
    from re2 import _re2

    # A group costs a second look at what was found: only forms with a label before them have one.
    group = 1 if form.label else 0
    pattern = b"(?:" + form.label + b")(" + form.pattern + b")" if form.label else form.pattern
    compiled = _re2.RE2(pattern, _options(captures=bool(form.label)))
    look: Callable[..., list[Span]] = compiled.Match
    here = _re2.RE2.Anchor.ANCHOR_START

    def spans(data: bytes, position: int) -> tuple[Span, Span] | None:
        found = look(here, data, position, len(data))
        return None if found[0][0] < 0 else (found[0], found[group])

    return spans


@cache
def beginnings() -> Callable[[bytes], list[int]]:
    """Return what tells by one pass which forms a candidate may have, by their numbers; each process once."""
    import re2

    options = re2.Options()
    options.max_mem = 64 << 20
    # Characters are counted as by the forms themselves: a dash of three bytes after a label is one.
    found = re2.Set.MatchSet(options)
    for form in FORMS:
        found.Add(form.whole)
    found.Compile()
    match: Callable[[bytes], list[int] | None] = found.Match
    every = list(range(len(FORMS)))

    def fitting(data: bytes) -> list[int]:
        numbers = match(data)
        # None: its automaton ran out of memory. Then each form is asked.
        return every if numbers is None else sorted(numbers)

    return fitting
