"""What ``heavylift appliance`` shows: plans, standings and progress, as text and as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from heavylift.cli.output import note

if TYPE_CHECKING:
    from heavylift.objects.appliances.records import ShipmentPlan
    from heavylift.objects.appliances.standing import ShipmentStanding


def reporter(what: str) -> Callable[[Any], None]:
    """Return what shows progress on standard error, every two seconds."""
    import time

    shown = [0.0]

    def report(progress: Any) -> None:
        if time.monotonic() - shown[0] < 2 and progress.objects_done < progress.objects_total:
            return
        shown[0] = time.monotonic()
        note(
            f"{what}: {progress.objects_done:,}/{progress.objects_total:,} objects,"
            f" {progress.bytes_done / 2**20:,.1f}/{progress.bytes_total / 2**20:,.1f} MiB,"
            f" {progress.bytes_per_second / 2**20:,.1f} MiB/s"
        )

    return report


def planned_text(plan: ShipmentPlan) -> str:
    """Return a plan for people."""
    from heavylift.evidence.wording import counted, size
    from heavylift.objects.appliances.packing import ONLINE_REASONS

    lines = [
        f"{plan.source_url} -> {plan.target_url}, run {plan.run.run}",
        f"  {counted(plan.shipped.objects, 'object')} ({size(plan.shipped.size_bytes)}) on"
        f" {counted(len(plan.devices), 'device')} {plan.device_model};"
        f" no packing does with fewer than {plan.lower_bound}",
        f"  {counted(plan.online.objects, 'object')} ({size(plan.online.size_bytes)}) online",
    ]
    lines += [
        f"    {number:,}: {ONLINE_REASONS.get(rule, rule)}" for rule, number in plan.online_reasons.items()
    ]
    for device in plan.devices:
        instead = f", in place of {device.replaces}" if device.replaces else ""
        lines.append(
            f"  {device.id}: {counted(device.planned.objects, 'object')}, {size(device.planned.size_bytes)},"
            f" {device.first_key} to {device.last_key}{instead}"
        )
    lines += [f"  {finding.severity}: {finding.detail}; {finding.remedy}" for finding in plan.findings]
    return "\n".join(lines)


def standing_document(standing: ShipmentStanding) -> dict[str, Any]:
    """Return where a dataset's devices stand, as data."""
    return {
        "dataset": standing.dataset,
        "devices": [
            {
                "device": device.planned.id,
                "state": device.custody.state.value,
                "replaces": device.planned.replaces,
                "planned": device.planned.planned,
                "brought": device.brought,
                "steps": [kept.record for kept in device.custody.entries],
            }
            for device in standing.devices
        ],
        "unsettled": list(standing.unsettled),
    }


def standing_text(standing: ShipmentStanding) -> str:
    """Return where a dataset's devices stand, for people."""
    if standing.plan is None:
        return f"{standing.dataset}: not planned"
    lines = [f"{standing.dataset}, run {standing.plan.run.run}:"]
    for device in standing.devices:
        facts = [
            f"{name} {value}"
            for name in ("job", "serial", "tracking", "seal", "reason")
            if (value := device.custody.fact(name))
        ]
        lines.append(
            f"  {device.planned.id:<24} {device.custody.state.value:<11}"
            f" {device.planned.planned.objects:>12,} objects  {', '.join(facts)}".rstrip()
        )
    return "\n".join(lines)


def terabytes(size_bytes: int | None) -> str:
    """Return a device's capacity for people."""
    return "your own" if size_bytes is None else f"{size_bytes / 10**12:,.0f} TB"
