"""What is found in text, and what is not: recall and precision by kind on made data, and single cases."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from heavylift.compliance.detector import find, masked
from heavylift.compliance.entities import Entity
from heavylift.compliance.patterns import FORMS, Form, engine
from tests.support.personal_data import MADE, corpus

RECALL = {entity: 0.98 for entity in MADE} | {
    Entity.EMAIL: 0.90,  # one in twenty is disguised
    Entity.IBAN: 0.70,  # one in five is in small letters
    Entity.PHONE: 0.75,  # one in six is national, outside North America
}
PRECISION = {entity: 0.98 for entity in MADE} | {
    Entity.CREDIT_CARD: 0.85,  # Luhn's digit is right by chance one time in ten
}
RARE = {Entity.PASSPORT, Entity.DRIVING_LICENCE, Entity.NATIONAL_ID, Entity.CREDENTIAL, Entity.IP_ADDRESS}
"""Kinds of which the corpus has not every form."""


@pytest.fixture(scope="module")
def counts() -> dict[str, Counter[Entity]]:
    """Count true, missed and wrong finds of the corpus by kind."""
    found: dict[str, Counter[Entity]] = {"true": Counter(), "missed": Counter(), "wrong": Counter()}
    for line in corpus():
        seen = {hit.entity for hit in find(line.text.encode()) if hit.valid}
        for entity in seen:
            found["true" if entity is line.entity else "wrong"][entity] += 1
        if line.entity is not None and line.entity not in seen:
            found["missed"][line.entity] += 1
    return found


@pytest.mark.parametrize("entity", list(MADE))
def test_recall_and_precision_keep_their_floors(counts: dict[str, Counter[Entity]], entity: Entity) -> None:
    true, missed, wrong = (counts[name][entity] for name in ("true", "missed", "wrong"))
    assert true / (true + missed) >= RECALL[entity]
    assert true / (true + wrong) >= PRECISION[entity]


@pytest.mark.parametrize(
    ("text", "entity"),
    [
        ("passport L898902C36UTO7408122F1204159ZE184226B<<<<<10", Entity.PASSPORT),
        ("licence MORGA657054SM9IJ", Entity.DRIVING_LICENCE),
        ("fe80:0:0:0:1ff:fe23:4567:890a", Entity.IP_ADDRESS),
        ("codice RSSMRA85T10A562S.", Entity.NATIONAL_ID),
        ("cpf 390.533.447-05", Entity.NATIONAL_ID),
        ("nino AB 12 34 56 C", Entity.NATIONAL_ID),
        ("ssn: 123456780", Entity.US_SSN),
        ("order 4111111111111112 card 4111111111111111", Entity.CREDIT_CARD),
        ("DE89 3704 0044 0532 0130 00 EUR", Entity.IBAN),
        ("DOB – 1990-01-02", Entity.DATE_OF_BIRTH),
        ("passport – X1234567", Entity.PASSPORT),
    ],
)
def test_single_forms(text: str, entity: Entity) -> None:
    assert [hit.entity for hit in find(text.encode()) if hit.valid] == [entity]


@pytest.mark.parametrize(
    "text",
    [
        "0.4111111111111111", "version 1.2.3.4", "v10.2.3.4", "127.0.0.1", "std::abs", "12:34:56",
        "000-12-3456", "666-12-3456", "123e4567-e89b-12d3-a456-426614174000", "logo@2x.png", "a@b",
        "2026-11-29 04:11:22.123456", "DE00 3704 0044 0532 0130 00", "NPI 1234567890", "x" * 5000,
        "ZZ 12 34 56 C", "1.2.3.4.5.6",
    ],
)  # fmt: skip
def test_look_alikes_are_none(text: str) -> None:
    assert not [hit for hit in find(text.encode()) if hit.valid]


def test_a_mask_shows_no_character_of_the_value() -> None:
    text = b"write to joe.doe@example.com"
    hits = [hit for hit in find(text) if hit.valid]
    assert [masked(text[hit.start : hit.end].decode()) for hit in hits] == ["aaa.aaa@aaaaaaa.aaa"]


@pytest.mark.parametrize("form", [each for each in FORMS if not (each.label or each.endless)])
def test_both_engines_see_the_same_form(form: Form) -> None:
    """What Python's engine is held to a candidate for is short, and what the linear one would say."""
    import re2

    width = re._parser.parse(form.pattern).getwidth()[1]  # type: ignore[attr-defined]
    assert width < 100, "an engine that goes back must not meet a form without an end"
    linear = re2.compile(form.pattern)
    single = next(each for each in engine()[1] if each.form is form)
    r = random.Random(width)
    lines = [line.text.encode() for line in corpus(each=10, look_alikes=10)]
    met = 0
    for line in lines:
        broken = bytearray(line)
        place = r.randrange(len(broken))
        broken[place : place + r.randint(0, 2)] = r.choice(
            (b"", b"0", b" ", b"-", b"A", b"\xc3\xb8", b"\xff")
        )
        for text in (line, bytes(broken)):
            for start in range(len(text)):
                found = linear.match(text, start)
                spans = single.spans(text, start)
                assert (spans and spans[0]) == (found and found.span())
                met += found is not None
    assert met or form.entity in RARE


def test_time_grows_with_the_text_alone() -> None:
    import time

    # Texts on which a backtracking engine takes minutes.
    for hostile in (b"a@" * 500_000, b"1-" * 500_000, b"+1 " * 300_000, b"4111 " * 4_000):
        began = time.monotonic()
        list(find(hostile))
        assert time.monotonic() - began < 20
