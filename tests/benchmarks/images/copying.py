"""The lane that copies images between two registries, beside skopeo."""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import yaml

from sandbox import registry_programs
from tests.benchmarks.goals import Goal
from tests.benchmarks.lanes import Result
from tests.benchmarks.measure import Contender, NoFigureError, Step, alternate
from tests.benchmarks.objects.servers import Bench
from tests.support.made_images import Made, image, index, layer, pulled, push
from tests.support.registries import RegistryServer, registry

US, SYNC, COPY = "heavylift", "skopeo sync --all", "skopeo copy --all, 20 times"
IMAGES, MIB = 20, 2**20
SHARED_MIB, OWN_MIB, SHARED = 8, 4, 4


def copy(bench: Bench, runs: int, scale: float) -> Result:
    """Copy 20 images that share most of their layers to an empty registry."""
    with tempfile.TemporaryDirectory(prefix="heavylift-bench-images-") as name:
        root = Path(name)
        with registry(root / "source") as source:
            made = _seeded(source, scale)
            lane = _Lane(root, source, made)
            contenders = [
                Contender(US, lane.ours, lane.check, lane.prepare, lane.clean),
                Contender(SYNC, lane.sync, lane.check, lane.prepare, lane.clean),
                Contender(COPY, lane.copies, lane.check, lane.prepare, lane.clean),
            ]
            found = alternate(contenders, runs, bench.say)
            lane.clean(0)
    size = scale * (SHARED * SHARED_MIB + IMAGES * OWN_MIB)
    goals = (Goal("wall_seconds", 1.0, (SYNC, COPY)), Goal("cpu_seconds", 1.0, (SYNC, COPY)))
    return Result(f"{IMAGES} images of two platforms, {size:,.0f} MiB of layers", US, found, goals)


def _seeded(source: RegistryServer, scale: float) -> dict[str, Made]:
    noise = random.Random("images")
    # Real layers: the peer compresses what is not, which makes another digest.
    shared = [layer(f"{at}", noise.randbytes(max(1, int(SHARED_MIB * MIB * scale)))) for at in range(SHARED)]
    made = {}
    for number in range(IMAGES):
        own = layer("own", noise.randbytes(max(1, int(OWN_MIB * MIB * scale))))
        other = image([*shared[:2], own], architecture="arm64")
        made[f"ml/i{number:02}"] = index([image([*shared, own]), other])
    for name, each in made.items():
        push(source, name, each, "1")
    return made


class _Lane:
    """A run's target, and the tools' command lines."""

    def __init__(self, root: Path, source: RegistryServer, made: Mapping[str, Made]) -> None:
        self._root, self._source, self._made = root, source, made
        self._stack = ExitStack()
        self._target: RegistryServer | None = None
        self._count = 0

    @property
    def _to(self) -> RegistryServer:
        assert self._target is not None
        return self._target

    def prepare(self, _number: int) -> None:
        """Start an empty registry: nobody is to find what another one left."""
        self._count += 1
        self._target = self._stack.enter_context(registry(self._root / f"target-{self._count}"))

    def clean(self, _number: int) -> None:
        """Stop it."""
        self._stack.close()
        self._target = None

    def check(self, _number: int, _printed: Path) -> Mapping[str, float]:
        """Look whether every image is there, byte for byte in its manifests."""
        for name, each in self._made.items():
            try:
                there = pulled(self._to, f"moved/{name}", "1")[1]
            except AssertionError as error:
                raise NoFigureError(f"{name} is not on the target: {error}") from None
            if there != each.data:
                raise NoFigureError(f"{name} has another digest")
        return {}

    def ours(self, _number: int) -> list[Step]:
        """Return our command."""
        connections = {"HERE": self._source.fields(), "THERE": self._to.fields()}
        env = {f"AIRFLOW_CONN_{name}": json.dumps(fields) for name, fields in connections.items()}
        command = [
            *(sys.executable, "-m", "heavylift", "images", "copy", "--json"),
            *("--source", self._source.host, "--target", f"{self._to.host}/moved"),
            *("--source-conn", "here", "--target-conn", "there"),
            *("--evidence", (self._root / f"evidence-{self._count}").as_uri()),
        ]
        return [Step(command, env)]

    def sync(self, _number: int) -> list[Step]:
        """Return one process of the peer's for all images."""
        listed = {self._source.host: {"tls-verify": False, "images": {name: ["1"] for name in self._made}}}
        file = self._root / "images.yaml"
        file.write_text(yaml.safe_dump(listed))
        to = f"{self._to.host}/moved"
        options = ("--all", "--src", "yaml", "--dest", "docker", "--dest-tls-verify=false")
        # It keeps the last part of a repository's name, and puts it below the target.
        command = [registry_programs.skopeo(), "--insecure-policy", "sync", *options, str(file), f"{to}/ml"]
        return [Step(command, registry_programs.libraries())]

    def copies(self, _number: int) -> list[Step]:
        """Return a process of the peer's for each image."""
        tls = ("--src-tls-verify=false", "--dest-tls-verify=false")
        head = (registry_programs.skopeo(), "--insecure-policy", "copy", "--all", "--quiet", *tls)
        return [
            Step(
                [*head, f"docker://{self._source.host}/{name}:1", f"docker://{self._to.host}/moved/{name}:1"],
                registry_programs.libraries(),
            )
            for name in self._made
        ]
