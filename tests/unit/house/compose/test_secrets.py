"""No secret is in the compose file, in an argument or in the wrong container."""

from __future__ import annotations

import base64
import importlib.util
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.house.compose.compose_file import COMPOSE, REPOSITORY

Services = dict[str, dict[str, Any]]
SECRET_NAME = re.compile(r"PASSWORD|SECRET|FERNET|TOKEN|CONN\b|BROKER_URL|RESULT_BACKEND|SQL_ALCHEMY_CONN")
FROM_FILE = re.compile(r"/run/secrets/(\w+)")


@pytest.fixture(scope="module")
def make_secrets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_secrets", REPOSITORY / "docker" / "make_secrets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_setting_holds_a_secret(services: Services) -> None:
    for name, service in services.items():
        for key, value in service.get("environment", {}).items():
            if SECRET_NAME.search(key):
                assert re.fullmatch(r"(cat )?/run/secrets/\w+", value), f"{name}: {key}"


def test_no_url_holds_a_password() -> None:
    assert not re.search(r"://[^/\s\"']*:[^/\s\"']*@", COMPOSE.read_text(encoding="utf-8"))


def test_what_a_service_reads_it_is_given(services: Services) -> None:
    for name, service in services.items():
        read = set(FROM_FILE.findall(str({**service, "secrets": None})))
        assert read <= set(service.get("secrets", [])), name


def test_what_a_service_is_given_it_reads(services: Services) -> None:
    scripts = {
        "postgres": (REPOSITORY / "docker/postgres/celery.sql").read_text(),
        "redis": (REPOSITORY / "docker/redis/start.sh").read_text(),
        "airflow-init": (REPOSITORY / "docker/initialise.py").read_text(),
    }
    for name, service in services.items():
        read = set(FROM_FILE.findall(str({**service, "secrets": None}) + scripts.get(name, "")))
        assert set(service.get("secrets", [])) == read, name


def test_a_worker_holds_no_key_to_the_metadata(services: Services) -> None:
    secrets = set(services["airflow-worker"]["secrets"])
    assert not secrets & {"metadata_database_url", "fernet_key", "api_secret_key", "admin_password"}
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD" not in services["airflow-worker"]["environment"]


def test_only_the_job_that_makes_the_administrator_knows_the_password(services: Services) -> None:
    assert [name for name, it in services.items() if "admin_password" in it.get("secrets", [])] == [
        "airflow-init"
    ]


def test_make_secrets_fills_the_folder_once(tmp_path: Path, make_secrets: ModuleType) -> None:
    folder = tmp_path / "new" / "secrets"
    assert make_secrets.fill(folder) == list(make_secrets.MAKERS)
    first = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(first) == set(make_secrets.MAKERS)
    assert make_secrets.fill(folder) == []
    assert {path.name: path.read_text() for path in folder.iterdir()} == first


def test_make_secrets_closes_the_folder(tmp_path: Path, make_secrets: ModuleType) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o755)
    make_secrets.fill(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    # Readable by whatever user a container runs as; the folder is what keeps others out.
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}


def test_urls_hold_the_passwords_beside_them_or_are_kept(tmp_path: Path, make_secrets: ModuleType) -> None:
    tmp_path.joinpath("metadata_database_url").write_text("postgresql+psycopg2://me@db.example/airflow")
    make_secrets.fill(tmp_path)
    password = tmp_path.joinpath("redis_password").read_text()
    assert tmp_path.joinpath("broker_url").read_text() == f"redis://:{password}@redis:6379/0"
    assert tmp_path.joinpath("metadata_database_url").read_text().endswith("db.example/airflow")


def test_the_fernet_key_is_one(tmp_path: Path, make_secrets: ModuleType) -> None:
    make_secrets.fill(tmp_path)
    assert len(base64.urlsafe_b64decode(tmp_path.joinpath("fernet_key").read_text())) == 32


def test_two_folders_share_no_secret(tmp_path: Path, make_secrets: ModuleType) -> None:
    for name in ("one", "two"):
        make_secrets.fill(tmp_path / name)
    for name in make_secrets.MAKERS:
        assert (tmp_path / "one" / name).read_text() != (tmp_path / "two" / name).read_text()


def test_make_secrets_prints_no_secret(tmp_path: Path) -> None:
    script = str(REPOSITORY / "docker" / "make_secrets.py")
    done = subprocess.run(
        [sys.executable, script, str(tmp_path / "s")], capture_output=True, text=True, check=True
    )
    for path in (tmp_path / "s").iterdir():
        assert path.read_text() not in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--help"]])
def test_make_secrets_explains_itself(
    arguments: list[str], make_secrets: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make_secrets.main(arguments) == 2
    assert "docker/secrets" in capsys.readouterr().err


def start_redis(folder: Path, password: str | None) -> subprocess.CompletedProcess[str]:
    """Run start.sh with a redis-server that prints its arguments."""
    server = folder / "bin" / "redis-server"
    server.parent.mkdir()
    server.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    server.chmod(0o755)
    if password is not None:
        (folder / "password").write_text(password)
    return subprocess.run(
        ["/bin/sh", str(REPOSITORY / "docker/redis/start.sh")],
        env={
            "PATH": f"{server.parent}:{os.environ['PATH']}",
            "REDIS_CONFIG": str(folder / "redis.conf"),
            "REDIS_PASSWORD_FILE": str(folder / "password"),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_redis_gets_its_password_by_a_file_and_not_by_argument(tmp_path: Path) -> None:
    done = start_redis(tmp_path, "not-in-arguments\n")
    config = tmp_path / "redis.conf"
    assert done.stdout == f"{config}\n"
    settings = dict(line.split(" ", 1) for line in config.read_text().splitlines())
    assert settings["requirepass"] == "not-in-arguments"
    assert settings["maxmemory-policy"] == "noeviction"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600


@pytest.mark.parametrize("password", [None, "", "\n"])
def test_redis_does_not_start_without_its_password(tmp_path: Path, password: str | None) -> None:
    done = start_redis(tmp_path, password)
    assert done.returncode != 0
    assert done.stdout == ""
