"""The contracts of .importlinter hold the layout, and each of them bites."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.unit.house.modules import LIBRARY, REPOSITORY

CONTRACTS = REPOSITORY / ".importlinter"
PREFIX = "importlinter:contract:"

# One breach for each contract, as a module that somebody might well write.
BREACHES = {
    "airflow-free": ("heavylift/spec/breach_airflow.py", "import airflow"),
    "one-way": ("heavylift_airflow/breach_sandbox.py", "import sandbox"),
    "library": ("heavylift/objects/breach_capability.py", "import heavylift.datasets"),
    "gates": ("heavylift/gates/breach_store.py", "import heavylift.platforms.ports"),
    "platforms": ("heavylift/platforms/aws/breach_cloud.py", "import heavylift.platforms.gcp"),
    "aws-sdk": ("heavylift/objects/breach_aws.py", "import boto3"),
    "gcp-sdk": ("heavylift/platforms/aws/breach_gcp.py", "import google.cloud.storage"),
    "azure-sdk": ("heavylift_airflow/breach_azure.py", "import azure.storage.blob"),
    "kafka-client": ("heavylift/streams/breach_kafka.py", "import confluent_kafka"),
    "plugin": ("heavylift_airflow/hooks/breach_up.py", "import heavylift_airflow.operators"),
}


def read_contracts() -> dict[str, configparser.SectionProxy]:
    parser = configparser.ConfigParser()
    parser.read(CONTRACTS)
    return {name.removeprefix(PREFIX): parser[name] for name in parser.sections() if name.startswith(PREFIX)}


def lint(path: Path) -> str:
    """Run import-linter over the packages found on *path* and return its report."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--config", str(CONTRACTS), "--no-cache", "--no-logo"],
        env={**os.environ, "PYTHONPATH": str(path), "COLUMNS": "200"},
        cwd=path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.stdout + done.stderr


def broken(report: str) -> set[str]:
    """Return the ids of the contracts that a report calls broken."""
    names = set(re.findall(r"^(.+?) BROKEN", report, re.MULTILINE))
    return {key for key, contract in read_contracts().items() if contract["name"] in names}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("packages")
    ignored = shutil.ignore_patterns("__pycache__")
    for source in ("include/heavylift", "plugins/heavylift_airflow", "sandbox"):
        shutil.copytree(REPOSITORY / source, root / Path(source).name, ignore=ignored)
    return root


@pytest.fixture(scope="module")
def report_of_the_source(copy: Path) -> str:
    return lint(copy)


@pytest.fixture(scope="module")
def report_of_the_breaches(copy: Path, report_of_the_source: str) -> str:
    for name, text in BREACHES.values():
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_text(f"{text}\n")
    return lint(copy)


def test_the_source_keeps_every_contract(report_of_the_source: str) -> None:
    assert re.search(rf"^Contracts: {len(read_contracts())} kept, 0 broken", report_of_the_source, re.M), (
        report_of_the_source
    )


def test_every_contract_has_a_breach_to_prove_it() -> None:
    assert set(BREACHES) == set(read_contracts())


@pytest.mark.parametrize("contract", BREACHES)
def test_the_contract_bites(contract: str, report_of_the_breaches: str) -> None:
    assert contract in broken(report_of_the_breaches), report_of_the_breaches


def test_every_package_of_the_library_is_in_a_layer() -> None:
    layers = set(re.findall(r"\w+", read_contracts()["library"]["layers"]))
    children = {path.stem for path in LIBRARY.glob("*.py")} | {
        path.parent.name for path in LIBRARY.glob("*/*.py")
    }
    assert children - {"__init__"} <= layers


def test_the_nested_ruff_settings_repeat_what_they_replace() -> None:
    parent = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["ruff"]
    nested = tomllib.loads((LIBRARY / "ruff.toml").read_text())
    assert (LIBRARY / nested["extend"]).resolve() == REPOSITORY / "pyproject.toml"
    above = parent["lint"]["flake8-tidy-imports"]["banned-api"]
    below = nested["lint"]["flake8-tidy-imports"]["banned-api"]
    assert above.items() <= below.items()


@pytest.mark.parametrize(
    ("file", "module", "banned"),
    [
        ("include/heavylift/x.py", "airflow.sdk", True),
        ("include/heavylift/x.py", "heavylift_airflow.hooks", True),
        ("include/heavylift/x.py", "sandbox", True),
        ("include/heavylift/x.py", "include.heavylift", True),
        ("include/heavylift/x.py", "heavylift.errors", False),
        ("plugins/heavylift_airflow/x.py", "airflow.sdk", False),
        ("plugins/heavylift_airflow/x.py", "plugins.heavylift_airflow", True),
        ("dags/x.py", "dags.transfer", True),
        ("dags/x.py", "heavylift_airflow.operators", False),
    ],
)
def test_ruff_bans_the_import(file: str, module: str, banned: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select=TID251", "--stdin-filename", file, "-"],
        input=f"import {module}\n",
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == int(banned), done.stdout + done.stderr
