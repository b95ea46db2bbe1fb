"""The plan as a document: its digest, how it is kept and read, and that nothing else is carried out."""

from __future__ import annotations

import hashlib
import json

from pydantic import ValidationError

from heavylift.errors import ConflictError, IntegrityError, SpecError
from heavylift.evidence.assess_input import PlanInput
from heavylift.evidence.assess_records import Plan
from heavylift.evidence.canonical import canonical_json
from heavylift.evidence.wording import enumeration

_MOST = 5


def digest_of(plan: Plan) -> str:
    """Return the plan's digest: SHA-256 over its canonical JSON, the long lists line by line.

    First the plan without components and findings, then each component, then each finding, each
    followed by a line feed: so it can be made of a plan of any size without holding its text.
    """
    sha = hashlib.sha256()
    sha.update(canonical_json(plan.model_dump(mode="json", exclude={"components", "findings"})) + b"\n")
    for record in (*plan.components, *plan.findings):
        sha.update(canonical_json(record) + b"\n")
    return sha.hexdigest()


def digest_of_input(given: PlanInput) -> str:
    """Return the digest of what a plan is made from, made like a plan's."""
    sha = hashlib.sha256()
    sha.update(canonical_json(given.model_dump(mode="json", exclude={"components", "dependencies"})) + b"\n")
    for record in (*given.components, *given.dependencies):
        sha.update(canonical_json(record) + b"\n")
    return sha.hexdigest()


def to_document(plan: Plan, digest: str) -> bytes:
    """Return the plan as one JSON document with its ``digest``, as :func:`digest_of` tells it."""
    return b'{"digest":"%s","plan":%s}\n' % (digest.encode(), plan.model_dump_json().encode())


def from_document(data: bytes, where: str) -> Plan:
    """Return the plan of a document whose digest is right.

    :param where: names the document in errors.
    :raises SpecError: it is no plan of a version that this one reads.
    :raises IntegrityError: it was changed after it was made.
    """
    try:
        document = json.loads(data)
        said = str(document["digest"])
        plan = Plan.model_validate_json(json.dumps(document["plan"]))
    except (ValueError, KeyError, TypeError) as error:
        raise SpecError(
            f"reading the plan {where}",
            got=_what(error),
            expected="a document that 'heavylift plan --out' wrote",
            state="nothing was carried out",
            remedy="make the plan again with this version",
            code="6902",
        ) from error
    if digest_of(plan) != said:
        raise IntegrityError(
            f"reading the plan {where}",
            got=f"content with the digest {digest_of(plan)}",
            expected=f"the digest that it names, {said}",
            state="nothing was carried out",
            remedy="take the plan that was kept as evidence, or make and approve a new one",
            code="6903",
        )
    return plan


def require_approved(plan: Plan, approved: str) -> None:
    """Do nothing where ``plan`` is the one that was approved.

    :param approved: the digest that the approval names.
    :raises ConflictError: it is another plan; nothing of it may be carried out.
    """
    require_digest(plan, digest_of(plan), approved)


def require_digest(plan: Plan, digest: str, approved: str) -> None:
    """Do nothing where ``digest``, which is the plan's, is the one that was approved.

    :raises ConflictError: it is another plan; nothing of it may be carried out.
    """
    if digest != approved:
        raise ConflictError(
            f"carrying out the plan of {plan.migration!r}",
            got=f"a plan with the digest {digest}",
            expected=f"the approved one, {approved}",
            state="nothing was carried out",
            remedy="carry out the approved plan, or have this one approved",
            code="6904",
        )


def parse_input(data: bytes, where: str) -> PlanInput:
    """Return the input of a plan.

    :raises SpecError: it is no JSON, or a field is missing, unknown or out of range; the message names
        the first few.
    """
    try:
        return PlanInput.model_validate_json(data)
    except ValidationError as error:
        raise SpecError(
            f"reading the input {where}",
            got=_what(error),
            expected="a plan's input as docs/reference/planning.md describes it",
            state="nothing was planned",
            remedy="correct the fields that are named",
            code="6905",
        ) from error


def _what(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return type(error).__name__
    problems = [
        f"{'.'.join(str(part) for part in each['loc']) or 'the document'}: {each['msg']}"
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    return enumeration(problems, shown=_MOST)
