"""The report tells what a plan foresaw: cost with the origin of its prices, duration, advice."""

from __future__ import annotations

from pathlib import Path

from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence
from heavylift.locations import Location
from heavylift.objects.api import TransferOptions, TransferRequest, plan_transfer
from heavylift.objects.requests import CostOptions
from heavylift.platforms.places import Place
from heavylift.report.build import build_report


async def test_a_report_has_the_estimate_of_a_dry_run(tmp_path: Path) -> None:
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    (tmp_path / "source" / "object").write_bytes(bytes(3_000_000))
    run = RunKey(migration="m", phase="transfer", run="one")
    url = f"file://{tmp_path}/evidence"
    cost = CostOptions(source_platform="aws", target_platform="azure")
    request = TransferRequest(
        run=run,
        dataset="data",
        source=Place(Location("file", str(tmp_path / "source"))),
        target=Place(Location("file", str(tmp_path / "target"))),
        evidence_url=url,
        evidence_connection=None,
        options=TransferOptions(dry_run=True, cost=cost),
    )
    await plan_transfer(request)
    async with open_evidence(url) as store:
        ref = await build_report(store, run)
        page = (await store.read_bytes(ref.path)).decode()
    for part in (
        "Cost and duration, as foreseen",
        "3,000,000 bytes",
        "egress from aws",
        "as of 2026-01..05",
        "write requests on azure (target), whose prices are not known",
        "10 Gbit/s line",
        "Advice: heavylift",
    ):
        assert part in page, part
