"""The machines that may be chosen: those of the tables of facts, and of a file of one's own."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from heavylift.errors import NotFoundError, SpecError
from heavylift.facts.accelerators import InstanceType, base_of, load_accelerators

NEEDED = ("provider", "instance_type", "vcpu", "ram_gib", "ondemand_usd_h")


@dataclass(frozen=True)
class MachineType:
    """One instance type; None where nobody knows.

    :param gpu: model of its accelerators, without the memory in its name; empty without any.
    :param note: where the figures are from, and of when.
    """

    provider: str
    name: str
    vcpu: float | None
    ram_gib: float | None
    gpu: str = ""
    gpus: int = 0
    gpu_gib_each: float | None = None
    arm: bool = False
    usd_per_hour: float | None = None
    note: str = ""


class Machines:
    """All instance types that are known."""

    def __init__(self, types: Iterable[MachineType]) -> None:
        self._types = {(each.provider, each.name.lower()): each for each in types}

    def of(self, provider: str) -> list[MachineType]:
        """Return all types of a provider."""
        return [each for (owner, _), each in self._types.items() if owner == provider]

    def find(self, provider: str, name: str) -> MachineType:
        """Return one type; SageMaker's ``ml.`` is looked through.

        :raises NotFoundError: it is in no table.
        """
        found = self._types.get((provider, name.lower())) or self._types.get(
            (provider, name.lower().removeprefix("ml."))
        )
        if found is None:
            raise NotFoundError(
                f"looking up the instance type {name!r} of {provider}",
                got="no such row in gpu_instances.csv, nor in a file of your own",
                expected="its cores, memory and price",
                state="nothing was reckoned",
                remedy="give a CSV file with the machines to choose from (--machines, or the field machines)",
                code="9256",
            )
        return found


def load_machines(own: Path | None = None) -> Machines:
    """Return the machines of the tables, and of a file of one's own, whose rows win.

    :raises SpecError: the file can't be read, lacks a column, or a value cannot be.
    """
    known = [_of_facts(each) for each in load_accelerators().types]
    return Machines([*known, *(_own(own) if own else ())])


def _of_facts(each: InstanceType) -> MachineType:
    return MachineType(
        provider=each.provider,
        name=each.name,
        vcpu=each.vcpu,
        ram_gib=each.ram_gib,
        gpu=each.base_model,
        gpus=each.count,
        gpu_gib_each=each.memory_gib_each,
        arm=each.arm,
        usd_per_hour=each.usd_per_hour,
        note=f"gpu_instances.csv, price of {each.date}" if each.date else "gpu_instances.csv",
    )


def _own(path: Path) -> list[MachineType]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [_row(path, row) for row in csv.DictReader(file)]
    except (OSError, csv.Error, ValueError) as error:
        # What is wrong with a row is told; a text that can't be decoded is not shown.
        got = str(error) if type(error) is ValueError else type(error).__name__
        raise SpecError(
            f"reading the machines in {path}",
            got=got,
            expected=f"CSV with {', '.join(NEEDED)}, and numbers from 0 on",
            state="nothing was reckoned",
            remedy="correct the file",
            code="9257",
        ) from error


def _row(path: Path, row: Mapping[str, str]) -> MachineType:
    missing = [name for name in NEEDED if not row.get(name)]
    if missing:
        raise ValueError(f"a row without {', '.join(missing)}")
    gpus = _number(row.get("accel_count") or "0")
    return MachineType(
        provider=row["provider"],
        name=row["instance_type"],
        vcpu=_number(row["vcpu"]),
        ram_gib=_number(row["ram_gib"]),
        gpu=base_of(row.get("accel_model") or "") if gpus else "",
        gpus=int(gpus),
        gpu_gib_each=_number(row["accel_mem_gib_each"]) if row.get("accel_mem_gib_each") else None,
        arm=(row.get("arm") or "").lower() in {"yes", "true", "1"},
        usd_per_hour=_number(row["ondemand_usd_h"]),
        note=f"{path.name}, {row.get('price_date') or 'no date'}",
    )


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"the value {text[:40]!r}")
    return value
