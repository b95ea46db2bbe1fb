"""Heavylift's own command lines."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.measure import Step
from tests.benchmarks.objects.servers import REPOSITORY

SCHEMES = {"aws_target": "s3", "gcp_target": "gs", "azure_target": "az"}


def copy(
    env: Mapping[str, str], source: str, target: str, target_conn: str, evidence: Path, *more: str
) -> Step:
    """Copy a bucket: listing, planning, copying with every proof, evidence, verification afterwards."""
    return _command(
        env,
        *("copy", f"s3://{source}/", f"{SCHEMES[target_conn]}://{target}/"),
        *("--source-conn", "aws_source", "--target-conn", target_conn),
        *("--evidence", f"file://{evidence}", "--json", *more),
    )


def listing(env: Mapping[str, str], source: str, output: Path) -> Step:
    """List a bucket into a Parquet file."""
    command = ("list", f"s3://{source}/", "--source-conn", "aws_source", "--output", str(output), "--json")
    return _command(env, *command)


def compare(old: Path, new: Path, output: Path) -> Step:
    """Compare two listings. That they differ is a result, not a failure."""
    step = _command({}, "compare", str(old), str(new), "--output", str(output), "--json")
    return Step(step.command, step.environment, frozenset({0, 1}))


def _command(env: Mapping[str, str], *arguments: str) -> Step:
    command = [sys.executable, "-m", "heavylift", "objects", *arguments]
    return Step(command, {**env, "PYTHONPATH": str(REPOSITORY / "include")})
