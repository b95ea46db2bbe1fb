"""Manifests of each platform for each other: what changes, what is told, and that nothing is lost."""

from __future__ import annotations

import copy
import random
from itertools import permutations
from pathlib import Path

import pytest
import yaml

from heavylift.facts.accelerators import load_accelerators
from heavylift.manifests.context import Settings
from heavylift.manifests.mapping import NameMap, load_map
from heavylift.manifests.reading import find_files, read_file
from heavylift.manifests.report import shown
from heavylift.manifests.translate import Translation, translate_files

DATA = Path(__file__).parents[2] / "support" / "data" / "manifests"
ACCELERATORS = load_accelerators()
PLATFORMS = ("eks", "gke", "aks")
PAIRS = [*permutations(PLATFORMS, 2), *((each, "plain") for each in PLATFORMS)]


def settings(source: str, target: str, names: NameMap | None = None) -> Settings:
    names = names if names is not None else load_map(DATA / "map.yaml")
    return Settings(source, target, (1, 33), names, ACCELERATORS)


def translate(paths: list[Path], source: str, target: str, names: NameMap | None = None) -> Translation:
    return translate_files(find_files(paths), settings(source, target, names))


def of_text(
    tmp_path: Path, text: str, source: str = "eks", target: str = "gke", names: NameMap | None = None
) -> Translation:
    path = tmp_path / "m.yaml"
    path.write_text(text)
    return translate([path], source, target, names or NameMap())


def objects(done: Translation) -> dict[str, dict]:
    found = {}
    for text in done.texts.values():
        for each in yaml.safe_load_all(text):
            if each:
                found[f"{each['kind']}/{each['metadata']['name']}"] = each
    return found


def left(done: Translation) -> set[str]:
    return {each.path for each in done.report.untranslated}


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_second_translation_changes_nothing_and_no_document_is_lost(
    source: str, target: str, tmp_path: Path
) -> None:
    folders = [DATA / source, DATA / "old"]
    done = translate(folders, source, target)
    before = [each for folder in folders for path in folder.iterdir() for each in read_file(path, path.name)]
    assert done.documents == len(before)
    assert not done.unreadable
    for name, text in done.texts.items():
        (tmp_path / name).write_text(text)
    after = [each for path in tmp_path.iterdir() for each in read_file(path, path.name)]
    assert sorted(each.data["kind"] for each in after) == sorted(each.data["kind"] for each in before)
    assert [each.text for each in after if each.data["kind"] == "Secret"] == [
        each.text for each in before if each.data["kind"] == "Secret"
    ]
    again = translate([tmp_path], source, target)
    assert again.report.changes == []
    assert again.texts == done.texts
    assert left(again) == left(done)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_no_secret_is_told(source: str, target: str) -> None:
    assert "hunter2" not in str(translate([DATA / source], source, target).as_document())


@pytest.mark.parametrize("target", ["gke", "aks"])
def test_a_training_job_of_eks(target: str) -> None:
    done = translate([DATA / "eks"], "eks", target)
    found = objects(done)
    pod = found["Job/pretrain"]["spec"]["template"]["spec"]
    new = ACCELERATORS.find(
        {"gke": "gcp", "aks": "azure"}[target], pod["nodeSelector"]["node.kubernetes.io/instance-type"]
    )
    assert new is not None
    assert new.memory_gib_each >= 40
    assert new.count >= 8
    main = pod["containers"][0]
    assert main["image"] == "registry.example.com/corp/team/train:1.4@sha256:" + "5" * 64
    assert main["args"] == ["--data", "https://data.example.com/corp/train/", "--port=0644"]
    assert found["InferenceService/ranker"]["spec"]["predictor"]["model"]["storageUri"].startswith("https://")
    kept = {each.value.partition("=")[0] for each in done.report.untranslated}
    assert {"FI_PROVIDER", "AWS_REGION", "vpc.amazonaws.com/efa"} <= kept
    annotation = {"gke": "iam.gke.io/gcp-service-account", "aks": "azure.workload.identity/client-id"}[target]
    assert found["ServiceAccount/trainer"]["metadata"]["annotations"] == {annotation: "new-trainer"}
    labels = found["Job/pretrain"]["spec"]["template"]["metadata"].get("labels", {})
    assert (labels.get("azure.workload.identity/use") == "true") == (target == "aks")
    assert "# read access to the data" in done.texts["training.yaml"]
    assert done.comments_lost == []


def test_storage_of_eks_becomes_that_of_gke() -> None:
    done = translate([DATA / "eks"], "eks", "gke")
    found = objects(done)
    made = found["StorageClass/scratch"]
    assert made["provisioner"] == "pd.csi.storage.gke.io"
    assert made["parameters"] == {"type": "pd-balanced", "csi.storage.k8s.io/fstype": "ext4"}
    assert made["allowedTopologies"][0]["matchLabelExpressions"][0] == {
        "key": "topology.gke.io/zone",
        "values": ["zone-b"],
    }
    claim = found["StatefulSet/store"]["spec"]["volumeClaimTemplates"][0]["spec"]
    assert claim["storageClassName"] == "standard-rwo"
    assert found["PersistentVolumeClaim/shared"]["spec"]["storageClassName"] == "standard-rwx"
    spread = found["StatefulSet/store"]["spec"]["template"]["spec"]["topologySpreadConstraints"][0]
    assert spread["topologyKey"] == "topology.kubernetes.io/zone"


