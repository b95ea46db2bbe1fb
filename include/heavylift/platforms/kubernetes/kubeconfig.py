"""Where a Kubernetes API is and who we are to it, by the names that Airflow's Kubernetes provider uses."""

from __future__ import annotations

import base64
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heavylift.connections import Connection, http_address, http_authorisation
from heavylift.errors import ConnectionConfigError
from heavylift.platforms.tokens import may_carry_tokens

_OWN = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_OWN_URL = "https://kubernetes.default.svc"


@dataclass(frozen=True)
class Access:
    """How to reach one cluster.

    :param token_file: read again for each request: the platform renews it.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    token_file: Path | None = None
    tls: ssl.SSLContext | None = None

    def authorisation(self) -> dict[str, str]:
        """Return the headers that say who we are."""
        if self.token_file is None:
            return dict(self.headers)
        return {"Authorization": f"Bearer {self.token_file.read_text().strip()}"}


def access(connection: Connection) -> Access:
    """Return how a connection reaches its cluster.

    By ``host`` and the extra field ``token`` (with ``ca_file``), by ``kube_config`` or
    ``kube_config_path`` with ``cluster_context``, or with ``in_cluster`` by the pod's own service account.

    :raises ConnectionConfigError: nothing of these, or something that is not supported.
    """
    if connection.conn_type not in ("kubernetes", "http", "https"):
        raise _wrong(connection, f"the type {connection.conn_type!r}", "the type kubernetes", "7631")
    try:
        found = _found(connection)
    except (OSError, ValueError) as error:
        # ssl.SSLError and binascii.Error are among them; their texts may hold what was read.
        got = f"{type(error).__name__} while reading certificates or keys"
        raise _wrong(connection, got, "certificates and keys that can be read", "7637") from None
    if not may_carry_tokens(found.url):
        raise _wrong(connection, f"the address {found.url}", "https://, for credentials are sent", "7632")
    return found


def _found(connection: Connection) -> Access:
    if _given(connection, "in_cluster"):
        tls = ssl.create_default_context(cafile=str(_OWN / "ca.crt"))
        return Access(_OWN_URL, token_file=_OWN / "token", tls=tls)
    config = _config(connection)
    return _by_host(connection) if config is None else _by_config(connection, config)


def _by_host(connection: Connection) -> Access:
    url = http_address(connection)
    if not url:
        raise _wrong(
            connection,
            "neither a host nor a kubeconfig",
            "host with extra.token, extra.kube_config, extra.kube_config_path, or extra.in_cluster",
            "7633",
        )
    authority = connection.text("ca_file")
    tls = ssl.create_default_context(cafile=authority) if authority else None
    return Access(url, http_authorisation(connection), tls=tls)


def _given(connection: Connection, name: str) -> Any:
    return connection.extra.get(name) or connection.extra.get(f"extra__kubernetes__{name}")


def _config(connection: Connection) -> Mapping[str, Any] | None:
    given, path = _given(connection, "kube_config"), _given(connection, "kube_config_path")
    if not given and not path:
        return None
    import yaml

    try:
        text = given if given else Path(str(path)).expanduser().read_text()
        config = text if isinstance(text, Mapping) else yaml.safe_load(text)
        if not isinstance(config, Mapping):
            raise ValueError("no mapping")
    except (OSError, ValueError, yaml.YAMLError) as error:
        got = f"{type(error).__name__} while reading the kubeconfig"
        raise _wrong(connection, got, "a readable kubeconfig", "7634") from None
    return config


def _by_config(connection: Connection, config: Mapping[str, Any]) -> Access:
    wanted = _given(connection, "cluster_context") or config.get("current-context")
    context = _named(config, "contexts", wanted, "context")
    cluster = _named(config, "clusters", context.get("cluster"), "cluster")
    user = _named(config, "users", context.get("user"), "user")
    url = str(cluster.get("server") or "").rstrip("/")
    if not url or cluster.get("insecure-skip-tls-verify"):
        got = "a cluster whose certificate is not checked" if url else f"no cluster for context {wanted!r}"
        raise _wrong(connection, got, "a context with a server and its certificate-authority", "7635")
    if user.get("exec") or user.get("auth-provider"):
        raise _wrong(
            connection,
            "a user whose credentials a program fetches",
            "a token, a token file or a client certificate; `kubectl create token` makes a token",
            "7636",
        )
    token, file = user.get("token"), user.get("tokenFile")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if not headers and user.get("username"):
        pair = Connection("", "", login=str(user["username"]), password=str(user.get("password") or ""))
        headers = http_authorisation(pair)
    return Access(url, headers, Path(str(file)) if file and not token else None, _tls(cluster, user))


def _named(config: Mapping[str, Any], kind: str, name: Any, inner: str) -> Mapping[str, Any]:
    for each in config.get(kind) or ():
        if isinstance(each, Mapping) and each.get("name") == name:
            found = each.get(inner)
            return found if isinstance(found, Mapping) else {}
    return {}


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext | None:
    if not str(cluster.get("server")).startswith("https:"):
        return None
    data = cluster.get("certificate-authority-data")
    text = base64.b64decode(str(data)).decode() if data else None
    context = ssl.create_default_context(cafile=cluster.get("certificate-authority"), cadata=text)
    if user.get("client-certificate"):
        context.load_cert_chain(user["client-certificate"], user.get("client-key"))
    elif user.get("client-certificate-data"):
        # The interpreter loads keys from files alone; this one is gone as soon as it was read.
        with tempfile.NamedTemporaryFile("wb", suffix=".pem") as file:
            for name in ("client-certificate-data", "client-key-data"):
                file.write(base64.b64decode(str(user.get(name) or "")) + b"\n")
            file.flush()
            context.load_cert_chain(file.name)
    return context


def cluster_name(connection: Connection, url: str) -> str:
    """Return the name under which ids know a cluster: the extra field ``cluster_name``, or its host."""
    return connection.text("cluster_name") or url.partition("://")[2]


def _wrong(connection: Connection, got: str, expected: str, code: str) -> ConnectionConfigError:
    return ConnectionConfigError(
        f"using connection {connection.conn_id!r} for Kubernetes",
        got=got,
        expected=expected,
        state="nothing was touched",
        remedy=f"correct connection {connection.conn_id!r}",
        code=code,
    )
