"""Real terraform over mock providers with the real schemas: no cloud, no network."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from heavylift.infra.folder import Infra, write
from heavylift.infra.generate import generate
from heavylift.infra.plans import Planned
from heavylift.infra.roots import Root, root_of
from heavylift.infra.targets.catalog import target_of
from heavylift.infra.terraform import find_terraform
from heavylift.infra.things import Thing, Wanted
from sandbox.terraform.rig import Rig, make_rig
from tests.support.canary import Canary

SHARED = {
    "project": "demo-project",
    "project_number": "1",
    "account_id": "123456789012",
    "key_expires": "2030-01-01T00:00:00Z",
}
CANARY = Canary(plain=True)
SECRET = CANARY.value


@dataclass
class Place:
    """A generated folder, and the cloud that terraform thinks it is for."""

    infra: Infra
    rig: Rig

    def root(self, name: str) -> Root:
        """Return one root, with a credential that must be seen nowhere."""
        return root_of(self.infra, name, find_terraform({"GOOGLE_CREDENTIALS": SECRET}))

    def planned(self, name: str, *, destroy: bool = False) -> Planned:
        """Plan one root."""
        return self.root(name).plan(destroy=destroy)

    def applied(self, name: str, *, destroy: bool = False) -> None:
        """Plan and apply one root."""
        self.root(name).apply(self.planned(name, destroy=destroy).digest, destroy=destroy)


def place(home: Path, demand: Wanted, *, approved: bool = True) -> Place:
    """Generate, and make a cloud that knows the types that were generated."""
    made = generate(demand)
    infra = write(made, demand, home / "infra", approved=approved)
    types = re.findall(r'^resource "(\w+)"', "".join(made.files.values()), re.MULTILINE)
    asked: dict[str, object] = dict(SHARED)
    for path, text in made.files.items():
        if path.count("/") == 1 and path.endswith("variables.tf"):
            for name, kind in re.findall(r'variable "(\w+)" \{[^}]*?type\s+= ([\w()]+)', text):
                asked.setdefault(name, ["x"] if kind.startswith("list") else "x")
    for name in ("foundation", "region", "location", "labels", "protect", "allowed_ips"):
        asked.pop(name, None)
    (infra.folder / "values.json").write_text(json.dumps(asked))
    return Place(infra, make_rig(home / "rig", types))


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Placing]:
    """Return what generates a demand beside a cloud of its own."""
    # Not pytest's own folder: the address of a socket may have some hundred letters and no more.
    with tempfile.TemporaryDirectory(prefix="hl-tf-") as home, ExitStack() as servers:
        yield Placing(Path(home), monkeypatch, servers)


@dataclass
class Placing:
    """Makes places; terraform finds the last one's providers."""

    home: Path
    monkeypatch: pytest.MonkeyPatch
    servers: ExitStack

    def __call__(self, demand: Wanted, *, approved: bool = True, started: bool = True) -> Place:
        """Generate ``demand``.

        :param started: one provider serves all commands; else each starts its own, as in real life.
        """
        made = place(self.home, demand, approved=approved)
        self.monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(made.rig.config))
        if started:
            provider = target_of(demand.target).provider
            served = self.servers.enter_context(made.rig.serving(provider))
            self.monkeypatch.setenv("TF_REATTACH_PROVIDERS", served)
        return made


def named(things: Sequence[Thing], *capabilities: str) -> list[Thing]:
    """Return the things of these capabilities."""
    return [each for each in things if each.capability in capabilities]
