"""The ``compliance`` section: the rules that the whole path of the data must keep."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from heavylift.spec.base import Flag, Name, Number, SpecModel, Text, Url
from heavylift.spec.vocabulary import Platform

_Short = Annotated[Text, Field(min_length=1, max_length=1000)]


class Framework(StrEnum):
    """Rule sets that the migration must keep."""

    GDPR = "gdpr"
    HIPAA = "hipaa"
    RESIDENCY = "residency"
    ENCRYPTION = "encryption"


class DataClassName(StrEnum):
    """What data counts as."""

    PERSONAL = "personal"
    HEALTH = "health"
    FINANCIAL = "financial"
    SECRET = "secret"  # noqa: S105  (a class, no password)


class RuleException(SpecModel):
    """One rule that may be broken for a reason, approved by a person, until a day."""

    rule: Annotated[str, Field(pattern=r"^(RES|GDPR|HIPAA|ENC|SEC)-[0-9]{3}$")] = Field(
        description="The rule's id, such as GDPR-001."
    )
    subject: Text = Field(default="*", description="Dataset, database, … by name; * for all.")
    reason: _Short = Field(description="Why.")
    approver: _Short = Field(description="Who answers for it.")
    expires: date = Field(description="Last day on which it holds, as YYYY-MM-DD.")


class Classification(SpecModel):
    """What somebody states that data is; added to what a scan finds, and never taken off it."""

    subject: Name = Field(
        description="A dataset, database, stream, registry, model, … by name; a section whose data does not"
        " move by its own, such as workload-tests."
    )
    classes: tuple[DataClassName, ...] = Field(
        default=(), description="personal, health, financial, secret; none states that it is none of them."
    )
    made_from: tuple[Name, ...] = Field(
        default=(), description="What it is made from: it counts as all that these count as."
    )
    reason: _Short = Field(description="How that is known; kept as evidence.")


class Declassification(SpecModel):
    """Classes that something does not inherit from what it is derived of, and who allows that."""

    subject: Text = Field(
        min_length=1,
        description="A thing of this file by name, or a component by name or id; * stands for any text.",
    )
    classes: tuple[DataClassName, ...] = Field(
        min_length=1, description="What it does not inherit; what a scan finds in it stays."
    )
    reason: _Short = Field(description="Why: anonymised, aggregated, and by what.")
    approver: _Short = Field(description="Who answers for it.")
    expires: date | None = Field(default=None, description="Last day on which it holds, as YYYY-MM-DD.")


class StatedPlace(SpecModel):
    """What is known of a place that no connection tells."""

    match: _Short = Field(description="URL that the place's begins with, or the connection's id.")
    region: Text | None = Field(default=None, description="Its region.")
    jurisdiction: Text | None = Field(default=None, description="Under whose law it lies: EU, UK, US, …")
    encrypted: Flag | None = Field(default=None, description="Whether it is encrypted at rest.")
    key: Text | None = Field(default=None, description="The customer's own key that it is encrypted with.")


class Safeguard(SpecModel):
    """What makes a transfer of personal data to a jurisdiction lawful."""

    jurisdiction: _Short = Field(description="Where the data goes: US, IN, …")
    kind: _Short = Field(description="scc, bcr, adequacy, dpf, or another of article 46.")
    reference: _Short = Field(description="The contract or decision.")


class Compliance(SpecModel):
    """Rules that the whole path of the data must keep."""

    frameworks: tuple[Framework, ...] = Field(default=(), description="gdpr, hipaa, residency, encryption.")
    allowed_regions: tuple[Text, ...] = Field(
        default=(), description="Regions or jurisdictions (EU) that data may be in; any where empty."
    )
    scan: Flag = Field(default=True, description="Scan datasets and tables for personal data.")
    scan_bound: Number = Field(
        default=0.01,
        gt=0.0,
        lt=1.0,
        description="Bound on the share of units (row groups, MiB of text, rows) with missed personal data.",
    )
    second_opinion: Flag = Field(
        default=False,
        description="Ask Presidio's recognisers, in an environment of their own, about a few candidates of"
        " each column.",
    )
    customer_keys: Flag = Field(
        default=False, description="Demand keys of the customer's own for encryption at rest."
    )
    classify: tuple[Classification, ...] = Field(
        default=(), max_length=10_000, description="What people know of data that is not scanned."
    )
    declassify: tuple[Declassification, ...] = Field(
        default=(),
        max_length=1_000,
        description="What is not inherited along the graph of assess or made_from, by whom allowed.",
    )
    places: tuple[StatedPlace, ...] = Field(
        default=(), max_length=1_000, description="What people know of stores and servers."
    )
    logs: tuple[Url, ...] = Field(
        default=(),
        description="Where logs of tasks are kept (Airflow's remote logging): they name objects and columns.",
    )
    safeguards: tuple[Safeguard, ...] = Field(
        default=(), description="What makes transfers of personal data lawful."
    )
    business_associates: tuple[Platform, ...] = Field(
        default=(), description="Platforms with which a business associate agreement is signed."
    )
    appliance_jurisdictions: tuple[Text, ...] = Field(
        default=(), description="Under whose law devices lie on their way: EU, US, …"
    )
    exceptions: tuple[RuleException, ...] = Field(
        default=(), description="Rules that may be broken, by whom allowed."
    )
