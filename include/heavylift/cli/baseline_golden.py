"""The golden rows of ``heavylift baseline``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.connections import connection_from_env
from heavylift.errors import SpecError

if TYPE_CHECKING:
    from heavylift.baselines.requests import GoldenAsk


def golden_ask(
    golden: str | None,
    conn_id: str | None,
    label: str,
    slices: str,
    metrics: str,
    threshold: float | None,
) -> GoldenAsk | None:
    """Return what the options ask for; None without ``--golden``.

    :raises SpecError: a metric is unknown, or a URL has no connection.
    """
    if golden is None:
        return None
    from heavylift.baselines.requests import GoldenAsk
    from heavylift.locations import parse_location
    from heavylift.platforms.places import Place
    from heavylift.scoring.metrics import METRICS

    location = parse_location(golden if "://" in golden else f"file://{Path(golden).absolute()}")
    names = _listed(metrics)
    wrong = sorted(set(names) - set(METRICS))
    if wrong or (location.scheme != "file" and conn_id is None):
        raise SpecError(
            "reading --golden",
            got=f"the metrics {', '.join(wrong)}" if wrong else f"{golden} without a connection",
            expected=f"metrics among {', '.join(METRICS)}" if wrong else "--golden-conn for a URL",
            state="nothing was touched",
            remedy="correct --metrics, or give --golden-conn",
            code="9123",
        )
    connection = None if conn_id is None or location.scheme == "file" else connection_from_env(conn_id)
    return GoldenAsk(
        place=Place(location, connection),
        label=label,
        slices=_listed(slices),
        metrics=names,
        threshold=threshold,
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())
