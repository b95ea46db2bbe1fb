"""What terraform needs to run without a network: a mirror with mock providers, and a cloud of files.

Terraform itself is the user's, as on every other machine: what ``HEAVYLIFT_TERRAFORM`` or the path names.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import tools
from sandbox.paths import REPO

_HERE = Path(__file__).resolve().parent
_PROGRAM = _HERE / "mock_provider.py"
PINS = REPO / "sandbox" / "requirements-terraform.txt"
CHECKOV_PINS = REPO / "sandbox" / "requirements-checkov.txt"
PROVIDERS: Mapping[str, str] = {"aws": "6.69.1", "azurerm": "5.10.0", "google": "8.7.0"}
"""Providers and the versions of their schemas."""


def python() -> Path:
    """Return the Python that runs the mock providers, making its environment once for each checkout: 40 MB.

    :raises ServerUnavailableError: an installer failed.
    """
    return tools.environment("terraform", PINS) / "python"


def checkov() -> Path:
    """Return checkov, making its environment once for each checkout: 200 MB.

    :raises ServerUnavailableError: an installer failed.
    """
    return tools.environment("checkov", CHECKOV_PINS) / "checkov"


@dataclass(frozen=True)
class Rig:
    """One cloud of files and the providers that keep their objects in it.

    :param home: a folder of its own.
    """

    home: Path

    @property
    def cloud(self) -> Path:
        """The folder of the objects."""
        return self.home / "cloud"

    @property
    def config(self) -> Path:
        """Terraform's own settings: ``TF_CLI_CONFIG_FILE``."""
        return self.home / "terraform.rc"

    def set(self, **settings: Any) -> None:
        """Change what the providers do: see :mod:`sandbox.terraform.mock_provider`."""
        path = self.home / "mock.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**known, **settings}))

    def objects(self) -> list[str]:
        """Return the types of all objects, sorted."""
        return sorted(path.name.split(".")[0] for path in self.cloud.glob("*.json"))

    @contextmanager
    def serving(self, provider: str) -> Iterator[str]:
        """Keep one provider running for the block, so that not each command of terraform's starts one.

        What is yielded is the value of ``TF_REATTACH_PROVIDERS``.
        """
        socket = self.home / f"{provider}.sock"
        command = [str(python()), str(_PROGRAM), str(self.home / "mock.json"), provider, str(socket)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ""}
        )
        try:
            if process.stdout is None or process.stdout.readline() != b"ready\n":
                raise RuntimeError(f"the mock provider {provider} did not start")
            address = {"Network": "unix", "String": str(socket)}
            told = {
                "Protocol": "grpc",
                "ProtocolVersion": 6,
                "Pid": process.pid,
                "Test": True,
                "Addr": address,
            }
            yield json.dumps({f"registry.terraform.io/hashicorp/{provider}": told})
        finally:
            process.communicate()

    def lose(self, kind: str) -> None:
        """Delete one object behind terraform's back."""
        next(iter(sorted(self.cloud.glob(f"{kind}.*.json")))).unlink()


def make_rig(home: Path, types: Iterable[str] | None = None) -> Rig:
    """Make a cloud of files in ``home``.

    :param types: the only resource types that providers know; all of them where None.
    """
    rig = Rig(home)
    rig.cloud.mkdir(parents=True, exist_ok=True)
    served = sorted(types) if types is not None else None
    rig.set(cloud=str(rig.cloud), schemas=str(_HERE / "schemas"), types=served)
    program = python()
    for name, version in PROVIDERS.items():
        _write_provider(home, program, name, version)
    mirror = json.dumps(str(home / "mirror"))
    rig.config.write_text(
        "disable_checkpoint = true\n"
        f"provider_installation {{\n  filesystem_mirror {{\n    path = {mirror}\n  }}\n}}\n"
    )
    return rig


def _write_provider(home: Path, program: Path, name: str, version: str) -> None:
    folder = home / "mirror" / "registry.terraform.io" / "hashicorp" / name / version / "linux_amd64"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"terraform-provider-{name}_v{version}"
    command = [str(program), str(_PROGRAM), str(home / "mock.json"), name]
    # HOME: the package keeps a certificate there.
    path.write_text(f"#!/bin/sh\nHOME={shlex.quote(str(home))} PYTHONPATH= exec {shlex.join(command)}\n")
    path.chmod(0o755)
