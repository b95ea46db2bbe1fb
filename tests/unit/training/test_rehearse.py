"""Launchers of both forms are run as processes, and who is who is compared."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from heavylift.errors import IncompleteError, UnsupportedError
from heavylift.training import rehearse as rehearsing
from heavylift.training.model import Cluster, Form
from heavylift.training.rehearse import rehearse
from heavylift.training.targets import Kind, Target
from heavylift.training.translate import Translation, translate
from tests.support.longer import first_then_long
from tests.unit.training.jobs import DEFINITIONS, full_map


def made(target: Target, name: str = "sagemaker.json") -> Translation:
    return translate(DEFINITIONS / name, target, full_map(target.form), Cluster.EKS)


@pytest.mark.parametrize(
    "target",
    first_then_long(
        [
            Target(Form.VERTEX),
            Target(Form.KUBERNETES, Cluster.GKE),
            Target(Form.KUBERNETES, Cluster.GKE, Kind.JOB),
            Target(Form.AZURE_ML),
            Target(Form.SAGEMAKER),
        ]
    ),
)
def test_every_process_has_the_same_place_and_the_same_sum(target: Target) -> None:
    found = made(target)
    run = rehearse(found.source, found.target, found.text)
    assert run.equal
    assert [each.rank for each in run.target] == [0, 1, 2, 3]
    assert [(each.node, each.local) for each in run.target] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {each.world for each in run.target} == {4}
    # 1 + 2 + 3 + 4 of every element.
    assert {each.total for each in run.target} == {tuple(10.0 * (at + 1) for at in range(8))}
    assert [each.leads for each in run.target] == [True, False, False, False]


def test_three_machines_of_vertex_and_the_command_of_the_definition_itself() -> None:
    found = made(Target(Form.VERTEX), "vertex.yaml")
    assert rehearse(found.source, found.target, found.text).nodes == 3
    # A definition whose launcher does not start is found.
    broken = found.text.replace('"-c"', '"-m"')
    with pytest.raises(IncompleteError, match="HL-9207"):
        rehearse(found.source, found.target, broken, seconds=30)


def test_different_places_are_no_equality() -> None:
    found = made(Target(Form.VERTEX))
    run = rehearse(found.source, found.target, found.text)
    moved = (replace(run.target[0], node=1), *run.target[1:])
    assert not replace(run, target=moved).equal
    assert not replace(run, source=(), target=()).equal


def test_what_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    note = f"pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))"
    program = f"import os, pathlib, signal; {note}; signal.pause()"
    monkeypatch.setattr(rehearsing, "_command", lambda *_: [sys.executable, "-c", program])
    found = made(Target(Form.AZURE_ML))
    with pytest.raises(IncompleteError, match="0 of 4 processes"):
        rehearse(found.source, found.target, found.text, seconds=5)
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_jobs_that_torchrun_does_not_start_are_refused() -> None:
    found = made(Target(Form.AZURE_ML), "mpijob.yaml")
    with pytest.raises(UnsupportedError, match="HL-9206"):
        rehearse(found.source, found.target)
