"""A small Cloud KMS and the keys of a small Key Vault: both check what they are sent by published shapes."""

from __future__ import annotations

import base64
import os
import re
import threading
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from heavylift.checksums import crc32c_of
from heavylift.connections import Connection
from tests.support.discovery import BadRequestError, load
from tests.support.json_server import JsonServer

RING = "projects/p/locations/europe-west1/keyRings/models/cryptoKeys"


@dataclass
class CloudKmsServer:
    """Cloud KMS with any key below ``RING``; requests must be of the form of Google's discovery document.

    :param versions: of each key, its secrets, oldest first; the last one is primary.
    :param denied: keys that nobody may use; the refusal echoes the request.
    :param spoils: answers have a bit turned.
    """

    versions: dict[str, list[bytes]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    spoils: bool = False
    rejected: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server = JsonServer(self.answer)

    def close(self) -> None:
        self._server.close()

    def connection(self, conn_id: str = "google_keys") -> Connection:
        extra = {"project": "p", "endpoint_url": self._server.url, "anonymous": True}
        return Connection(conn_id, "google_cloud_platform", extra=extra)

    def rotate(self, key: str) -> None:
        """Make a new primary version."""
        self.versions.setdefault(key, []).append(os.urandom(32))

    def answer(self, http: str, target: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Answer one request."""
        split = urllib.parse.urlsplit(target)
        path = urllib.parse.unquote(split.path).removeprefix("/cloudkms/")
        with self._lock:
            document = load("cloudkms.v1")
            method = document.find(http, path)
            try:
                if method is None:
                    raise BadRequestError("no such method")
                document.check(method, dict(urllib.parse.parse_qsl(split.query)), body)
            except BadRequestError as error:
                self.rejected.append(f"{http} {path}: {error}")
                return _google_refusal(400, "INVALID_ARGUMENT", str(error))
            self.requests.append(method.id)
            key, _, verb = path.removeprefix("v1/").partition(":")
            if key in self.denied:
                return _google_refusal(403, "PERMISSION_DENIED", f"Permission denied for {body}")
            if key not in self.versions:
                return _google_refusal(404, "NOT_FOUND", f"CryptoKey {key} not found.")
            return self._encrypt(key, body) if verb == "encrypt" else self._decrypt(key, body)

    def _encrypt(self, key: str, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
        plain, bound = _checked(body, "plaintext"), _checked(body, "additionalAuthenticatedData")
        nonce, number = os.urandom(12), len(self.versions[key])
        sealed = bytes([number]) + nonce + AESGCM(self.versions[key][-1]).encrypt(nonce, plain, bound)
        told = _crc(sealed)
        if self.spoils:
            sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
        return 200, {
            "name": f"{key}/cryptoKeyVersions/{number}",
            "ciphertext": base64.b64encode(sealed).decode(),
            "ciphertextCrc32c": told,
            "verifiedPlaintextCrc32c": True,
            "verifiedAdditionalAuthenticatedDataCrc32c": True,
        }

    def _decrypt(self, key: str, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
        sealed, bound = _checked(body, "ciphertext"), _checked(body, "additionalAuthenticatedData")
        try:
            plain = AESGCM(self.versions[key][sealed[0] - 1]).decrypt(sealed[1:13], sealed[13:], bound)
        except (InvalidTag, IndexError):
            return _google_refusal(400, "INVALID_ARGUMENT", "Decryption failed: the ciphertext is invalid.")
        return 200, {"plaintext": base64.b64encode(plain).decode(), "plaintextCrc32c": _crc(plain)}


def _checked(body: dict[str, str], name: str) -> bytes:
    data = base64.b64decode(body[name], validate=True)
    assert body[f"{name}Crc32c"] == _crc(data), name
    return data


def _crc(data: bytes) -> str:
    return str(int(crc32c_of(data), 16))


def _google_refusal(status: int, word: str, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"code": status, "status": word, "message": message}}


_PATH = re.compile(r"/keys/([A-Za-z0-9-]{1,127})(?:/([0-9a-f]{32})/(wrapkey|unwrapkey))?")


@dataclass
class VaultKeysServer:
    """The RSA keys of a Key Vault, as the reference of its REST API 7.4 writes requests and answers.

    :param versions: of each key, oldest first; the last one is current.
    """

    versions: dict[str, list[rsa.RSAPrivateKey]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    rejected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server = JsonServer(self.answer)

    def close(self) -> None:
        self._server.close()

    def connection(self, conn_id: str = "vault_keys") -> Connection:
        return Connection(conn_id, "azure", extra={"vault_url": self._server.url, "anonymous": True})

    def rotate(self, key: str) -> None:
        """Make a new current version."""
        self.versions.setdefault(key, []).append(rsa.generate_private_key(65537, 2048))

    def answer(self, http: str, target: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Answer one request."""
        split = urllib.parse.urlsplit(target)
        match = _PATH.fullmatch(split.path)
        with self._lock:
            wrong = not match or "api-version=7.4" not in split.query
            if wrong or http != ("POST" if match and match[3] else "GET"):
                self.rejected.append(f"{http} {target}")
                return _azure_refusal(400, "BadParameter", "no such operation")
            assert match is not None
            name, version, verb = match.groups()
            if name in self.denied:
                return _azure_refusal(403, "Forbidden", f"the caller may not do this: {body}")
            held = self.versions.get(name)
            if not held:
                return _azure_refusal(404, "KeyNotFound", f"A key with (name/id) {name} was not found")
            if verb is None:
                kid = f"{self._server.url}/keys/{name}/{len(held):032x}"
                return 200, {"key": {"kid": kid, "kty": "RSA", "key_ops": ["wrapKey", "unwrapKey"]}}
            return self._operate(name, version, verb, body)

    def _operate(self, name: str, version: str, verb: str, body: Any) -> tuple[int, dict[str, Any]]:
        if set(body) != {"alg", "value"} or body["alg"] != "RSA-OAEP-256" or "=" in body["value"]:
            self.rejected.append(f"{verb} {body}")
            return _azure_refusal(400, "BadParameter", "alg or value")
        number = int(version, 16)
        if not 1 <= number <= len(self.versions[name]):
            return _azure_refusal(404, "KeyNotFound", "no such version")
        key = self.versions[name][number - 1]
        data = base64.urlsafe_b64decode(body["value"] + "=" * (-len(body["value"]) % 4))
        scheme = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
        try:
            done = key.public_key().encrypt(data, scheme) if verb == "wrapkey" else key.decrypt(data, scheme)
        except ValueError:
            return _azure_refusal(400, "BadParameter", "The parameter is incorrect.")
        value = base64.urlsafe_b64encode(done).decode().rstrip("=")
        return 200, {"kid": f"{self._server.url}/keys/{name}/{version}", "value": value}


def _azure_refusal(status: int, code: str, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"code": code, "message": message}}
