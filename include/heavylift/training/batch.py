"""Keeps the number of processes and the batch where the target's machines have another number of devices.

global batch = samples of a device x devices of a machine x machines x accumulated steps
"""

from __future__ import annotations

from dataclasses import dataclass

_MOST_NODES = 4096


@dataclass(frozen=True)
class Shape:
    """How a job is spread on the target.

    :param exact: whether the batch is the source's.
    :param idle: devices of each machine that no process uses.
    """

    nodes: int
    processes: int
    accumulation: int
    exact: bool
    idle: int
    reason: str

    @property
    def world(self) -> int:
        """How many processes take part."""
        return self.nodes * self.processes


def spread(nodes: int, processes: int, accumulation: int, target_devices: int, *, batch_known: bool) -> Shape:
    """Return how ``nodes`` x ``processes`` are spread on machines with ``target_devices`` devices each.

    The number of processes is kept where it can be; otherwise processes x accumulation is, which keeps the
    batch; where that leaves a remainder, devices stay idle. ``exact`` is False where nothing keeps it.

    :param target_devices: 0 where processes are not tied to devices.
    :param batch_known: whether the accumulation may be changed: it must be a parameter of the program.
    """
    world = nodes * processes
    if target_devices in {0, processes}:
        return Shape(nodes, processes, accumulation, True, 0, "as on the source")
    if world % target_devices == 0:
        made = world // target_devices
        return Shape(
            made, target_devices, accumulation, True, 0,
            f"{world} processes as before: {nodes} x {processes} becomes {made} x {target_devices}",
        )  # fmt: skip
    if batch_known and (found := _by_accumulation(world * accumulation, world, target_devices)):
        made, steps = found
        return Shape(
            made, target_devices, steps, True, 0,
            f"{made * target_devices} processes instead of {world}; {steps} accumulated steps instead of"
            f" {accumulation} keep the batch",
        )  # fmt: skip
    return _with_idle(nodes, processes, accumulation, target_devices)


def _by_accumulation(product: int, world: int, devices: int) -> tuple[int, int] | None:
    """Return machines and accumulated steps with the same product, nearest to the old number of processes."""
    fitting = [
        (abs(nodes * devices - world), nodes)
        for nodes in range(1, min(_MOST_NODES, 2 * world // devices + 1) + 1)
        if product % (nodes * devices) == 0
    ]
    if not fitting:
        return None
    nodes = min(fitting)[1]
    return nodes, product // (nodes * devices)


def _with_idle(nodes: int, processes: int, accumulation: int, devices: int) -> Shape:
    world = nodes * processes
    for used in range(min(devices, world), 0, -1):
        if world % used == 0:
            made = world // used
            break
    if devices > processes:
        # Where idle devices are the same number of machines' price, fewer machines are better.
        return Shape(
            made, used, accumulation, True, devices - used,
            f"{world} processes as before, {used} in each machine: {devices - used} of its {devices} devices"
            " stay idle",
        )  # fmt: skip
    if used > devices // 2:
        return Shape(
            made, used, accumulation, True, devices - used,
            f"{world} processes as before, {used} in each of {made} machines",
        )  # fmt: skip
    nearest = max(1, round(world / devices))
    return Shape(
        nearest, devices, accumulation, False, 0,
        f"{world} processes do not divide by {devices} devices: {nearest * devices} is nearest, and the"
        " batch changes with it",
    )  # fmt: skip
