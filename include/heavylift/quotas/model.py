"""What one platform's reader finds: limits, what takes how much of them, and why something is not known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from heavylift.errors import CredentialError, HeavyliftError, NotFoundError, TransientError, UnsupportedError
from heavylift.evidence.assess_input import Per, QuotaLimit, QuotaRule
from heavylift.evidence.quota_records import QuotaFinding
from heavylift.evidence.records import Severity
from heavylift.platforms.control import DENIED

T = TypeVar("T")
VALUE = "{value}"
"""Stands in the text that says how to ask for more, for the value to ask for."""


@dataclass
class Found:
    """All that was found, and what was not."""

    limits: dict[str, QuotaLimit] = field(default_factory=dict)
    rules: list[QuotaRule] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    findings: list[QuotaFinding] = field(default_factory=list)

    def limit(self, limit: QuotaLimit) -> None:
        """Add a quota; of two of one key the first counts."""
        self.limits.setdefault(limit.key, limit)

    def takes(
        self,
        key: str,
        amount: float,
        *,
        instance: str = "",
        capability: str = "",
        vendor: str = "",
        per: Per = "",
    ) -> None:
        """Add what takes so much of a quota: a machine of a type, a component of a capability, a device."""
        if amount > 0:
            rule = QuotaRule(
                key=key, instance_type=instance, capability=capability, vendor=vendor, per=per, amount=amount
            )
            self.rules.append(rule)

    def tried(self, ask: Callable[[], T], subject: str, permission: str) -> T | None:
        """Return what ``ask`` returns; None where it is refused or not answered, which becomes a finding.

        :raises CredentialError: the credentials themselves are not accepted.
        """
        try:
            return ask()
        except CredentialError as error:
            if error.code != DENIED:
                raise
            self._note(
                "permission_missing", subject, "reading it is not allowed", f"grant {permission}", permission
            )
        except NotFoundError as error:
            self._note("not_found", subject, error.got, "look it up by hand (assess.targets[].quotas)")
        except UnsupportedError as error:
            self._note("not_supported", subject, error.got, "switch its API on, or look it up by hand")
        except TransientError as error:
            self._note("no_answer", subject, error.got, "run it again")
        except HeavyliftError as error:
            self._note("not_supported", subject, error.got, "look it up by hand (assess.targets[].quotas)")
        return None

    def _note(self, rule: str, subject: str, detail: str, remedy: str, permission: str = "") -> None:
        found = {
            "rule": rule, "severity": Severity.WARNING, "subject": subject, "detail": detail,
            "remedy": remedy, "permission": permission,
        }  # fmt: skip
        self.findings.append(QuotaFinding.model_validate(found))


class QuotaReader(Protocol):
    """Reads one platform's quotas."""

    def read(self, region: str) -> Found:
        """Return the quotas of a region."""
        ...