def test_nothing_is_reached_from_further_away_than_before() -> None:
    found = objects(translate([DATA / "eks"], "eks", "gke"))
    # The AWS controller makes an internal load balancer where nothing is said.
    inner = found["Service/internal"]["metadata"]["annotations"]
    assert inner == {"networking.gke.io/load-balancer-type": "Internal"}
    assert found["Ingress/api"]["metadata"]["annotations"]["kubernetes.io/ingress.class"] == "gce"
    found = objects(translate([DATA / "aks"], "aks", "eks"))
    assert found["Ingress/web"]["metadata"]["annotations"] == {"alb.ingress.kubernetes.io/scheme": "internal"}
    found = objects(translate([DATA / "gke"], "gke", "eks"))
    assert found["Ingress/web"]["metadata"]["annotations"] == {
        "alb.ingress.kubernetes.io/scheme": "internet-facing"
    }
    assert found["Service/inner"]["metadata"]["annotations"] == {
        "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"
    }


def test_gpu_labels_of_gke_become_instance_types() -> None:
    found = objects(translate([DATA / "gke"], "gke", "eks"))
    selector = found["CronJob/nightly"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["nodeSelector"]
    assert set(selector) == {"node.kubernetes.io/instance-type", "eks.amazonaws.com/capacityType"}
    assert ACCELERATORS.find("aws", selector["node.kubernetes.io/instance-type"]).memory_gib_each >= 21.6
    found = objects(translate([DATA / "aks"], "aks", "gke"))
    pod = found["Deployment/web"]["spec"]["template"]["spec"]
    assert pod["nodeSelector"]["cloud.google.com/gke-nodepool"] == "gpu-pool"
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def test_removed_versions_are_converted() -> None:
    done = translate([DATA / "old"], "any", "gke")
    text = done.texts["apis.yaml"]
    versions = [each["apiVersion"] for each in yaml.safe_load_all(text)]
    assert versions == [
        "networking.k8s.io/v1", "autoscaling/v2", "autoscaling/v2", "policy/v1", "batch/v1",
        "networking.k8s.io/v1",
    ]  # fmt: skip
    paths = next(yaml.safe_load_all(text))["spec"]["rules"][0]["http"]["paths"]
    assert [each["backend"]["service"] for each in paths] == [
        {"name": "a", "port": {"number": 80}},
        {"name": "b", "port": {"name": "web"}},
    ]
    assert "# kept" in text
    assert done.passed


def test_an_empty_selector_of_an_old_budget_is_not_converted(tmp_path: Path) -> None:
    text = (
        "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: a}\nspec: {selector: {}}\n"
    )
    done = of_text(tmp_path, text)
    assert left(done) == {"apiVersion"}
    assert done.texts["m.yaml"] == text


def test_what_the_map_does_not_name_stays_and_is_told(tmp_path: Path) -> None:
    done = translate([DATA / "eks"], "eks", "gke", NameMap())
    account = objects(done)["ServiceAccount/trainer"]["metadata"]["annotations"]
    assert account["eks.amazonaws.com/role-arn"] == "arn:aws:iam::123456789012:role/trainer"
    subjects = {each.subject for each in done.report.untranslated}
    assert {"identity", "images", "uris", "nodes", "ingress"} <= subjects


def test_a_prefix_ends_where_a_name_does(tmp_path: Path) -> None:
    names = NameMap(registries={"corp.azurecr.io/team": "new.example.com/t"})
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n"
        "  - {name: a, image: 'corp.azurecr.io/teamwork/x:1'}\n"
        "  - {name: b, image: 'corp.azurecr.io/team/x:1'}\n"
    )
    done = of_text(tmp_path, text, "aks", "gke", names)
    images = [each["image"] for each in objects(done)["Pod/a"]["spec"]["containers"]]
    assert images == ["corp.azurecr.io/teamwork/x:1", "new.example.com/t/x:1"]
    assert left(done) == {"spec.containers[0].image"}


def test_shared_claims_on_block_storage_are_told(tmp_path: Path) -> None:
    text = (
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\n"
        "spec: {accessModes: [ReadWriteMany], resources: {requests: {storage: 1Gi}}}\n"
    )
    assert left(of_text(tmp_path, text)) == {"spec.accessModes"}


def test_metrics_that_no_cluster_has_by_itself_are_told(tmp_path: Path) -> None:
    text = (
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\n"
        "spec:\n  maxReplicas: 3\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}\n"
        "  metrics:\n"
        "  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}\n"
        "  - {type: External, external: {metric: {name: queue_depth}, target: {type: Value, value: 9}}}\n"
    )
    told = [each for each in of_text(tmp_path, text).report.requirements if "adapter" in each.why]
    assert [(each.path, each.value) for each in told] == [("spec.metrics[1]", "queue_depth")]


