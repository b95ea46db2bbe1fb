"""Everything that docker-compose.yaml names exists, and the production shape is what it should be."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from sandbox.servers.airflow_db import IDLE_IN_TRANSACTION
from tests.unit.house.compose.compose_file import REPOSITORY

Services = dict[str, dict[str, Any]]
ONE_SHOT = "no"


def make_secrets_names() -> set[str]:
    spec = importlib.util.spec_from_file_location("make_secrets", REPOSITORY / "docker" / "make_secrets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return set(module.MAKERS)


def binds(service: dict[str, Any]) -> list[list[str]]:
    """Return [source, target, mode] of each folder or file of this repository that is mounted."""
    return [volume.split(":") for volume in service.get("volumes", []) if volume.startswith(".")]


def named_volumes(services: Services) -> set[str]:
    mounts = [volume for service in services.values() for volume in service.get("volumes", [])]
    return {volume.partition(":")[0] for volume in mounts if not volume.startswith(".")}


def long_running(services: Services) -> Services:
    return {name: service for name, service in services.items() if service["restart"] != ONE_SHOT}


def test_every_mounted_path_exists_and_is_read_only(services: Services) -> None:
    mounts = [mount for service in services.values() for mount in binds(service)]
    assert mounts
    for source, _, mode in mounts:
        assert (REPOSITORY / source).exists(), source
        assert mode == "ro", source


def test_every_volume_network_and_secret_is_declared_and_used(
    compose: dict[str, Any], services: Services
) -> None:
    networks = {name for service in services.values() for name in service.get("networks", [])}
    secrets = {name for service in services.values() for name in service.get("secrets", [])}
    assert named_volumes(services) == set(compose["volumes"])
    assert networks == set(compose["networks"])
    assert secrets == set(compose["secrets"])


def test_every_secret_is_a_file_that_make_secrets_makes(compose: dict[str, Any]) -> None:
    assert set(compose["secrets"]) == make_secrets_names()
    for name, secret in compose["secrets"].items():
        assert Path(secret["file"]).name == name


def test_every_dependency_is_a_service_that_can_meet_its_condition(services: Services) -> None:
    for service in services.values():
        for name, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in services[name], name
            else:
                assert wanted["condition"] == "service_completed_successfully"
                assert services[name]["restart"] == ONE_SHOT, name


def test_nothing_starts_before_the_database_is_prepared(airflow_services: Services) -> None:
    for name, service in long_running(airflow_services).items():
        assert service["depends_on"]["airflow-init"]["condition"] == "service_completed_successfully", name


def test_every_long_running_service_is_watched_limited_and_restarted(services: Services) -> None:
    for name, service in long_running(services).items():
        assert service["restart"] == "unless-stopped", name
        assert {"test", "interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"]), name
        assert {"cpus", "memory"} == set(service["deploy"]["resources"]["limits"]), name
        assert "stop_grace_period" in service, name


def test_every_service_rotates_its_log_and_drops_privileges(services: Services) -> None:
    for name, service in services.items():
        assert {"max-size", "max-file"} <= set(service["logging"]["options"]), name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name


def test_only_the_job_that_owns_a_volume_runs_as_root(services: Services) -> None:
    assert [name for name, service in services.items() if str(service["user"]).startswith("0")] == [
        "airflow-volumes"
    ]
    assert services["airflow-volumes"]["network_mode"] == "none"


def test_only_the_api_server_is_published_and_only_to_this_host(services: Services) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"airflow-api-server": ["127.0.0.1:8080:8080"]}


def test_databases_have_no_way_out(compose: dict[str, Any], services: Services) -> None:
    for name in ("postgres", "redis"):
        assert [compose["networks"][network] for network in services[name]["networks"]] == [
            {"internal": True}
        ]


def test_the_services_that_reach_clouds_have_a_way_out(compose: dict[str, Any], services: Services) -> None:
    open_networks = {name for name, network in compose["networks"].items() if not network.get("internal")}
    reaching = {
        name for name, service in services.items() if open_networks & set(service.get("networks", []))
    }
    assert reaching == {"airflow-api-server", "airflow-triggerer", "airflow-worker"}


def test_services_that_talk_share_a_network(services: Services) -> None:
    talks = {
        ("airflow-init", "postgres"),
        *(
            (name, other)
            for name in ("airflow-scheduler", "airflow-worker", "airflow-triggerer", "airflow-dag-processor")
            for other in ("postgres", "redis", "airflow-api-server")
        ),
        ("airflow-api-server", "postgres"),
    }
    for name, other in talks:
        assert set(services[name]["networks"]) & set(services[other]["networks"]), (name, other)


def test_workers_can_be_scaled(services: Services) -> None:
    assert not {"container_name", "hostname", "ports"} & set(services["airflow-worker"])


def test_every_component_has_the_library_the_plugin_and_the_dags(airflow_services: Services) -> None:
    components = {"scheduler", "dag-processor", "triggerer", "api-server", "worker", "init"}
    assert set(airflow_services) == {f"airflow-{name}" for name in components}
    for name, service in airflow_services.items():
        path = service["environment"]["PYTHONPATH"].split(":")
        assert path == ["/opt/airflow/include", "/opt/airflow/plugins"], name
        assert ["./dags", "/opt/airflow/dags", "ro"] in binds(service), name
        assert ["./include/migrations", "/opt/airflow/include/migrations", "ro"] in binds(service), name


def test_all_components_run_one_image(services: Services, airflow_services: Services) -> None:
    built = {name: service["image"] for name, service in services.items() if "build" in service}
    assert set(airflow_services) <= set(built)
    assert len(set(built.values())) == 1


def test_a_lock_that_a_lost_scheduler_leaves_in_the_database_ends(services: Services) -> None:
    setting = f"idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION}"
    assert setting in services["postgres"]["command"]
