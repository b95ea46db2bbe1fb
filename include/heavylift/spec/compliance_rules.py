"""Rules about the ``compliance`` section."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.spec.model import MigrationSpec
from heavylift.spec.rule import Broken
from heavylift.spec.vocabulary import Check

SUBJECTS = ("datasets", "databases", "streams", "registries", "feature_stores", "models", "envelopes")
"""Sections whose entries the rules are judged for."""
USED = ("assess", "manifests", "monitor", "optimize", "cutover", "workload_tests")
"""Sections whose data has no name of its own there, and is judged under the section's name, with - for _."""


def compliance_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the compliance section of ``spec``, and with the gates that stand on it."""
    known = {item.name for section in SUBJECTS for item in getattr(spec, section)}
    known |= {section.replace("_", "-") for section in USED if getattr(spec, section) is not None}
    for index, stated in enumerate(spec.compliance.classify if spec.compliance else ()):
        path = ("compliance", "classify", index)
        for field, names in (("subject", (stated.subject,)), ("made_from", stated.made_from)):
            for name in names:
                if name not in known:
                    yield Broken("8320", (*path, field), repr(name), f"a name of {', '.join(SUBJECTS)}")
    if spec.compliance is not None and not spec.compliance.frameworks:
        yield Broken(
            "8321", ("compliance", "frameworks"), "no framework", "gdpr, hipaa, residency, encryption"
        )
    for index, gate in enumerate(spec.gates):
        if Check.COMPLIANCE_CLEAN in gate.checks and spec.compliance is None:
            yield Broken(
                "8322",
                ("gates", index, "checks", gate.checks.index(Check.COMPLIANCE_CLEAN)),
                "compliance_clean without rules",
                "a section compliance that names frameworks",
            )
