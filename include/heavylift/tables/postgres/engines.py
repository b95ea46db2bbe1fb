"""Which engine captures the changes of a database, and why."""

from __future__ import annotations

from dataclasses import dataclass

from heavylift.spec.sections_data import CaptureMethod


@dataclass(frozen=True)
class Choice:
    """An engine, and the reason for it in a sentence."""

    engine: str
    reason: str


def choose_engine(method: CaptureMethod, *, source_version: int, target_version: int) -> Choice:
    """Choose between our own engine (``changes``) and PostgreSQL's subscription (``native``).

    :param method: the spec's wish; ``auto`` leaves it to us.
    :param source_version: as libpq gives it, e.g. 150018.
    """
    if method is CaptureMethod.NATIVE:
        return Choice(
            "native",
            "The spec asks for PostgreSQL's own subscription: the target connects to the source by itself,"
            " and Heavylift sets it up, watches it and verifies it.",
        )
    if method is CaptureMethod.CHANGES:
        return Choice("changes", "The spec asks for Heavylift's own engine.")
    skew = (
        " and works between different versions" if source_version // 10000 != target_version // 10000 else ""
    )
    return Choice(
        "changes",
        "Heavylift's own engine keeps its position in the target, in one transaction with the rows, resumes a"
        f" snapshot by range, needs no network path from the target to the source{skew}; ask for 'native'"
        " where the target can reach the source and no worker is to carry the data.",
    )
