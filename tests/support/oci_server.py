"""A small container registry in memory: for what no real one does at will, and strict in what it takes.

It lists referrers, hands out tokens, sends clients elsewhere for blobs, and deals out faults.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from heavylift.connections import Connection, connection_from_fields

_ROUTE = re.compile(r"/v2/(?P<name>.+?)/(?P<kind>manifests|blobs|tags|referrers)/(?P<rest>.+)")
PAIR = ("mover", "throw-away word")


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    authorization: str
    host: str = ""
    size: int = 0


@dataclass
class OciServer:
    """A registry.

    :param tokens: it wants bearer tokens, and hands them out to ``PAIR``.
    :param basic: it wants ``PAIR`` itself.
    :param lists_referrers: it has the referrers API.
    :param elsewhere: where clients are sent for blobs.
    :param fault: given a request, what is done instead: ``429``, ``500``, ``401``, ``flip``, ``truncate``,
        ``short``, ``lost`` (done, and not answered), or nothing.
    :param hold: blob → an event that is waited for in its middle, once ``reached`` is set.
    """

    tokens: bool = False
    basic: bool = False
    lists_referrers: bool = True
    tells_digests: bool = True
    catalogue: bool = True
    elsewhere: str = ""
    realm: str = ""
    fault: Callable[[Asked], str] | None = None
    hold: dict[str, threading.Event] = field(default_factory=dict)
    reached: threading.Event = field(default_factory=threading.Event)
    blobs: dict[str, bytes] = field(default_factory=dict)
    held: dict[str, set[str]] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    valid: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        server = self

        class Handler(_Handler):
            registry = server

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def close(self) -> None:
        for event in self.hold.values():
            event.set()
        self._server.shutdown()
        self._server.server_close()

    def connection(self, name: str, pair: tuple[str, str] | None = PAIR) -> Connection:
        login = {"login": pair[0], "password": pair[1]} if pair else {}
        return connection_from_fields(name, {"conn_type": "docker", "host": self.url, **login})

    def put_blob(self, name: str, data: bytes) -> str:
        found = _digest(data)
        self.blobs[found] = data
        self.held.setdefault(name, set()).add(found)
        return found

    def put_raw(self, name: str, tag: str, data: bytes, media_type: str) -> str:
        """Keep a manifest without looking at it."""
        found = _digest(data)
        self.manifests[name, found] = media_type, data
        if tag:
            self.tags[name, tag] = found
        return found

    def count(self, method: str, part: str) -> int:
        return sum(each.method == method and part in each.path for each in self.asked)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Answer a request of a test's own, without the wire."""
        if method == "POST":
            return 202, {"location": path}, b""
        match = _ROUTE.fullmatch(urllib.parse.urlsplit(path).path)
        assert match is not None
        if method == "PUT" and match["kind"] == "blobs":
            return 201, {"docker-content-digest": self.put_blob(match["name"], body or b"")}, b""
        if method == "PUT":
            tag = "" if ":" in match["rest"] else match["rest"]
            found = self.put_raw(match["name"], tag, body or b"", (headers or {})["Content-Type"])
            return 201, {"docker-content-digest": found}, b""
        if match["kind"] == "blobs":
            return 200, {}, self.blobs[match["rest"]]
        found = self.tags.get((match["name"], match["rest"]), match["rest"])
        media_type, data = self.manifests[match["name"], found]
        return 200, {"content-type": media_type}, data

    def referrers(self, name: str, subject: str) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for (repository, found), (media_type, data) in self.manifests.items():
            try:
                about = json.loads(data).get("subject") or {}
            except (ValueError, AttributeError, RecursionError):
                continue
            if repository == name and str(about.get("digest")) == subject:
                rows.append({"mediaType": media_type, "digest": found, "size": len(data)})
        return rows


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # clients that were killed hang up
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    registry: OciServer
    protocol_version = "HTTP/1.1"
    # Head and body are written one after the other: the second must not wait for the first's receipt.
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def _begin(self) -> bool:
        it = self.registry
        size = int(self.headers.get("Content-Length") or 0)
        asked = Asked(
            self.command, self.path, self.headers.get("Authorization", ""), self.headers.get("Host", ""), size
        )
        it.asked.append(asked)
        self.fault = it.fault(asked) if it.fault else ""
        if self.fault in {"429", "500", "503"}:
            self._drain()
            self._say(int(self.fault), b'{"errors":[{"code":"TOOMANYREQUESTS"}]}', {"Retry-After": "0"})
            return False
        if self.fault == "403":
            self._drain()
            self._say(403, b'{"errors":[{"code":"DENIED","message":"throw-away word"}]}')
            return False
        if self.path.startswith("/token"):
            self._token()
            return False
        if self.fault == "401" or not self._allowed(asked.authorization):
            self._drain()
            way = (
                'Basic realm="r"'
                if it.basic
                else f'Bearer realm="{it.realm or it.url + "/token"}",service="it"'
            )
            self._say(401, b'{"errors":[{"code":"UNAUTHORIZED"}]}', {"WWW-Authenticate": way})
            return False
        return True

    def _drain(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _allowed(self, given: str) -> bool:
        it = self.registry
        if it.tokens:
            return given.removeprefix("Bearer ") in it.valid
        return not it.basic or given == _pair()

    def _token(self) -> None:
        it = self.registry
        if self.headers.get("Authorization") != _pair():
            self._say(401, b"{}")
            return
        token = f"token-{len(it.asked)}"
        it.valid.add(token)
        self._say(200, json.dumps({"token": token, "expires_in": 300}).encode())

    def _say(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "Content-Length" not in (headers or {}):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and body:
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if not self._begin():
            return
        it = self.registry
        path = urllib.parse.urlsplit(self.path).path
        if path == "/v2/_catalog":
            names = sorted({name for name, _ in it.manifests})
            self._say(200 if it.catalogue else 401, json.dumps({"repositories": names}).encode())
            return
        match = _ROUTE.fullmatch(path)
        if match is None:
            self._say(404)
        elif match["kind"] == "tags":
            self._tags(match["name"])
        elif match["kind"] == "referrers":
            self._referrers(match["name"], match["rest"])
        elif match["kind"] == "manifests":
            self._manifest(match["name"], match["rest"])
        else:
            self._blob(match["name"], match["rest"])

    def _tags(self, name: str) -> None:
        it = self.registry
        if not any(repository == name for repository, _ in it.manifests):
            self._say(404, b'{"errors":[{"code":"NAME_UNKNOWN"}]}')
            return
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        last = query.get("last", [""])[0]
        names = sorted(tag for repository, tag in it.tags if repository == name and tag > last)
        page = names[:2]  # short pages: whoever does not follow them loses tags
        more = {}
        if len(names) > 2:
            more = {"Link": f'</v2/{name}/tags/list?n=2&last={page[-1]}>; rel="next"'}
        self._say(200, json.dumps({"name": name, "tags": page}).encode(), more)

    def _referrers(self, name: str, subject: str) -> None:
        it = self.registry
        if not it.lists_referrers:
            self._say(404)
            return
        rows = it.referrers(name, subject)
        self._say(200, json.dumps({"schemaVersion": 2, "manifests": rows}).encode())

    def _manifest(self, name: str, reference: str) -> None:
        it = self.registry
        found = it.manifests.get((name, it.tags.get((name, reference), reference)))
        if found is None:
            self._say(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
            return
        headers = {"Content-Type": found[0]}
        if it.tells_digests:
            headers["Docker-Content-Digest"] = it.tags.get((name, reference), reference)
        data = found[1]
        if self.fault == "flip":
            data = data[:-2] + b" }"
        if self.command == "HEAD":
            headers["Content-Length"] = str(len(data))
        self._say(200, data, headers)

    def _blob(self, name: str, digest: str) -> None:
        it = self.registry
        data = it.blobs.get(digest) if digest in it.held.get(name, ()) else None
        if data is None:
            self._say(404, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}')
        elif it.elsewhere:
            self._say(307, b"", {"Location": f"{it.elsewhere}/{digest}"})
        elif self.command == "HEAD":
            self._say(200, b"", {"Content-Length": str(len(data)), "Docker-Content-Digest": digest})
        else:
            self._body(data, digest)

    def _body(self, data: bytes, digest: str) -> None:
        it = self.registry
        if self.fault == "flip":
            middle = len(data) // 2
            data = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        self.send_response(200)
        told = len(data)
        if self.fault == "short":
            data, told = data[:-7], told - 7
        self.send_header("Content-Length", str(told))
        self.end_headers()
        half = len(data) // 2
        self.wfile.write(data[:half])
        if self.fault == "truncate":
            self.close_connection = True
            return
        if digest in it.hold:
            self.wfile.flush()
            it.reached.set()
            it.hold[digest].wait(60)
        try:
            self.wfile.write(data[half:])
        except OSError:
            self.close_connection = True  # who asked was killed

    def do_POST(self) -> None:
        if not self._begin():
            return
        it, parts = self.registry, urllib.parse.urlsplit(self.path)
        self._drain()
        name = parts.path.removeprefix("/v2/").removesuffix("/blobs/uploads/")
        query = urllib.parse.parse_qs(parts.query)
        mounted = query.get("mount", [""])[0]
        if mounted and mounted in it.held.get(query.get("from", [""])[0], ()):
            it.held.setdefault(name, set()).add(mounted)
            self._say(201, b"", {"Docker-Content-Digest": mounted})
            return
        key = str(len(it.asked))
        it.uploads[key] = bytearray()
        self._say(202, b"", {"Location": f"/v2/{name}/blobs/uploads/{key}?state=x"})

    def _upload(self) -> tuple[str, str]:
        path = urllib.parse.urlsplit(self.path).path
        name, _, key = path.removeprefix("/v2/").partition("/blobs/uploads/")
        return name, key

    def do_PATCH(self) -> None:
        it = self.registry
        if it.fault is None and not self._allowed(self.headers.get("Authorization", "")):
            self.close_connection = True  # turned away before its body
        if not self._begin():
            return
        name, key = self._upload()
        body = self._drain()
        if len(body) < int(self.headers["Content-Length"]):
            self.close_connection = True  # who sent it has hung up
            return
        kept = it.uploads.get(key)
        told = self.headers.get("Content-Range")
        if kept is None or (told is not None and int(told.partition("-")[0]) != len(kept)):
            it.rejected.append(f"PATCH {self.path}: {told}")
            self._say(416)
            return
        kept += body
        if self.fault == "lost":
            self.close_connection = True
            return
        headers = {"Location": f"/v2/{name}/blobs/uploads/{key}?state=y", "Range": f"0-{len(kept) - 1}"}
        self._say(202, b"", headers)

    def do_PUT(self) -> None:
        if not self._begin():
            return
        it, body = self.registry, self._drain()
        parts = urllib.parse.urlsplit(self.path)
        if "/blobs/uploads/" in parts.path:
            name, key = self._upload()
            known = it.uploads.pop(key, None)
            wanted = urllib.parse.parse_qs(parts.query)["digest"][0]
            if known is None:
                self._say(404, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}')
                return
            data = bytes(known) + body
            if _digest(data) != wanted:
                it.rejected.append(f"{wanted}: other bytes")
                self._say(400, b'{"errors":[{"code":"DIGEST_INVALID"}]}')
                return
            found = it.put_blob(name, data)
            if self.fault == "lost":
                self.close_connection = True
                return
            self._say(201, b"", {"Docker-Content-Digest": found})
            return
        match = _ROUTE.fullmatch(parts.path)
        assert match is not None
        self._put_manifest(match["name"], match["rest"], body)

    def _put_manifest(self, name: str, reference: str, body: bytes) -> None:
        it = self.registry
        document = json.loads(body)
        needed = [document["config"], *document["layers"]] if "layers" in document else []
        lacking = [each["digest"] for each in needed if each["digest"] not in it.held.get(name, ())]
        lacking += [
            each["digest"]
            for each in document.get("manifests", ())
            if (name, each["digest"]) not in it.manifests
        ]
        if lacking or (":" in reference and reference != _digest(body)):
            it.rejected.append(f"{reference}: lacks {lacking}")
            self._say(400, b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}')
            return
        tag = "" if ":" in reference else reference
        found = it.put_raw(name, tag, body, self.headers["Content-Type"])
        if self.fault == "lost":
            self.close_connection = True
            return
        headers = {"Docker-Content-Digest": found}
        if document.get("subject") and it.lists_referrers:
            headers["OCI-Subject"] = document["subject"]["digest"]
        self._say(201, b"", headers)

    def do_DELETE(self) -> None:
        if not self._begin():
            return
        if "/blobs/uploads/" not in self.path:
            self.registry.rejected.append(f"DELETE {self.path}")
        self.registry.uploads.pop(self._upload()[1], None)
        self._say(204)


def _pair() -> str:
    return "Basic " + base64.b64encode(":".join(PAIR).encode()).decode()
