"""The kinds of personal data that a scan knows, and what each of them means for the rules."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DataClass(StrEnum):
    """What the rules ask of a dataset."""

    PERSONAL = "personal"
    HEALTH = "health"
    FINANCIAL = "financial"
    SECRET = "secret"  # noqa: S105  (a class, no password)


class Entity(StrEnum):
    """What a value is."""

    EMAIL = "email"
    CREDIT_CARD = "credit_card"
    IBAN = "iban"
    US_SSN = "us_ssn"
    PHONE = "phone"
    IP_ADDRESS = "ip_address"
    PASSPORT = "passport"
    DRIVING_LICENCE = "driving_licence"
    NATIONAL_ID = "national_id"
    DATE_OF_BIRTH = "date_of_birth"
    PERSON_NAME = "person_name"
    ADDRESS = "address"
    MEDICAL_RECORD = "medical_record"
    DIAGNOSIS = "diagnosis"
    HEALTH_PROVIDER = "health_provider"
    CREDENTIAL = "credential"


@dataclass(frozen=True)
class Kind:
    """How sure a hit is, and what it counts as.

    :param confidence: that a hit is what it seems; a heading that says the same raises it.
    :param chance: share of values of the same shape that pass the check by chance; 0 where there is none
        that chance would pass often.
    """

    classes: frozenset[DataClass]
    confidence: float
    chance: float = 0.0


_P, _H, _F, _S = (frozenset({each}) for each in DataClass)

KINDS = {
    Entity.EMAIL: Kind(_P, 0.95),
    Entity.CREDIT_CARD: Kind(_P | _F, 0.9, 0.1),
    Entity.IBAN: Kind(_P | _F, 0.99, 0.01),
    Entity.US_SSN: Kind(_P, 0.85),
    Entity.PHONE: Kind(_P, 0.8),
    Entity.IP_ADDRESS: Kind(_P, 0.7),
    Entity.PASSPORT: Kind(_P, 0.8),
    Entity.DRIVING_LICENCE: Kind(_P, 0.7),
    Entity.NATIONAL_ID: Kind(_P, 0.9, 0.1),
    Entity.DATE_OF_BIRTH: Kind(_P, 0.8),
    Entity.PERSON_NAME: Kind(_P, 0.6),
    Entity.ADDRESS: Kind(_P, 0.6),
    Entity.MEDICAL_RECORD: Kind(_P | _H, 0.8),
    Entity.DIAGNOSIS: Kind(_P | _H, 0.7),
    Entity.HEALTH_PROVIDER: Kind(_P, 0.9, 0.1),
    Entity.CREDENTIAL: Kind(_S, 0.95),
}
"""Entity → what it counts as. The figures of confidence are the project's own; what precision they
stand for on made data is in docs/reference/compliance.md."""

JUDGED_FROM = 0.5
"""Confidence from which a finding makes a dataset personal; one below is told and judged no further."""
