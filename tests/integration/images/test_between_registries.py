"""Images between two real registries: whole, by the same digest, never twice, and nothing overwritten."""

from __future__ import annotations

import random

import pytest

from heavylift.errors import CredentialError, SpecError
from tests.support.image_moves import between, moved, rows
from tests.support.made_images import (
    DOCKER,
    DOCKER_LIST,
    Made,
    demand_whole,
    image,
    index,
    layer,
    pulled,
    push,
    push_blob,
)
from tests.support.registries import RegistryServer

Real = tuple[RegistryServer, RegistryServer]
COSIGN = "application/vnd.dev.cosign.artifact.sig.v1+json"


def noise(seed: str, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


BASE = layer("base", noise("base", 3 << 20))


def two_platforms(name: str) -> Made:
    return index([
        image([BASE, layer("a", name.encode())]),
        image([BASE, layer("b", name.encode())], architecture="arm64"),
    ])  # fmt: skip


def test_an_index_its_platforms_and_all_that_refers_to_them_arrive(real: Real) -> None:
    source, target = real
    made = two_platforms("whole")
    docker = index([image([BASE, b"not gzip at all"], kind=DOCKER)], kind=DOCKER_LIST)
    signature = image([b"signature"], subject=made, artifact=COSIGN)
    of_platform = image([b"a bill of materials"], subject=made.children[0], artifact="application/spdx+json")
    old_style = image([b"as cosign did it before"])
    push(source, "whole/scoring", made, "1.0")
    push(source, "whole/scoring", made, "latest")
    push(source, "whole/docker", docker, "v2")
    for each, subject in ((signature, made), (of_platform, made.children[0])):
        push(source, "whole/scoring", index([each]), f"sha256-{subject.digest[7:]}")
    push(source, "whole/scoring", old_style, f"sha256-{made.digest[7:]}.sig")

    record = between(source, target, "whole")
    assert record.passed
    assert {name: each.outcome for name, each in rows(record).items()} == dict.fromkeys(
        ["whole/scoring:1.0", "whole/scoring:latest", "whole/docker:v2"], "copied"
    ) | {"whole/scoring:latest": rows(record)["whole/scoring:latest"].outcome}
    found = rows(record)["whole/scoring:1.0"]
    assert (found.manifests, found.referrers, found.digest) == (6, 3, made.digest)
    for tag in ("1.0", "latest"):
        demand_whole(target, "moved/whole/scoring", made, tag)
    demand_whole(target, "moved/whole/docker", docker, "v2")
    for each in (signature, of_platform, old_style):
        demand_whole(target, "moved/whole/scoring", each)
    for subject in (made, made.children[0]):
        tag = f"sha256-{subject.digest[7:]}"
        assert pulled(target, "moved/whole/scoring", tag) == pulled(source, "whole/scoring", tag)
    # The layer that all have crossed once, and was mounted where it was wanted again.
    assert record.sent_bytes < 2 * len(BASE)
    assert sum(each.mounted for each in record.rows) >= 1


def test_a_second_run_writes_nothing_and_a_comparison_finds_all_equal(real: Real) -> None:
    source, target = real
    push(source, "again/a", two_platforms("again"), "1")
    assert between(source, target, "again").copied == 1
    before = written(target)
    record = between(source, target, "again")
    assert (record.equal, record.copied, record.sent) == (1, 0, 0)
    assert between(source, target, "again", "verify", deep=True).equal == 1
    assert written(target) == before


def written(server: RegistryServer) -> int:
    """Return how many requests that change something a registry has logged."""
    text = (server.data.parent / "registry.log").read_text()
    marks = [f"http.request.method={each} " for each in ("POST", "PATCH", "PUT", "DELETE")]
    return sum(
        any(mark in line for mark in marks) for line in text.splitlines() if "response completed" in line
    )


def test_a_dry_run_tells_what_it_would_send_and_touches_nothing(real: Real) -> None:
    source, target = real
    push(source, "dry/a", two_platforms("dry"), "1")
    before = written(target)
    record = between(source, target, "dry", dry_run=True)
    [row] = record.rows
    assert (row.outcome, row.sent, record.planned, record.sent) == ("to_copy", 5, 1, 0)
    assert written(target) == before
    assert between(source, target, "dry", "verify").rows[0].outcome == "missing"


def test_a_tag_at_another_digest_stays_unless_the_policy_says_otherwise(real: Real) -> None:
    source, target = real
    mine, other = image([layer("new", b"new")]), image([layer("old", b"old")])
    push(source, "tags/a", mine, "1")
    push(target, "moved/tags/a", other, "1")
    record = between(source, target, "tags")
    [row] = record.rows
    assert (record.passed, row.outcome, row.target_digest) == (False, "different", other.digest)
    assert row.sent == 0
    assert between(source, target, "tags", conflict="skip").skipped == 1
    demand_whole(target, "moved/tags/a", other, "1")
    assert between(source, target, "tags", "verify").rows[0].outcome == "different"
    assert between(source, target, "tags", conflict="overwrite").copied == 1
    demand_whole(target, "moved/tags/a", mine, "1")
    # Nothing is deleted: what the tag was before is there still.
    demand_whole(target, "moved/tags/a", other)


def test_within_one_registry_blobs_are_mounted_and_none_is_sent(real: Real) -> None:
    _, target = real
    made = two_platforms("mount")
    push(target, "mount/a", made, "1")
    here = target.connection("here")
    record = moved((f"{target.host}/mount", here), (f"{target.host}/mounted", here))
    assert (record.copied, record.sent) == (1, 0)
    assert record.rows[0].mounted == 5
    demand_whole(target, "mounted/a", made, "1")


def test_names_tags_and_single_images_select_and_rename(real: Real) -> None:
    source, target = real
    for name in ("pick/team/a", "pick/team/b", "pick/else"):
        for tag in ("1.0", "1.1", "dev"):
            push(source, name, image([layer("f", f"{name}{tag}".encode())]), tag)
    wanted = {"repositories": ["team/*"], "exclude": ["team/b"], "tags": ["1.*"], "exclude_tags": ["*.0"]}
    record = between(source, target, "pick", "list", **wanted, rename={"strip_prefix": "team/"})
    assert [(each.source.partition("/")[2], each.target.partition("/")[2]) for each in record.rows] == [
        ("pick/team/a:1.1", "moved/pick/a:1.1")
    ]
    digest = record.rows[0].digest
    named = between(source, target, "pick", images=["else:dev", f"team/a@{digest}"])
    assert set(rows(named)) == {"pick/else:dev", f"pick/team/a@{digest}"}
    assert named.copied == 2
    of_manifests = (f"{source.host}/pick/team/b:dev", "nginx:1", "{{ .Values.image }}")
    found = between(source, target, "pick", named=of_manifests, manifests=["k8s/"])
    assert set(rows(found)) == {"pick/team/b:dev"}
    both = between(source, target, "pick", "list", rename={"names": {"team/a": "x", "team/b": "x"}})
    assert {each.outcome for each in both.rows if "team" in each.source} == {"refused"}


def test_nothing_selected_is_an_error_and_what_is_not_there_is_named(real: Real) -> None:
    source, target = real
    push(source, "empty/a", image([b"x"]), "1")
    with pytest.raises(SpecError, match="not one image"):
        between(source, target, "empty", tags=["none-*"])
    record = between(source, target, "empty", images=["a:2", "b:1"])
    assert {name: each.outcome for name, each in rows(record).items()} == {
        "empty/a:2": "refused", "empty/b:1": "refused", "empty/b": "refused",
    }  # fmt: skip
    assert not record.passed


def test_wrong_credentials_end_it_and_are_shown_nowhere(real: Real) -> None:
    source, target = real
    push(source, "who/a", image([b"x"]), "1")
    wrong = target.connection("wrong", password="not this one")
    for login in (wrong, None):
        connection = login or source.connection("x", host=target.host)
        with pytest.raises(CredentialError) as refused:
            moved((f"{source.host}/who", source.connection("s")), (f"{target.host}/who", connection))
        assert "not this one" not in str(refused.value)


def test_layers_that_registries_do_not_hold_are_named_and_left(real: Real) -> None:
    source, target = real
    foreign = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": "sha256:" + "0" * 64, "size": 5, "urls": ["https://go.microsoft.com/fwlink"],
    }  # fmt: skip
    made = image([layer("f", b"f")], kind=DOCKER, extra=[foreign])
    for blob in made.blobs:
        push_blob(source, "foreign/a", blob)
    status, _, body = source.ask(
        "PUT", "/v2/foreign/a/manifests/1", made.data, {"Content-Type": made.media_type}
    )
    assert status == 201, body
    record = between(source, target, "foreign")
    assert record.rows[0].foreign == 1
    assert record.copied == 1
    demand_whole(target, "moved/foreign/a", made, "1")
