"""How a connection reaches a cluster, and what is refused before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.connections import connection_from_fields
from heavylift.errors import ConnectionConfigError
from heavylift.platforms.kubernetes.kubeconfig import Access, access, cluster_name

TOKEN = "the-token"
TLS = {"server": "https://k.example.com"}
NO_CERTIFICATE, NO_BASE64 = "bm9uZQ==", "bm9"


def reached(extra: dict[str, Any], **fields: Any) -> Access:
    return access(connection_from_fields("k", {"conn_type": "kubernetes", "extra": extra, **fields}))


def config(user: dict[str, Any], **cluster: Any) -> dict[str, Any]:
    return {
        "current-context": "a",
        "contexts": [
            {"name": "a", "context": {"cluster": "c", "user": "u"}},
            {"name": "b", "context": {"cluster": "d", "user": "u"}},
        ],
        "clusters": [
            {"name": "c", "cluster": {"server": "http://127.0.0.1:1/", **cluster}},
            {"name": "d", "cluster": {"server": "http://127.0.0.1:2"}},
        ],
        "users": [{"name": "u", "user": user}],
    }


def authority(data: str) -> dict[str, Any]:
    return config({"token": TOKEN}, **TLS, **{"certificate-authority-data": data})


def test_a_token_and_a_host() -> None:
    found = reached({"token": TOKEN}, host="https://k.example.com")
    assert (found.url, found.authorisation()) == (
        "https://k.example.com",
        {"Authorization": f"Bearer {TOKEN}"},
    )
    assert TOKEN not in repr(found)


@pytest.mark.parametrize("form", [lambda text: text, json.loads], ids=["text", "object"])
def test_a_kubeconfig_in_the_connection(form: Any) -> None:
    given = form(json.dumps(config({"token": TOKEN})))
    assert reached({"kube_config": given}).url == "http://127.0.0.1:1"
    assert reached({"kube_config": given, "cluster_context": "b"}).url == "http://127.0.0.1:2"


def test_a_kubeconfig_file_and_a_token_file_that_is_renewed(tmp_path: Path) -> None:
    token, file = tmp_path / "token", tmp_path / "config"
    token.write_text("first\n")
    file.write_text(yaml.safe_dump(config({"tokenFile": str(token)})))
    found = reached({"kube_config_path": str(file)})
    assert found.authorisation() == {"Authorization": "Bearer first"}
    token.write_text("second\n")
    assert found.authorisation() == {"Authorization": "Bearer second"}


@pytest.mark.parametrize(
    ("extra", "fields", "code"),
    [
        ({}, {}, "7633"),
        ({"token": TOKEN}, {"host": "http://k.example.com"}, "7632"),
        ({}, {"conn_type": "aws"}, "7631"),
        ({"kube_config": "a: [b"}, {}, "7634"),
        ({"kube_config_path": "/not/there"}, {}, "7634"),
        ({"kube_config": config({}, server="")}, {}, "7635"),
        ({"kube_config": config({"token": TOKEN}, **{"insecure-skip-tls-verify": True})}, {}, "7635"),
        ({"kube_config": config({"exec": {"command": "aws"}})}, {}, "7636"),
        ({"kube_config": authority(NO_CERTIFICATE)}, {}, "7637"),
        ({"kube_config": authority(NO_BASE64)}, {}, "7637"),
        ({"token": TOKEN, "ca_file": "/not/there"}, {"host": "https://k.example.com"}, "7637"),
    ],
)
def test_what_is_refused(extra: dict[str, Any], fields: dict[str, Any], code: str) -> None:
    with pytest.raises(ConnectionConfigError) as caught:
        reached(extra, **fields)
    assert caught.value.code == code
    assert TOKEN not in str(caught.value)


def test_the_name_of_a_cluster_is_given_or_its_host() -> None:
    named = connection_from_fields("k", {"conn_type": "kubernetes", "extra": {"cluster_name": "prod"}})
    assert cluster_name(named, "https://k.example.com") == "prod"
    plain = connection_from_fields("k", {"conn_type": "kubernetes"})
    assert cluster_name(plain, "https://k.example.com:6443") == "k.example.com:6443"
