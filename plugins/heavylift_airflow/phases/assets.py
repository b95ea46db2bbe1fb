"""The assets that chain the phases: what a finished phase has made true."""

from __future__ import annotations

from airflow.sdk import Asset

from heavylift.spec import Phase

_STATES = {
    Phase.ASSESS: "assessed",
    Phase.PROVISION: "provisioned",
    Phase.APPLIANCE: "reconciled",
    Phase.TRANSFER: "transferred",
    Phase.SYNC: "synced",
    Phase.REGISTRY: "registered",
    Phase.REVALIDATE: "revalidated",
    Phase.CUTOVER: "switched",
    Phase.OPTIMIZE: "optimized",
}


def phase_asset(migration: str, phase: Phase) -> Asset:
    """Return the asset that gets an event whenever ``phase`` of ``migration`` has been proved."""
    state = _STATES[phase]
    return Asset(
        name=f"{migration}.{state}",
        # For a scheme without "x-" Airflow imports every provider that knows asset URIs, which
        # takes seconds in each task process (seen with 3.3.2: boto3, google-cloud, aiohttp).
        uri=f"x-heavylift://{migration}/{state}",
        group="heavylift",
    )
