"""Secrets as Airflow copies and judges them: kept, dry, destroyed, refused, and shown nowhere."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import CredentialError, IncompleteError
from heavylift_airflow.operators.provision_closing import EvaluateInfrastructureGateOperator
from heavylift_airflow.operators.secrets import CopySecretsOperator, VerifySecretsOperator
from tests.plugins.world import World, context_of
from tests.support.canary import Canary
from tests.support.key_vault_server import KeyVaultServer
from tests.support.secret_manager_server import SecretManagerServer

Moved = tuple[World, SecretManagerServer, KeyVaultServer, Canary]


@pytest.fixture
def moved(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Moved]:
    """Return a migration of two secrets from a project to a vault."""
    google, vault, canary = SecretManagerServer(), KeyVaultServer(), Canary()
    google.add("db", canary.value.encode())
    google.add("web", canary.value.encode() + b"2")
    for name, kind, extra in (
        ("HERE", "google_cloud_platform", google.extra), ("THERE", "azure", vault.extra),
    ):  # fmt: skip
        given = {"conn_type": kind, "password": canary.value, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(given))
    world.save(
        source={"platform": "gcp", "connection": "here"},
        target={"platform": "azure", "connection": "there"},
        datasets=[],
        gates=[],
        infrastructure={"state": "az://states/heavylift"},
        secrets={},
    )
    yield world, google, vault, canary
    google.close()
    vault.close()


def act(world: World, kind: type[Any] = CopySecretsOperator, more: Any = None, **params: Any) -> Any:
    task = kind(task_id="task", spec_path=world.spec_path, phase="provision", **(more or {}))
    return task.execute(context_of(task, **params))


def judged(world: World) -> Any:
    return act(world, EvaluateInfrastructureGateOperator, {"gate": "secrets-equal"})


def test_secrets_move_are_judged_and_shown_nowhere(moved: Moved, caplog: pytest.LogCaptureFixture) -> None:
    world, _google, vault, canary = moved
    with pytest.raises(IncompleteError, match="no secret was copied in this run"):
        judged(world)
    returned = [act(world), act(world), act(world, VerifySecretsOperator)]
    assert [(each["created"], each["equal"]) for each in returned] == [(2, 0), (0, 2), (0, 2)]
    assert vault.current("db")["value"] == canary.value
    returned.append(judged(world))
    acts = [each.action for each in world.trail()]
    assert acts.count("secrets.begun") == acts.count("secrets.copied") == 2
    assert "secrets.verified" in acts
    assert not canary.in_files([world.root])
    assert not canary.in_text(caplog.text)
    assert not canary.in_text(json.dumps(returned) + repr(returned))


def test_a_dry_run_and_one_that_destroys_move_none(moved: Moved) -> None:
    world, _google, vault, _canary = moved
    for params in ({"dry_run": True}, {"destroy": True}):
        with pytest.raises(AirflowSkipException):
            act(world, **params)
    assert not vault.requests


def test_what_fails_is_named_and_shut_out_by_the_gate(moved: Moved, caplog: pytest.LogCaptureFixture) -> None:
    world, _google, vault, canary = moved
    vault.add("web", "somebody's")
    vault.denied.add("db")
    with pytest.raises(IncompleteError, match="2 of 2 that are not proved") as failed:
        act(world)
    with pytest.raises(IncompleteError, match=r"db \(failed\), web \(different\)"):
        judged(world)
    told = [pickle.dumps(failed.value), repr(failed.value), json.dumps(failed.value.attrs()), caplog.text]
    assert not any(canary.in_text(each) for each in told)
    vault.denied.clear()
    world.save(secrets={"conflict": "skip"})
    assert act(world)["skipped"] == 1
    judged(world)
    assert vault.current("web")["value"] == "somebody's"
    assert not canary.in_files([world.root])


def test_refused_credentials_fail_at_once(moved: Moved) -> None:
    world, google, vault, canary = moved
    google.unauthorised = True
    with pytest.raises(CredentialError) as refused:
        act(world)
    assert not canary.in_text(pickle.dumps(refused.value))
    assert not vault.requests


def test_verifying_again_writes_nothing_and_tells_the_same(moved: Moved) -> None:
    world, _google, vault, _canary = moved
    act(world)
    before = {name: vault.current(name) for name in ("db", "web")}
    assert act(world, VerifySecretsOperator) == act(world, VerifySecretsOperator)
    assert {name: vault.current(name) for name in ("db", "web")} == before
