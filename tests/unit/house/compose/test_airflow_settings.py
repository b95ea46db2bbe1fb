"""The installed Airflow knows every setting, command and endpoint that docker-compose.yaml names."""

from __future__ import annotations

import importlib
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.isolated import run_python

# Two processes that import all of Airflow, for a file that seldom changes.
pytestmark = pytest.mark.long

Services = dict[str, dict[str, Any]]

# What the images of PostgreSQL and Redis bring, and what Airflow's image brings.
PROGRAMS = {"pg_isready", "redis-cli", "curl", "airflow", "celery"}


def settings(services: Services) -> dict[str, str]:
    """Return Airflow's settings of all services, as ``section.option`` with ``_cmd`` where it has one."""
    found = {}
    for service in services.values():
        for key, value in service.get("environment", {}).items():
            if key.startswith("AIRFLOW__"):
                found[key.removeprefix("AIRFLOW__").replace("__", ".", 1).lower()] = value
    return found


def health_urls(airflow_services: Services) -> dict[str, Any]:
    tests = {name: it["healthcheck"]["test"] for name, it in airflow_services.items() if "healthcheck" in it}
    return {name: urlsplit(test[-1]) for name, test in tests.items() if test[1] == "curl"}


def test_every_setting_exists(services: Services, airflow: dict[str, Any]) -> None:
    names = {name.removesuffix("_cmd") for name in settings(services)}
    assert len(names) > 20
    assert names <= set(airflow["options"])


def test_a_setting_is_read_from_a_command_only_where_airflow_allows_it(
    services: Services, airflow: dict[str, Any]
) -> None:
    commands = {name.removesuffix("_cmd") for name in settings(services) if name.endswith("_cmd")}
    assert commands
    assert not {name for name in commands if not airflow["options"][name]}


def test_everything_that_airflow_calls_sensitive_comes_from_a_command(
    services: Services, airflow: dict[str, Any]
) -> None:
    plain = {name for name in settings(services) if not name.endswith("_cmd")}
    assert not {name for name in plain if airflow["options"][name]}


def test_every_command_line_is_accepted(airflow_lines: list[str], airflow: dict[str, Any]) -> None:
    assert "celery worker" in airflow_lines
    assert airflow["accepted"] == dict.fromkeys(airflow_lines, "")


def test_every_health_check_runs_a_program_of_its_image(services: Services) -> None:
    for name, service in services.items():
        test = service.get("healthcheck", {}).get("test")
        if test:
            assert test[0] in {"CMD", "CMD-SHELL"}, name
            assert any(program in test[1] for program in PROGRAMS), name


def test_the_api_server_is_asked_for_an_endpoint_it_has(
    airflow_services: Services, airflow: dict[str, Any]
) -> None:
    url = health_urls(airflow_services)["airflow-api-server"]
    assert url.path in airflow["paths"]
    assert str(url.port) == airflow_services["airflow-api-server"]["environment"]["AIRFLOW__API__PORT"]


def test_the_scheduler_is_asked_where_it_answers(airflow_services: Services) -> None:
    url = health_urls(airflow_services)["airflow-scheduler"]
    environment = airflow_services["airflow-scheduler"]["environment"]
    assert environment["AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK"] == "True"
    assert url.hostname == environment["AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST"]
    assert str(url.port) == environment["AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT"]
    assert url.path == "/health"


def test_tasks_are_sent_to_the_api_server(services: Services) -> None:
    url = urlsplit(settings(services)["core.execution_api_server_url"])
    assert url.hostname in services
    assert str(url.port) == services[str(url.hostname)]["environment"]["AIRFLOW__API__PORT"]
    assert url.path == "/execution/"


def test_all_components_agree_on_what_they_share(airflow_services: Services) -> None:
    shared = (
        "EXECUTOR",
        "EXECUTION_API_SERVER_URL",
        "JWT_SECRET_CMD",
        "BROKER_URL_CMD",
        "RESULT_BACKEND_CMD",
    )
    environments = [it["environment"] for it in airflow_services.values()]
    for key in environments[0]:
        if key.endswith(shared):
            assert len({environment[key] for environment in environments}) == 1, key


CELERY = "airflow.providers.celery.executors.celery_executor"


@pytest.fixture(scope="module")
def loading(services: Services) -> dict[str, str]:
    """Return for each object that the file names why it cannot be loaded, or nothing."""
    names = [settings(services)["core.auth_manager"], f"{CELERY}.app", f"{CELERY}.CeleryExecutor"]
    found = run_python(
        """
import importlib, sys
def load(path):
    module, _, name = path.rpartition(".")
    try:
        getattr(importlib.import_module(module), name)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""
answer({path: load(path) for path in sys.argv[1:]})
""",
        *names,
    )
    assert isinstance(found, dict)
    return found


def test_the_auth_manager_loads(services: Services, loading: dict[str, str]) -> None:
    assert loading[settings(services)["core.auth_manager"]] == ""


def test_the_executor_and_the_app_that_is_pinged_load(
    airflow_services: Services, loading: dict[str, str]
) -> None:
    assert f"--app {CELERY}.app " in airflow_services["airflow-worker"]["healthcheck"]["test"][1]
    assert {loading[f"{CELERY}.app"], loading[f"{CELERY}.CeleryExecutor"]} == {""}


def test_celery_can_be_pinged() -> None:
    command = importlib.import_module("celery.bin.control").inspect
    assert "--destination" in {option for parameter in command.params for option in parameter.opts}
