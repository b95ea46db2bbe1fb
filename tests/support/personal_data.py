"""A corpus of invented personal data, by a fixed seed: lines with what each holds, and look-alikes."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stdnum import luhn
from stdnum.iso7064 import mod_97_10

from heavylift.compliance.entities import Entity

SEED = 20260101
_NAMES = ("joe", "ann", "maria", "li", "søren", "omar", "ivy", "paul", "zoe", "max")
_WORDS = tuple(
    "the shipment was delayed because of weather and customers asked for updates on training runs".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Line:
    """One line, and the entity that it holds; None where it only looks like one."""

    text: str
    entity: Entity | None
    looks_like: Entity | None = None


def _digits(r: random.Random, count: int) -> str:
    return "".join(r.choices(string.digits, k=count))


def _grouped(text: str, size: int, separator: str) -> str:
    return separator.join(text[i : i + size] for i in range(0, len(text), size))


def _card(r: random.Random) -> str:
    body = r.choice(("4", "51", "55", "37", "6011"))
    length = 15 if body == "37" else 16
    body += _digits(r, length - 1 - len(body))
    number = body + luhn.calc_check_digit(body)
    return number if length == 15 else r.choice((number, _grouped(number, 4, " "), _grouped(number, 4, "-")))


def _iban(r: random.Random) -> str:
    bban = "37040044" + _digits(r, 10)
    number = "DE" + mod_97_10.calc_check_digits(bban + "DE") + bban
    # Some people write it in small letters, which is not looked for.
    return r.choice((number, _grouped(number, 4, " "), number, _grouped(number, 4, " "), number.lower()))


def _ssn(r: random.Random) -> str:
    return f"{r.randint(1, 665):03d}-{r.randint(1, 99):02d}-{r.randint(1, 9999):04d}"


def _email(r: random.Random) -> str:
    local = f"{r.choice(_NAMES)}{r.choice(('.', '_', '+', ''))}{r.choice(_NAMES)}{r.randint(1, 999)}"
    address = f"{local}@{r.choice(('example.com', 'mail.example.org', 'firma.example.co.uk'))}"
    # One in twenty is disguised, and not found.
    return address if r.random() > 0.05 else address.replace("@", " at ").replace(".", " dot ")


def _phone(r: random.Random) -> str:
    area = r.choice((212, 415, 617, 312))
    rest = f"{r.choice((555, 736, 432))}-{r.randint(1000, 9999)}"
    forms = (f"+1 {area} {rest}", f"({area}) {rest}", f"{area}-{rest}", f"+49 30 {r.randint(200000, 999999)}",
             f"+44 20 7946 {r.randint(0, 999):04d}", f"020 7946 {r.randint(0, 999):04d}")  # fmt: skip
    return r.choice(forms)


def _ip(r: random.Random) -> str:
    if r.random() < 0.2:
        return ":".join(f"{r.randint(0x2000, 0xFFFF):x}" for _ in range(8)).replace("ff", "fe", 1)
    return f"{r.randint(11, 200)}.{r.randint(0, 255)}.{r.randint(0, 255)}.{r.randint(1, 254)}"


def _npi(r: random.Random) -> str:
    body = r.choice("12") + _digits(r, 8)
    return f"NPI: {body}{luhn.calc_check_digit('80840' + body)}"


def _birth(r: random.Random) -> str:
    label = r.choice(("DOB: ", "date of birth ", "born on "))
    return f"{label}{r.randint(1930, 2010)}-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}"


def _record(r: random.Random) -> str:
    return f"{r.choice(('MRN: ', 'medical record number '))}{r.choice(('', 'A', 'MR-'))}{_digits(r, 7)}"


def _diagnosis(r: random.Random) -> str:
    label = r.choice(("ICD-10: ", "diagnosis ", "dx: "))
    return f"{label}{r.choice('ABEFJKM')}{_digits(r, 2)}.{r.randint(0, 9)}"


def _credential(r: random.Random) -> str:
    token = "".join(r.choices(string.ascii_letters + string.digits, k=36))
    key = "".join(r.choices(string.ascii_uppercase + "234567", k=16))
    return r.choice((f"AKIA{key}", f"ghp_{token}", "-----BEGIN RSA PRIVATE KEY-----"))


def _national(r: random.Random) -> str:
    number = r.randint(10**7, 10**8 - 1)
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


MADE: dict[Entity, Callable[[random.Random], str]] = {
    Entity.EMAIL: _email,
    Entity.CREDIT_CARD: _card,
    Entity.IBAN: _iban,
    Entity.US_SSN: _ssn,
    Entity.PHONE: _phone,
    Entity.IP_ADDRESS: _ip,
    Entity.HEALTH_PROVIDER: _npi,
    Entity.DATE_OF_BIRTH: _birth,
    Entity.MEDICAL_RECORD: _record,
    Entity.DIAGNOSIS: _diagnosis,
    Entity.CREDENTIAL: _credential,
    Entity.NATIONAL_ID: _national,
}
"""Entity → how one is made."""


def _look_alike(r: random.Random) -> tuple[str, Entity]:
    a, b, c, d = r.randint(1, 20), r.randint(0, 9), r.randint(0, 9), r.randint(1, 99)
    return r.choice((
        (f"order {r.choice('45')}{_digits(r, 15)}", Entity.CREDIT_CARD),
        (f"version {a}.{b}.{c}.{d}", Entity.IP_ADDRESS),
        (f"lib=={a}.{b}.{c}.{d}", Entity.IP_ADDRESS),
        (f"Chrome/{r.randint(90, 130)}.0.{r.randint(1000, 6999)}.{r.randint(1, 99)}", Entity.IP_ADDRESS),
        (f"part 9{_digits(r, 2)}-{_digits(r, 2)}-{_digits(r, 4)}", Entity.US_SSN),
        (f"icon@{r.randint(2, 3)}x.png", Entity.EMAIL),
        (f"loss 0.4{_digits(r, 15)}", Entity.CREDIT_CARD),
        (f"run 2026-{a % 3 + 10}-{b + 10} {c + 10}:{_digits(r, 2)}", Entity.PHONE),
        (f"id {_digits(r, 3)}-{_digits(r, 3)}-000{r.randint(0, 9)}", Entity.PHONE),
        (f"DE{_digits(r, 20)}", Entity.IBAN),
        (f"batch {r.randint(10**7, 10**8 - 1)}{r.choice('ILOU')}", Entity.NATIONAL_ID),
    ))  # fmt: skip


def corpus(each: int = 200, look_alikes: int = 2000, seed: int = SEED) -> Iterator[Line]:
    """Yield ``each`` lines of every kind and ``look_alikes`` that hold none, mixed."""
    r = random.Random(seed)
    lines = [Line(_sentence(r, make(r)), entity) for entity, make in MADE.items() for _ in range(each)]
    for _ in range(look_alikes):
        text, entity = _look_alike(r)
        lines.append(Line(_sentence(r, text), None, entity))
    r.shuffle(lines)
    yield from lines


def plain_text(size: int, seed: int = SEED) -> bytes:
    """Return text without any candidate, of about ``size`` bytes."""
    r = random.Random(seed)
    line = " ".join(r.choices(_WORDS, k=4000)).encode()
    block = b"\n".join(line[i : i + 90] for i in range(0, len(line), 90)) + b"\n"
    return block * (size // len(block) + 1)


def _sentence(r: random.Random, value: str) -> str:
    before, after = (" ".join(r.choices(_WORDS, k=r.randint(2, 8))) for _ in range(2))
    return f"{before} {value}{r.choice(('', '.', ',', ';'))} {after}"
