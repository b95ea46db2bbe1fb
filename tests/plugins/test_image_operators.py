"""Images as Airflow copies and judges them: kept, dry, destroyed, refused, and again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from heavylift.errors import CredentialError, IncompleteError
from heavylift_airflow.operators.images import CopyImagesOperator, VerifyImagesOperator
from heavylift_airflow.operators.provision_closing import EvaluateInfrastructureGateOperator
from tests.plugins.world import World, context_of
from tests.support.made_images import demand_whole, image, push
from tests.support.oci_server import PAIR, OciServer

Moved = tuple[World, OciServer, OciServer]
MADE = {name: image([b"shared", name.encode()]) for name in ("a", "b")}


@pytest.fixture
def moved(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Moved]:
    """Return a migration of two images from one registry to another."""
    source, target = OciServer(), OciServer(basic=True)
    for name, made in MADE.items():
        push(source, f"ml/{name}", made, "1")
    for name, server in (("HERE", source), ("THERE", target)):
        given = {"conn_type": "docker", "host": server.url, "login": PAIR[0], "password": PAIR[1]}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(given))
    world.save(
        datasets=[],
        gates=[],
        infrastructure={"state": "gs://states/heavylift"},
        containers=section(source, target),
    )
    yield world, source, target
    source.close()
    target.close()


def section(source: OciServer, target: OciServer, **more: Any) -> dict[str, Any]:
    return {
        "source": f"{source.host}/ml", "target": f"{target.host}/moved",
        "source_connection": "here", "target_connection": "there", **more,
    }  # fmt: skip


def act(world: World, kind: type[Any] = CopyImagesOperator, more: Any = None, **params: Any) -> Any:
    task = kind(task_id="task", spec_path=world.spec_path, phase="provision", **(more or {}))
    return task.execute(context_of(task, **params))


def judged(world: World) -> Any:
    return act(world, EvaluateInfrastructureGateOperator, {"gate": "images-equal"})


def test_images_move_are_judged_and_a_second_run_sends_nothing(moved: Moved) -> None:
    world, _source, target = moved
    with pytest.raises(IncompleteError, match="no image was copied in this run"):
        judged(world)
    returned = [act(world), act(world)]
    with pytest.raises(IncompleteError, match="the images were not compared after their copy"):
        judged(world)
    returned.append(act(world, VerifyImagesOperator))
    assert [(each["copied"], each["equal"], each["sent"]) for each in returned] == [
        (2, 0, 4), (0, 2, 0), (0, 2, 0),
    ]  # fmt: skip
    for name, made in MADE.items():
        demand_whole(target, f"moved/{name}", made, "1")
    judged(world)
    acts = [each.action for each in world.trail()]
    assert acts.count("images.begun") == acts.count("images.copied") == 2
    assert "images.verified" in acts
    kept = "".join(path.read_text(errors="replace") for path in world.root.rglob("*") if path.is_file())
    assert f'"{PAIR[1]}"' not in kept


def test_a_dry_run_and_one_that_destroys_move_none(moved: Moved) -> None:
    world, _source, target = moved
    for params in ({"dry_run": True}, {"destroy": True}):
        with pytest.raises(AirflowSkipException):
            act(world, **params)
    assert not target.asked


def test_what_fails_is_named_and_shut_out_by_the_gate(moved: Moved) -> None:
    world, source, target = moved
    push(target, "moved/a", image([b"somebody's"]), "1")
    with pytest.raises(IncompleteError, match=r"1 of 2 that are not proved .*different"):
        act(world)
    with pytest.raises(IncompleteError, match="different"):
        act(world, VerifyImagesOperator)
    with pytest.raises(IncompleteError, match=r"1 image not proved: .*/ml/a:1 \(different\)"):
        judged(world)
    for policy, count in (("skip", "skipped"), ("overwrite", "copied")):
        world.save(containers=section(source, target, conflict=policy))
        assert act(world)[count] == 1
        # An earlier comparison says nothing of this copy.
        with pytest.raises(IncompleteError, match="not compared after"):
            judged(world)
        assert act(world, VerifyImagesOperator)["failed"] == 0
        judged(world)


def test_refused_credentials_fail_at_once(moved: Moved, monkeypatch: pytest.MonkeyPatch) -> None:
    world, _source, target = moved
    given = {"conn_type": "docker", "host": target.url, "login": "mover", "password": "another"}
    monkeypatch.setenv("AIRFLOW_CONN_THERE", json.dumps(given))
    with pytest.raises(CredentialError) as refused:
        act(world)
    assert "another" not in str(refused.value)
    assert not target.blobs


def test_comparing_again_writes_nothing_and_tells_the_same(moved: Moved) -> None:
    world, _source, target = moved
    act(world)
    before = len([each for each in target.asked if each.method not in {"GET", "HEAD"}])
    assert act(world, VerifyImagesOperator) == act(world, VerifyImagesOperator)
    assert len([each for each in target.asked if each.method not in {"GET", "HEAD"}]) == before


def test_images_that_manifests_name_are_selected_by_the_spec(moved: Moved, tmp_path: Any) -> None:
    world, source, target = moved
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": f"{source.host}/ml/b:1"}]},
    }  # fmt: skip
    (tmp_path / "pod.json").write_text(json.dumps(pod))
    world.save(containers=section(source, target, manifests=[str(tmp_path / "pod.json")]))
    assert act(world)["found"] == 1
    assert ("moved/b", "1") in target.tags
