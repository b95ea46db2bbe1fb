"""From a spec's section ``assess`` to what a plan must keep to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from heavylift.errors import SpecError
from heavylift.evidence.assess_input import Constraints, Line, Target
from heavylift.evidence.quota_records import QuotaRecord
from heavylift.spec.model import MigrationSpec
from heavylift.spec.sections_assess import Assess

_DAY = 86_400


def settings_of(spec: MigrationSpec) -> Assess:
    """Return the section ``assess`` of a spec.

    :raises SpecError: it has none.
    """
    if spec.assess is not None:
        return spec.assess
    raise SpecError(
        f"planning migration {spec.migration!r}",
        got="a spec without a section assess",
        expected="one that names at least one line (assess.lines)",
        state="nothing was planned",
        remedy="add the section; docs/reference/assess.md shows the smallest one",
        code="6920",
    )


def targets_of(spec: MigrationSpec) -> tuple[Target, ...]:
    """Return the places to choose from."""
    settings = settings_of(spec)
    own = spec.target
    if not settings.targets:
        return (Target(platform=own.platform.value, region=own.region or ""),)
    return tuple(
        Target(
            platform=(each.platform or own.platform).value,
            region=(own.region or "") if each.region is None else each.region,
            missing=each.missing,
            quotas=dict(each.quotas),
            monthly_usd=each.monthly_usd,
            certifications=each.certifications,
        )
        for each in settings.targets
    )


def with_quotas(targets: Sequence[Target], records: Iterable[QuotaRecord]) -> tuple[Target, ...]:
    """Return targets with the quotas that were read of their platform and region.

    What a region does not offer to the account counts as missing there. A cluster that is named without a
    namespace is meant by the one record of Kubernetes.
    """
    known = {(each.platform, each.region): each for each in records}
    clusters = [each for each in known.values() if each.platform == "kubernetes"]
    made = []
    for target in targets:
        record = known.get((target.platform, target.region))
        if record is None and target.platform == "kubernetes" and not target.region and len(clusters) == 1:
            [record] = clusters
        if record is not None:
            missing = tuple(dict.fromkeys((*target.missing, *record.missing)))
            read = {"limits": record.limits, "rules": record.rules, "missing": missing}
            target = target.model_copy(update=read)
        made.append(target)
    return tuple(made)


def constraints_of(settings: Assess, taken_on: date) -> Constraints:
    """Return what the plan must keep to.

    :param taken_on: the day of the inventory, which is the first day of the move where nobody named one.
    """
    weights = settings.drivers.model_dump(exclude_none=True)
    return Constraints(
        start=(settings.start or taken_on).isoformat(),
        downtime_seconds=float(settings.downtime),
        rpo_seconds=_seconds(settings.rpo),
        rto_seconds=_seconds(settings.rto),
        deadline_days=None if settings.deadline is None else settings.deadline / _DAY,
        lines=tuple(
            Line(
                name=line.name,
                bits_per_second=8.0 * line.bandwidth,
                measured=line.measured,
                usd_per_month=line.usd_per_month,
                setup_days=line.setup / _DAY,
            )
            for line in settings.lines
        ),
        workers=settings.workers,
        wave_bytes=settings.wave_size,
        wave_components=settings.wave_components,
        residency=settings.residency,
        customer=settings.customer,
        purpose="leave" if settings.leaving else "in-parallel",
        claims=settings.claims,
        keep_days=settings.keep / _DAY,
        certifications=settings.certifications,
        weights=weights,
    )


def _seconds(value: int | None) -> float | None:
    return None if value is None else float(value)
