"""The certificate as people read, print and file it: Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from heavylift.evidence.decommission_records import CertifiedPart, DeletionCertificate, LeftOut

_MARKUP = re.compile(r"[\\`*\[\]<>|!#]")


def certificate_markdown(certificate: DeletionCertificate, sha256: str) -> str:
    """Return the certificate in words.

    :param sha256: of its JSON, which is what counts.
    """
    return "\n".join(_lines(certificate, sha256)) + "\n"


def _lines(certificate: DeletionCertificate, sha256: str) -> Iterator[str]:
    yield f"# Deletion certificate: {certificate.migration}"
    yield ""
    yield f"Issued {_when(certificate.issued_at)} by {_plain(certificate.issued_by)} for"
    yield f"{_plain(certificate.owner)}, who answers for the data on the source."
    yield ""
    yield f"- Plan {certificate.plan}, SHA-256 `{certificate.plan_sha256}`"
    yield f"- Made unusable {_when(certificate.disabled_at)}"
    yield f"- Deleted from {_when(certificate.deletion_began_at)} to {_when(certificate.deletion_ended_at)}"
    for each in certificate.consents:
        what = "making it unusable" if each.stage == "disable" else "the deletion"
        who = _plain(each.approver_name or each.approver)
        yield f"- {who} ({_plain(each.approver)}) approved {what} {_when(each.approved_at)}"
    yield ""
    yield "## What was deleted"
    for part in certificate.parts:
        yield from _part(part)
    yield from _listed("## What was kept, and why", certificate.retained)
    yield from _listed("## What people delete themselves", certificate.by_people)
    yield ""
    yield "## What is not proved"
    yield ""
    yield from (f"- {_plain(each)}" for each in certificate.not_proved)
    yield ""
    yield "## How it was deleted"
    yield ""
    yield certificate.sanitisation
    yield ""
    yield f"This text was made from the certificate's JSON, SHA-256 `{sha256}`, which is in the audit trail."


def _part(part: CertifiedPart) -> Iterator[str]:
    yield ""
    yield f"### {_plain(part.component)}"
    yield ""
    yield f"- Where: {_plain(part.where)}"
    yield f"- What: {_plain(part.counted)}; {part.size_bytes:,} bytes"
    yield f"- How: {part.method}"
    yield f"- Digest before: `{part.digest_before}`"
    yield f"- Absence: {_plain(part.absence)}"
    if part.absent_before:
        yield f"- Found absent when an interrupted deletion went on: {part.absent_before:,}"
    if part.left:
        yield f"- Left there: {part.left}"
    if part.recoverable_until:
        yield f"- May be brought back by the owner until: {_plain(part.recoverable_until)}"


def _listed(title: str, items: tuple[LeftOut, ...]) -> Iterator[str]:
    yield ""
    yield title
    yield ""
    yield from (f"- {_plain(each.component)}, {_plain(each.what)}: {_plain(each.reason)}" for each in items)
    if not items:
        yield "Nothing."


def _when(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _plain(text: str) -> str:
    # Names of objects and people are other people's text: they may not become markup.
    return _MARKUP.sub(r"\\\g<0>", text).replace("\n", " ").replace("\r", " ")