def test_a_class_that_could_make_no_volume_is_told(tmp_path: Path) -> None:
    text = (
        "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: a}\n"
        "provisioner: pd.csi.storage.gke.io\nparameters: {type: pd-ssd}\n"
    )
    done = of_text(tmp_path, text, "gke", "eks")
    assert objects(done)["StorageClass/a"]["parameters"] == {"type": "io2"}
    assert left(done) == {"parameters.type"}


def test_anchors_are_written_out_and_only_the_right_place_changes(tmp_path: Path) -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: v1, kind: ConfigMap, metadata: &m {name: a}, data: {u: &u s3://b/x}}\n"
        "- {apiVersion: v1, kind: Secret, metadata: *m, stringData: {u: *u}}\n"
    )
    done = of_text(tmp_path, text, names=NameMap(uris={"s3://b": "gs://c"}))
    first, second = yaml.safe_load(done.texts["m.yaml"])["items"]
    assert (first["data"]["u"], second["stringData"]["u"]) == ("gs://c/x", "s3://b/x")


def test_everything_of_the_source_is_told_wherever_it_stands(tmp_path: Path) -> None:
    text = (
        "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {name: a}\n"
        "spec: {provider: {aws: {service: SecretsManager, region: us-west-2}}}\n---\n"
        "apiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata: {name: a}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
        "data: {f: 'db.x.us-east-1.rds.amazonaws.com'}\n"
        "---\napiVersion: v1\nkind: List\nitems: []\n"
    )
    done = of_text(tmp_path, text)
    assert [(each.object, each.path) for each in done.report.untranslated] == [
        ("SecretStore/a", "spec.provider"),
        ("NodePool/a", "kind"),
        ("ConfigMap/a", "data.f"),
    ]
    assert done.texts["m.yaml"] == text


def test_of_a_text_only_the_uri_is_told(tmp_path: Path) -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  f: |\n"
        "    phrase: canary # kept\n    bucket: s3://b/x, s3://other/y\n"
    )
    done = of_text(tmp_path, text, target="aks", names=NameMap(uris={"s3://b": "abfss://c@d.example.com"}))
    assert "bucket: abfss://c@d.example.com/x, s3://other/y" in done.texts["m.yaml"]
    assert [(each.old, each.new) for each in done.report.changes] == [
        ("s3://b/x", "abfss://c@d.example.com/x")
    ]
    assert [each.value for each in done.report.untranslated] == ["s3://other/y"]
    assert "canary" not in str(done.as_document())


@pytest.mark.parametrize(
    "text",
    [
        "postgres://user:canary@db/x",
        "https://canary@example.com/x",
        "https://example.com/x?sig=canary",
        "password=canary",
        "--token: canary",
        "AKIACANARYCANARYCANARY",
    ],
)
def test_what_looks_secret_is_not_shown(text: str) -> None:
    assert "canary" not in shown(text).lower()


ODD: tuple[object, ...] = (
    None,
    7,
    True,
    "",
    "text",
    [],
    {},
    [None],
    [[1]],
    {"a": None},
    {1: 2},
    [{"name": 3}],
    -1.5,
)


def odd(value: object, chance: random.Random) -> object:
    """Return a copy of ``value`` in which a few parts are of another shape than they should be."""
    if chance.random() < 0.02:
        return copy.deepcopy(chance.choice(ODD))
    if isinstance(value, dict):
        return {key: odd(each, chance) for key, each in value.items()}
    return [odd(each, chance) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("source", [*PLATFORMS, "old"])
def test_odd_shapes_stop_nothing_and_a_second_run_still_changes_nothing(source: str, tmp_path: Path) -> None:
    chance = random.Random(20260101)
    whole = [each for path in (DATA / source).iterdir() for each in yaml.safe_load_all(path.read_text())]
    for turn in range(6):
        text = yaml.safe_dump_all([odd(each, chance) for each in whole])
        target = PLATFORMS[turn % 3]
        done = of_text(tmp_path, text, "any", target, load_map(DATA / "map.yaml"))
        again = of_text(tmp_path, done.texts["m.yaml"], "any", target, load_map(DATA / "map.yaml"))
        assert again.report.changes == []
        assert again.documents == done.documents


def test_json_stays_json_and_crlf_stays_crlf(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(
        '{\n  "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"u": "s3://b/x"}}'
    )
    names = NameMap(uris={"s3://b": "gs://c"})
    done = translate([path], "eks", "gke", names)
    assert '"u": "gs://c/x"' in done.texts["m.json"]
    crlf = tmp_path / "c.yaml"
    crlf.write_bytes(b"apiVersion: v1\r\nkind: ConfigMap\r\nmetadata: {name: a}\r\ndata: {u: s3://b}\r\n")
    text = translate([crlf], "eks", "gke", names).texts["c.yaml"]
    assert text.count("\r\n") == text.count("\n") == 4
