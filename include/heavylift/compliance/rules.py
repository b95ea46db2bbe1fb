"""The rules: what each demands of a place on the path, and what helps where it is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from heavylift.compliance.path import Leg, Subject
from heavylift.compliance.transit import Way
from heavylift.spec.sections_compliance import Compliance, Framework

Outcome = Literal["kept", "broken", "unknown"]

ADEQUATE = frozenset({"EU", "UK", "CH", "NO", "JP", "CA", "AR", "IL", "NZ", "KR", "UY"})
"""Jurisdictions to which personal data of the EU may go without more: the EEA, and those that the Commission
has found adequate (article 45). The US is not among them: its framework holds for certified firms alone."""
_GDPR_LANDS = frozenset({"EU", "UK", "NO"})


@dataclass(frozen=True)
class Judged:
    """What a rule says of one place."""

    outcome: Outcome
    detail: str


_OF_WAYS: dict[Way, Outcome] = {"tls": "kept", "loopback": "kept", "plain": "broken", "unknown": "unknown"}
Judge = Callable[[Subject, Leg, Compliance], Judged | None]
"""Returns None where a rule does not apply."""


@dataclass(frozen=True)
class Rule:
    """One rule.

    :param control: where it is written.
    :param demands: in one sentence.
    """

    id: str
    framework: Framework
    jurisdiction: str
    control: str
    demands: str
    remedy: str
    judge: Judge


def _has(subject: Subject, *classes: str) -> bool | None:
    return None if subject.classes is None else bool(subject.classes & set(classes))


def _source_of(subject: Subject) -> Leg | None:
    return next((each for each in subject.legs if each.name == "source"), None)


def _unclassified(subject: Subject) -> Judged:
    return Judged("unknown", f"nobody knows what it counts as: {subject.proof}")


def _known(subject: Subject, leg: Leg, _rules: Compliance) -> Judged | None:
    if leg.name != "source":
        return None
    if subject.classes is None or not subject.proved:
        return _unclassified(subject)
    return Judged("kept", f"{', '.join(sorted(subject.classes)) or 'none'}: {subject.proof}")


def _allowed(_subject: Subject, leg: Leg, rules: Compliance) -> Judged | None:
    if not rules.allowed_regions or not leg.written:
        return None
    allowed, where = (
        set(rules.allowed_regions),
        f"{leg.where} in {leg.region or '?'} ({leg.jurisdiction or '?'})",
    )
    if leg.region in allowed or leg.jurisdiction in allowed:
        return Judged("kept", where)
    if not leg.jurisdiction:
        return Judged("unknown", f"{where}: nobody knows under whose law it lies")
    return Judged("broken", f"{where} is not in {', '.join(sorted(allowed))}")


def _transfer(subject: Subject, leg: Leg, rules: Compliance) -> Judged | None:
    if not leg.written:
        return None
    source = _source_of(subject)
    if source is not None and source.jurisdiction and source.jurisdiction not in _GDPR_LANDS:
        return None
    personal = _has(subject, "personal", "health", "financial")
    if personal is None:
        return _unclassified(subject)
    if not personal or leg.jurisdiction in ADEQUATE:
        return Judged("kept", f"{leg.where} ({leg.jurisdiction or '?'})" if personal else "no personal data")
    if not leg.jurisdiction:
        return Judged("unknown", f"nobody knows under whose law {leg.where} lies")
    guard = next((each for each in rules.safeguards if each.jurisdiction == leg.jurisdiction), None)
    if guard is not None:
        return Judged("kept", f"{leg.where} ({leg.jurisdiction}) by {guard.kind}, {guard.reference}")
    return Judged("broken", f"personal data goes to {leg.where} ({leg.jurisdiction}) without a safeguard")


def _associate(subject: Subject, leg: Leg, rules: Compliance) -> Judged | None:
    health = _has(subject, "health")
    if health is None:
        return _unclassified(subject) if leg.name == "target" else None
    if not health or leg.platform in {"", "kubernetes"}:
        return None
    if leg.platform in {each.value for each in rules.business_associates}:
        return Judged("kept", f"an agreement with {leg.platform} is stated")
    return Judged("broken", f"health data at {leg.platform}, with which no agreement is stated")


def _health_in_transit(subject: Subject, leg: Leg, rules: Compliance) -> Judged | None:
    return _in_transit(subject, leg, rules) if _has(subject, "health") else None


def _in_transit(_subject: Subject, leg: Leg, _rules: Compliance) -> Judged | None:
    if leg.transit is None:
        return None
    outcomes: dict[str, Outcome] = {
        "tls": "kept",
        "loopback": "kept",
        "plain": "broken",
        "unknown": "unknown",
    }
    return Judged(outcomes[leg.transit.way], leg.transit.detail)


def _health_at_rest(subject: Subject, leg: Leg, rules: Compliance) -> Judged | None:
    return _at_rest(subject, leg, rules) if _has(subject, "health") else None


def _at_rest(_subject: Subject, leg: Leg, _rules: Compliance) -> Judged | None:
    if not leg.written:
        return None
    if leg.encrypted is None:
        return Judged("unknown", f"nobody says whether {leg.where} is encrypted at rest")
    return Judged(
        "kept" if leg.encrypted else "broken", f"{leg.where}: {'' if leg.encrypted else 'not '}encrypted"
    )


def _own_key(_subject: Subject, leg: Leg, rules: Compliance) -> Judged | None:
    if not rules.customer_keys or not leg.written:
        return None
    if leg.key:
        return Judged("kept", f"{leg.where}: {leg.key}")
    return Judged("broken", f"{leg.where} has no key of the customer's own that is stated")


def _key_mapped(subject: Subject, leg: Leg, _rules: Compliance) -> Judged | None:
    source = _source_of(subject)
    if leg.name != "target" or source is None or not source.key:
        return None
    if leg.key:
        return Judged("kept", f"{source.key} becomes {leg.key}")
    return Judged("broken", f"{source.where} has the key {source.key}, and {leg.where} none")


def _no_credentials(subject: Subject, leg: Leg, _rules: Compliance) -> Judged | None:
    if leg.name != "target" or subject.classes is None:
        return None
    if "secret" in subject.classes:
        return Judged("broken", "it holds credentials, which would move with the data")
    return Judged("kept", "no credentials seen")


_PLACES = "compliance.places"

RULES = (
    Rule("GDPR-001", Framework.GDPR, "EU, UK, EEA", "GDPR art. 44 to 46",
         "personal data goes to adequate jurisdictions only, or under a stated safeguard",
         "choose a region with an adequacy decision, or state it in compliance.safeguards", _transfer),
    Rule("GDPR-002", Framework.GDPR, "EU, UK, EEA", "GDPR art. 30(1)(c)",
         "it is known what categories of data each dataset holds",
         "run 'heavylift compliance check SPEC --scan', or state it in compliance.classify", _known),
    Rule("HIPAA-001", Framework.HIPAA, "US", "HIPAA 164.308(b), 164.502(e)",
         "health data lies with platforms that have signed a business associate agreement only",
         "sign it, then name the platform in compliance.business_associates", _associate),
    Rule("HIPAA-002", Framework.HIPAA, "US", "HIPAA 164.312(e)(1)",
         "health data travels encrypted",
         "let the connection demand TLS", _health_in_transit),
    Rule("HIPAA-003", Framework.HIPAA, "US", "HIPAA 164.312(a)(2)(iv)",
         "health data is encrypted at rest",
         f"encrypt the place, and state it in {_PLACES}", _health_at_rest),
    Rule("RES-001", Framework.RESIDENCY, "as stated", "the spec's allowed_regions",
         "every place on the path lies in an allowed region or jurisdiction",
         f"choose an allowed region, or tell the place's in {_PLACES}", _allowed),
    Rule("ENC-001", Framework.ENCRYPTION, "any", "GDPR art. 32(1)(a), HIPAA 164.312(e)(1)",
         "every way is encrypted, or leaves no machine",
         "let the connection demand TLS: https, sslmode=require, security.protocol=SASL_SSL", _in_transit),
    Rule("ENC-002", Framework.ENCRYPTION, "any", "GDPR art. 32(1)(a), HIPAA 164.312(a)(2)(iv)",
         "every place that is written to is encrypted at rest",
         f"encrypt the place, and state it in {_PLACES}", _at_rest),
    Rule("ENC-003", Framework.ENCRYPTION, "any", "the spec's customer_keys",
         "every place that is written to has a key of the customer's own",
         f"set the key, and state it in {_PLACES}", _own_key),
    Rule("ENC-004", Framework.ENCRYPTION, "any", "GDPR art. 32(1)(a)",
         "what has a key of the customer's own on the source has one on the target",
         f"make the key on the target, and state it in {_PLACES}", _key_mapped),
    Rule("SEC-001", Framework.ENCRYPTION, "any", "GDPR art. 32(1)(b), HIPAA 164.312(d)",
         "no credentials move with the data",
         "revoke them, take them out of the data, then scan again", _no_credentials),
)  # fmt: skip
"""All rules, in the order in which they are told."""


def judgements(subject: Subject, rules: Compliance) -> Iterator[tuple[Rule, Leg, Judged]]:
    """Yield what every rule of the chosen frameworks says of every place on a path."""
    for rule in RULES:
        if rule.framework not in rules.frameworks:
            continue
        for leg in subject.legs:
            judged = rule.judge(subject, leg, rules)
            if judged is not None:
                yield rule, leg, judged
