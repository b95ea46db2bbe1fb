"""What several writers need."""

from __future__ import annotations

import re
from typing import Any

import yaml

from heavylift.training.model import Job, Launcher


class _Dumper(yaml.SafeDumper):
    """Writes what stands twice twice: anchors are hard to read, and some readers refuse them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def dumped(value: Any) -> str:
    """Return a value as YAML, its keys in their order."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=1000))


def name_of(text: str, longest: int = 50) -> str:
    """Return a name that every platform takes: lower case, digits and hyphens."""
    made = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:longest].strip("-")
    return made if made[:1].isalpha() else f"job-{made}".strip("-")


def torchrun(job: Job) -> list[str]:
    """Return the command of torchrun without numbers and places, which the platform's variables tell."""
    program = list(job.program)
    if program[:1] and program[0].rsplit("/", 1)[-1].startswith("python"):
        # torchrun starts the interpreter itself.
        return ["torchrun", *job.options, *program[1:]]
    return ["torchrun", *job.options, "--no-python", *program]


def is_group(job: Job) -> bool:
    """Return whether several processes take part."""
    return job.world > 1 or job.launcher is not Launcher.PLAIN
