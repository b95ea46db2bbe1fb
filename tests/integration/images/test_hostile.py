"""Manifests that lie, contradict themselves or point where nothing should are refused, all others copied."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.image_moves import between, moved
from tests.support.made_images import DOCKER, INDEX, OCI, digest, image, push
from tests.support.oci_server import OciServer

Small = Callable[..., OciServer]
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"


def document(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(image([b"layer"]).data)
    return {**found, **changes}


def with_layer(**changes: Any) -> dict[str, Any]:
    found = document()
    found["layers"][0] |= changes
    return found


CASES = {
    "path-like digest": (with_layer(digest="sha256:../../../../etc/passwd"), OCI, "HL-9146"),
    "digest of another length": (with_layer(digest="sha256:abc"), OCI, "HL-9146"),
    "capital letters": (with_layer(digest="sha256:" + "A" * 64), OCI, "HL-9146"),
    "another algorithm": (with_layer(digest="md5:" + "a" * 32), OCI, "HL-9146"),
    "longer than it is": (with_layer(size=6), OCI, "HL-9158"),
    "shorter than it is": (with_layer(size=4), OCI, "HL-9158"),
    "negative size": (with_layer(size=-1), OCI, "HL-9146"),
    "size as a text": (with_layer(size="5"), OCI, "HL-9146"),
    "size as a truth": (with_layer(size=True), OCI, "HL-9146"),
    "size of the universe": (with_layer(size=2**62), OCI, "HL-9146"),
    "image and index at once": (document(manifests=[]), OCI, "HL-9146"),
    "index and image at once": (document(mediaType=INDEX, manifests=[]), INDEX, "HL-9146"),
    "two types": (document(), DOCKER, "HL-9146"),
    "no layers": (document(layers=None), OCI, "HL-9146"),
    "no configuration": (document(config=None), OCI, "HL-9146"),
    "a list": ([], OCI, "HL-9146"),
    "schema 1": ({"schemaVersion": 1, "fsLayers": []}, SCHEMA_1, "HL-9144"),
    "something else": ({"mediaType": "application/x", "schemaVersion": 2}, "application/x", "HL-9145"),
    "child that is not there": (
        {"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": OCI, "digest": "sha256:" + "1" * 64, "size": 7}]}, INDEX, "HL-3004",
    ),
    "subject that is none": (document(subject={"digest": "latest"}), OCI, "HL-9146"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_and_no_tag_is_put(name: str, small: Small) -> None:
    content, media_type, code = CASES[name]
    source, target = small(), small()
    push(source, "ml/good", image([b"layer"]), "1")
    source.put_blob("ml/bad", b"layer")
    for blob in image([b"layer"]).blobs:
        source.put_blob("ml/bad", blob)
    source.put_raw("ml/bad", "1", json.dumps(content).encode(), media_type)
    record = between(source, target, "ml")
    outcomes = {each.source.rpartition("/")[2]: (each.outcome, each.code) for each in record.rows}
    assert outcomes == {"bad:1": ("failed", code), "good:1": ("copied", "")}
    assert not any(repository == "moved/ml/bad" for repository, _ in target.manifests)
    assert not target.rejected


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b"\xff\xfe", b"", b'{"layers":' + b" " * (5 << 20) + b"[]}"]
)
def test_what_is_no_json_or_endless_is_refused(data: bytes, small: Small) -> None:
    source, target = small(), small()
    source.put_raw("ml/bad", "1", data, OCI)
    record = between(source, target, "ml")
    assert record.rows[0].code in {"HL-9146", "HL-9157"}
    assert not target.blobs


def test_names_of_a_catalogue_are_not_followed_anywhere(small: Small) -> None:
    source, target = small(), small()
    push(source, "ml/good", image([b"layer"]), "1")
    for name in ("ml/../../etc", "ml/UP", "ml/a b", "ml//x"):
        source.put_raw(name, "1", image([b"layer"]).data, OCI)
    source.put_raw("ml/good", "../../x", image([b"layer"]).data, OCI)
    record = between(source, target, "ml")
    assert [each.target.rpartition("/")[2] for each in record.rows if each.outcome == "copied"] == ["good:1"]
    assert all(each.path.partition("?")[0].count("..") == 0 for each in (*source.asked, *target.asked))


def test_an_index_that_says_wrong_of_its_child_is_refused(small: Small) -> None:
    source, target = small(), small()
    child = image([b"layer"])
    push(source, "ml/a", child)
    row = {**child.descriptor(), "size": len(child.data) + 1}
    data = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [row]}).encode()
    source.put_raw("ml/a", "1", data, INDEX)
    record = between(source, target, "ml")
    assert record.rows[0].code == "HL-9169"


def test_indexes_within_indexes_come_to_an_end(small: Small) -> None:
    source, target = small(), small()
    inner = image([b"layer"])
    push(source, "ml/a", inner)
    data, media_type, size = inner.data, OCI, len(inner.data)
    for _ in range(20):
        row = {"mediaType": media_type, "digest": digest(data), "size": size}
        data = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [row]}).encode()
        media_type, size = INDEX, len(data)
        source.put_raw("ml/a", "", data, INDEX)
    source.put_raw("ml/a", "1", data, INDEX)
    assert between(source, target, "ml").rows[0].code == "HL-9168"


def test_a_bad_image_of_a_registry_without_digests_keeps_no_other_back(small: Small) -> None:
    source, target = small(tells_digests=False), small()
    push(source, "ml/good", image([b"layer"]), "1")
    source.put_raw("ml/bad", "1", b"[]", OCI)
    record = between(source, target, "ml")
    outcomes = {each.source.rpartition("/")[2]: (each.outcome, each.code) for each in record.rows}
    assert outcomes == {"bad:1": ("refused", "HL-9146"), "good:1": ("copied", "")}


def test_a_size_that_another_image_has_disproved_is_refused_however_the_blob_comes(small: Small) -> None:
    for size in (6, 4):
        source, target = small(), small()
        push(source, "ml/a", image([b"layer"]), "1")
        for blob in image([b"layer"]).blobs:
            source.put_blob("ml/b", blob)
        source.put_raw("ml/b", "1", json.dumps(with_layer(size=size)).encode(), OCI)
        record = between(source, target, "ml")
        assert {each.outcome for each in record.rows} == {"copied", "failed"}
        # Within one registry nothing is sent, and so nothing was counted on the way.
        places = f"{source.host}/ml", f"{source.host}/x"
        record = moved((places[0], source.connection("s")), (places[1], source.connection("t")))
        assert {each.code for each in record.rows} == {"", "HL-9158"}
