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


async def _report(tmp_path: Path, *datasets: str) -> str:
    """Plan datasets of one object each from AWS to Azure, and return the run's report."""
    run = RunKey(migration="m", phase="transfer", run="one")
    url = f"file://{tmp_path}/evidence"
    cost = CostOptions(source_platform="aws", target_platform="azure")
    for dataset in datasets:
        for name in ("source", "target"):
            (tmp_path / dataset / name).mkdir(parents=True)
        (tmp_path / dataset / "source" / "object").write_bytes(bytes(3_000_000))
        request = TransferRequest(
            run=run,
            dataset=dataset,
            source=Place(Location("file", str(tmp_path / dataset / "source"))),
            target=Place(Location("file", str(tmp_path / dataset / "target"))),
            evidence_url=url,
            evidence_connection=None,
            options=TransferOptions(dry_run=True, cost=cost),
        )
        await plan_transfer(request)
    async with open_evidence(url) as store:
        ref = await build_report(store, run)
        return (await store.read_bytes(ref.path)).decode()


async def test_a_report_has_the_estimate_of_a_dry_run(tmp_path: Path) -> None:
    page = await _report(tmp_path, "data")
    for part in (
        "Cost and duration, as foreseen",
        "3,000,000 bytes",
        "egress from aws",
        "as of 2026-01..05",
        "write requests on azure (target), whose prices are not known",
        "10 Gbit/s line",
        "Perhaps less: ",
        "Advice: heavylift",
    ):
        assert part in page, part


async def test_what_makes_all_datasets_cheaper_is_told_once(tmp_path: Path) -> None:
    page = await _report(tmp_path, "data", "more")
    assert page.count("3,000,000 bytes") == 2
    assert page.count("Perhaps less") == page.count("Perhaps less, of each of them: ") == 1
