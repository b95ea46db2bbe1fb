"""The compose file, read once, and what the installed Airflow knows."""

from __future__ import annotations

import tempfile
from typing import Any

import pytest

from tests.support.isolated import run_python
from tests.unit.house.compose import compose_file

FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"

# Everything that the tests ask of Airflow, in one process: its start costs seconds.
ASK_AIRFLOW = """
import contextlib, importlib.metadata, io, sys
import yaml, airflow.api_fastapi.core_api as core_api
from pathlib import Path
from airflow.cli import cli_parser
from airflow.configuration import retrieve_configuration_description

sections = retrieve_configuration_description()
options = {
    f"{section}.{name}": bool(option.get("sensitive"))
    for section, content in sections.items()
    for name, option in content["options"].items()
}
parser = cli_parser.get_parser()
accepted = {}
for line in sys.argv[1:]:
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            parser.parse_args(line.split(" "))
            accepted[line] = ""
        except SystemExit:
            accepted[line] = said.getvalue() or "refused"
api = Path(core_api.__file__).parent / "openapi" / "v2-rest-api-generated.yaml"
answer({
    "version": importlib.metadata.version("apache-airflow"),
    "options": options,
    "accepted": accepted,
    "paths": sorted(yaml.safe_load(api.read_text())["paths"]),
})
"""


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """Return the file under the settings of .env.example."""
    active, _ = compose_file.example_settings()
    return compose_file.interpolated(active)


@pytest.fixture(scope="session")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = compose["services"]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="session")
def airflow_services(services: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the services that run one of Airflow's processes."""
    return {
        name: it for name, it in services.items() if "AIRFLOW__CORE__EXECUTOR" in it.get("environment", {})
    }


@pytest.fixture(scope="session")
def airflow_lines(airflow_services: dict[str, dict[str, Any]]) -> list[str]:
    """Return each command line of Airflow that the file runs, without the word airflow."""
    commands = [it["command"] for it in airflow_services.values() if it["command"][0] != "python"]
    checks = [it["healthcheck"]["test"] for it in airflow_services.values() if "healthcheck" in it]
    commands += [test[2:] for test in checks if test[:2] == ["CMD", "airflow"]]
    return [" ".join(command) for command in commands]


@pytest.fixture(scope="session")
def airflow(airflow_lines: list[str]) -> dict[str, Any]:
    """Return what the installed Airflow knows: version, options, paths, accepted command lines."""
    with tempfile.TemporaryDirectory() as home:
        env = {"AIRFLOW_HOME": home, "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor"}
        env |= {
            "AIRFLOW__CORE__AUTH_MANAGER": FAB,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        }
        found = run_python(ASK_AIRFLOW, *airflow_lines, env=env)
    assert isinstance(found, dict)
    return found
