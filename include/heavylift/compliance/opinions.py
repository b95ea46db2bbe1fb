"""A second opinion on candidates: Presidio's recognisers, in an environment and a process of their own.

It is asked of a few values of each column that look like something, and never of whole files. What it sees
can add to what a dataset counts as; it takes nothing off.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heavylift.compliance.entities import Entity
from heavylift.errors import UnsupportedError
from heavylift.evidence.compliance_records import Opinion

REQUIREMENT = "presidio-analyzer==2.2.366"
"""What the interpreter that is handed in must have."""
KINDS: Mapping[str, Entity] = {
    "AU_ABN": Entity.NATIONAL_ID,
    "AU_MEDICARE": Entity.MEDICAL_RECORD,
    "AU_TFN": Entity.NATIONAL_ID,
    "CA_SIN": Entity.NATIONAL_ID,
    "CREDIT_CARD": Entity.CREDIT_CARD,
    "EMAIL_ADDRESS": Entity.EMAIL,
    "ES_NIE": Entity.NATIONAL_ID,
    "ES_NIF": Entity.NATIONAL_ID,
    "FI_PERSONAL_IDENTITY_CODE": Entity.NATIONAL_ID,
    "IBAN_CODE": Entity.IBAN,
    "IN_AADHAAR": Entity.NATIONAL_ID,
    "IN_PAN": Entity.NATIONAL_ID,
    "IP_ADDRESS": Entity.IP_ADDRESS,
    "IT_FISCAL_CODE": Entity.NATIONAL_ID,
    "KR_RRN": Entity.NATIONAL_ID,
    "PHONE_NUMBER": Entity.PHONE,
    "PL_PESEL": Entity.NATIONAL_ID,
    "SE_PERSONNUMMER": Entity.NATIONAL_ID,
    "SG_NRIC_FIN": Entity.NATIONAL_ID,
    "UK_NHS": Entity.MEDICAL_RECORD,
    "UK_NINO": Entity.NATIONAL_ID,
    "US_NPI": Entity.HEALTH_PROVIDER,
    "US_SSN": Entity.US_SSN,
    "ZA_ID_NUMBER": Entity.NATIONAL_ID,
}
"""Presidio's name for a kind → ours. Dates, addresses of pages and machines' names are left out."""
SHARE = 0.5
"""Of the values that were asked about, from which a kind counts as seen; a form meets others by chance."""
LEAST = 3
"""Values that must agree: one number may pass any check."""
_WORKER = Path(__file__).with_name("presidio_worker.py")


def ask(samples: Mapping[str, Sequence[str]], interpreter: Path, seconds: float = 600.0) -> list[Opinion]:
    """Return what Presidio makes of each column's candidates; no text is written to a file or a log.

    :param samples: column → texts around candidates.
    :param interpreter: of an environment with :data:`REQUIREMENT`.
    :raises UnsupportedError: it gave no answer.
    """
    names = [name for name, texts in samples.items() if texts]
    if not names:
        return []
    counts = answer([samples[name] for name in names], interpreter, seconds)["counts"]
    return [
        Opinion(column=name, kind=kind, entity=KINDS[kind].value, asked=len(samples[name]), agreed=count)
        for name, found in zip(names, counts, strict=True)
        for kind, count in sorted(found.items())
    ]


def answer(texts: Sequence[Sequence[str]], interpreter: Path, seconds: float = 600.0) -> dict[str, Any]:
    """Return how often Presidio sees each kind in each group of texts, and the seconds that looking took.

    :raises UnsupportedError: as :func:`ask`.
    """
    asked = json.dumps({"kinds": list(KINDS), "texts": [list(group) for group in texts]})
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    try:
        done = subprocess.run(  # noqa: S603  (our own program, in an environment that we built)
            [str(interpreter), "-I", "-W", "ignore", str(_WORKER)],
            input=asked, capture_output=True, text=True, timeout=seconds, check=True, env=kept,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        raise UnsupportedError(
            "asking Presidio for a second opinion",
            got=f"{type(error).__name__}: no answer within {seconds:g} s",
            expected="its counts",
            state="nothing was kept of the scan",
            remedy="remove the folder of isolated environments and scan again, or leave second_opinion out",
            code="9583",
        ) from None
    return found


def sees(opinion: Opinion) -> bool:
    """Tell whether an opinion is enough to count as a finding."""
    return opinion.agreed >= max(LEAST, SHARE * opinion.asked)
