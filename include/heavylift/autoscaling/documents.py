"""Reads files with settings of autoscalers, and refuses what they cannot mean."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import yaml

from heavylift.autoscaling.model import Policy
from heavylift.errors import NotFoundError, SpecError
from heavylift.plain_yaml import PlainLoader

MAX_BYTES = 4 * 2**20
MOST_REPLICAS = 100_000


def read_documents(path: Path) -> list[dict[str, Any]]:
    """Return the mappings of a JSON or YAML file.

    :raises NotFoundError: it cannot be read.
    :raises SpecError: it is too large, or holds something else.
    """
    text = read_text(path)
    try:
        if text.lstrip()[:1] in {"{", "["}:
            found: list[Any] = [json.loads(text)]
        else:
            found = [each for each in yaml.load_all(text, Loader=PlainLoader) if each is not None]
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise bad(path.name, "the document", type(error).__name__, "JSON or plain YAML") from error
    if not found or not all(isinstance(each, dict) for each in found):
        raise bad(path.name, "the document", "no mapping", "a mapping")
    return found


def read_text(path: Path) -> str:
    """Return a file's text.

    :raises NotFoundError: it cannot be read.
    :raises SpecError: it is too large or no UTF-8.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise bad(path.name, "the file", "a large file", f"at most {MAX_BYTES} bytes")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise NotFoundError(
            f"reading {path}",
            got=error.strerror or type(error).__name__,
            expected="a file that can be read",
            state="nothing was written",
            remedy="name the file",
            code="9211",
        ) from error
    except UnicodeDecodeError as error:
        raise bad(path.name, f"byte {error.start}", "no UTF-8", "a text in UTF-8") from error


def bad(file: str, where: str, got: str, expected: str) -> SpecError:
    """Return the error for settings that are wrong in themselves."""
    return SpecError(
        f"reading the autoscaling settings {file}, {where}",
        got=got if len(got) <= 160 else got[:160] + "…",
        expected=expected,
        state="nothing was written",
        remedy="correct the file, or export it again from its platform",
        code="9210",
    )


class Reader:
    """Takes fields of one file, with errors that name them."""

    def __init__(self, file: str) -> None:
        self.file = file

    def mapping(self, value: Any, where: str) -> dict[str, Any]:
        """Return a mapping, empty where there is none."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise bad(self.file, where, type(value).__name__, "a mapping")
        return value

    def items(self, value: Any, where: str) -> list[dict[str, Any]]:
        """Return a list of mappings, empty where there is none."""
        if value is None:
            return []
        if not isinstance(value, list):
            raise bad(self.file, where, type(value).__name__, "a list")
        return [self.mapping(each, f"{where}[{index}]") for index, each in enumerate(value)]

    def number(self, value: Any, where: str, default: float | None = None, least: float = 0.0) -> float:
        """Return a finite number of at least ``least``, also where it is a text."""
        if value is None and default is not None:
            return default
        try:
            made = float(value) if not isinstance(value, bool) else math.nan
        except (TypeError, ValueError):
            made = math.nan
        if not math.isfinite(made) or made < least:
            raise bad(self.file, where, repr(value), f"a number of at least {least:g}")
        return made

    def whole(self, value: Any, where: str, default: int | None = None, least: int = 0) -> int:
        """Return a whole number of at least ``least``."""
        made = self.number(value, where, default, least)
        if made != int(made):
            raise bad(self.file, where, repr(value), "a whole number")
        return int(made)

    def target(self, value: Any, where: str) -> float:
        """Return the target of a metric, which is above 0."""
        made = self.number(value, where)
        if made <= 0:
            raise bad(self.file, where, repr(value), "a number above 0")
        return made

    def sound(self, policy: Policy) -> Policy:
        """Return the policy where its bounds make sense and something is measured."""
        if not 0 <= policy.minimum <= policy.maximum <= MOST_REPLICAS or policy.maximum < 1:
            got = f"{policy.minimum} to {policy.maximum}"
            raise bad(
                self.file, "bounds", got, f"0 <= minimum <= maximum <= {MOST_REPLICAS}, and a maximum of 1"
            )
        if not policy.metrics and not policy.rules:
            raise bad(self.file, "metrics", "none", "a metric with a target, or a rule with a threshold")
        return policy
