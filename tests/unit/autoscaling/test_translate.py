"""Settings from each system to each other: read, written, read again, and what is lost told before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from heavylift.autoscaling.compare import Tolerance, compare, judge
from heavylift.autoscaling.load import made_load, read_load
from heavylift.autoscaling.model import Kind, System
from heavylift.autoscaling.picture import svg_picture, text_picture
from heavylift.autoscaling.simulate import World, simulate
from heavylift.autoscaling.told import comparison_markdown, comparison_text
from heavylift.autoscaling.translate import load, translate
from heavylift.errors import HeavyliftError
from tests.support.longer import first_then_long

SETTINGS = Path(__file__).with_name("settings")
FILES = ("aws.json", "aws-steps.json", "hpa.yaml", "keda.yaml", "vertex.json", "azure.json")
WORLD = World(capacity=450.0, start_s=120, queue=450.0)
DAY = made_load("day", 300, 4200, 240)


@pytest.mark.parametrize("system", list(System))
@pytest.mark.parametrize("name", FILES)
def test_what_is_written_is_read_as_it_was_meant(name: str, system: System, tmp_path: Path) -> None:
    made = translate(SETTINGS / name, system)
    assert made.passed, made.losses
    file = tmp_path / "settings.yaml"
    file.write_text(made.text)
    again = load(file)
    assert (again.system, again.minimum, again.maximum) == (system, made.target.minimum, made.target.maximum)
    assert simulate(again, DAY, WORLD) == simulate(made.target, DAY, WORLD)


def test_the_source_is_read() -> None:
    aws = load(SETTINGS / "aws.json")
    assert (aws.metrics[0].kind, aws.metrics[0].target, aws.out.cooldown_s, aws.back.cooldown_s) == (
        Kind.REQUESTS, 300.0, 60, 300,
    )  # fmt: skip
    steps = load(SETTINGS / "aws-steps.json")
    assert [(rule.threshold, rule.value, rule.above) for rule in steps.rules] == [
        (300, 1, True), (500, 3, True), (120, 1, False),
    ]  # fmt: skip
    hpa = load(SETTINGS / "hpa.yaml")
    assert [(each.kind, each.target) for each in hpa.metrics] == [(Kind.REQUESTS, 300.0), (Kind.CPU, 80.0)]
    assert (hpa.back.window_s, hpa.back.limits[0].value) == (600, 50)
    vertex = load(SETTINGS / "vertex.json")
    assert [(each.kind, each.target) for each in vertex.metrics] == [(Kind.GPU, 50.0), (Kind.CPU, 60.0)]
    azure = load(SETTINGS / "azure.json")
    assert [(rule.threshold, rule.window_s, rule.cooldown_s) for rule in azure.rules] == [
        (60, 300, 300),
        (25, 900, 600),
    ]


@pytest.mark.parametrize(
    ("name", "system", "subject", "words"),
    [
        ("aws.json", System.HPA, "cooldown", "windows of stabilisation"),
        ("aws.json", System.VERTEX, "pace", "cannot be set"),
        ("aws.json", System.AZURE, "metrics", "targets become rules"),
        ("azure.json", System.AWS, "resource", "not known"),
        ("azure.json", System.HPA, "rules", "become targets"),
        ("keda.yaml", System.VERTEX, "minimum", "0 becomes 1"),
        ("keda.yaml", System.HPA, "minimum", "0 becomes 1"),
        ("hpa.yaml", System.AWS, "tolerance", "let be"),
        ("hpa.yaml", System.AWS, "pace", "limits to the size"),
        ("vertex.json", System.AWS, "metrics", "adds up over cores"),
    ],
)
def test_what_cannot_be_held_is_told(name: str, system: System, subject: str, words: str) -> None:
    losses = translate(SETTINGS / name, system).losses
    assert [loss for loss in losses if loss.subject == subject and words in loss.what], losses


def changed(name: str, tmp_path: Path, change: Any) -> Path:
    found = yaml.safe_load((SETTINGS / name).read_text())
    change(found)
    file = tmp_path / "changed.json"
    file.write_text(json.dumps(found))
    return file


def test_schedules_and_metrics_without_counterpart_block(tmp_path: Path) -> None:
    def schedule(found: Any) -> None:
        found["ScheduledActions"] = [{"ScheduledActionName": "night", "Schedule": "cron(0 22 * * ? *)"}]

    made = translate(changed("aws.json", tmp_path, schedule), System.HPA)
    assert not made.passed
    assert "night: cron(0 22 * * ? *)" in made.losses[0].what

    def waiting(found: Any) -> None:
        metric = found["ScalingPolicies"][0]["TargetTrackingScalingPolicyConfiguration"]
        metric["PredefinedMetricSpecification"] = {
            "PredefinedMetricType": "SageMakerVariantConcurrentRequestsPerModelHighResolution"
        }

    file = changed("aws.json", tmp_path, waiting)
    assert not translate(file, System.VERTEX).passed
    assert not translate(file, System.AZURE).passed
    assert translate(file, System.KEDA).passed

    def never_back(found: Any) -> None:
        found["ScalingPolicies"][0]["TargetTrackingScalingPolicyConfiguration"]["DisableScaleIn"] = True

    file = changed("aws.json", tmp_path, never_back)
    assert not translate(file, System.VERTEX).passed
    behaviour = yaml.safe_load(translate(file, System.HPA).text)["spec"]["behavior"]
    assert behaviour["scaleDown"]["selectPolicy"] == "Disabled"


def specs(found: Any) -> Any:
    return found["dedicatedResources"]["autoscalingMetricSpecs"]


def first_rule(found: Any) -> Any:
    return found["properties"]["profiles"][0]["rules"][0]


WRONG: tuple[tuple[str, Any, str], ...] = (
    ("aws.json", lambda f: f["ScalableTargets"].clear(), "0 targets"),
    ("aws.json", lambda f: f["ScalableTargets"][0].update(MinCapacity=30), "30 to 20"),
    ("aws.json", lambda f: f["ScalableTargets"][0].update(MaxCapacity="many"), "MaxCapacity"),
    ("aws.json", lambda f: f["ScalingPolicies"].clear(), "metrics"),
    ("aws-steps.json", lambda f: f["MetricAlarms"].clear(), "0 of its alarms"),
    ("hpa.yaml", lambda f: f.update(apiVersion="autoscaling/v2beta2"), "autoscaling/v2"),
    ("hpa.yaml", lambda f: f["spec"].update(maxReplicas=0), "maxReplicas"),
    ("hpa.yaml", lambda f: f["spec"]["metrics"][0]["pods"]["target"].update(averageValue="-5"), "quantity"),
    ("keda.yaml", lambda f: f["spec"]["triggers"][0].update(type="kafka"), "cpu, prometheus or cron"),
    ("vertex.json", lambda f: specs(f)[0].update(metricName="x"), "metricName"),
    ("azure.json", lambda f: f["properties"]["profiles"].clear(), "0 without a schedule"),
    ("azure.json", lambda f: first_rule(f)["scaleAction"].update(direction="Decrease"), "replicas above"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "change", "words"), WRONG, ids=[words for _, _, words in WRONG])
def test_wrong_settings_are_refused(name: str, change: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(HeavyliftError, match=rf"(?s){words}.*HL-9210"):
        load(changed(name, tmp_path, change))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in entries:
        found += places(child, (*path, key))
    return found


@pytest.mark.parametrize("name", first_then_long(FILES))
def test_any_field_may_be_anything(name: str, tmp_path: Path) -> None:
    whole = yaml.safe_load((SETTINGS / name).read_text())
    for path in places(whole):
        for at, wrong in enumerate((None, -3, ":", [], {}, [None], "9" * 40)):

            def put(found: Any, path: tuple[Any, ...] = path, wrong: Any = wrong) -> None:
                for key in path[:-1]:
                    found = found[key]
                found[path[-1]] = wrong

            file = changed(name, tmp_path, put)
            try:
                assert translate(file, list(System)[at % len(System)]).text
            except HeavyliftError as error:
                assert error.code == "9210"  # noqa: PT017 - many inputs, one loop


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[-1]",
        "[1e999]",
        "minute,requests\n0,x",
        "minute,other\n0,1",
        '["a"]',
        "[" + "1," * 10080 + "1]",
    ],
)
def test_a_wrong_load_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "load.csv"
    file.write_text(text)
    with pytest.raises(HeavyliftError, match="HL-9210"):
        read_load(file)


def test_a_load_is_read(tmp_path: Path) -> None:
    file = tmp_path / "load.csv"
    file.write_text("minute,requests\n0,10\n1,20.5\n")
    assert read_load(file) == (10.0, 20.5)
    with pytest.raises(HeavyliftError, match="HL-9210"):
        made_load("wave", 0, 1, 10)


def test_a_target_that_is_less_safe_gets_better_settings() -> None:
    made = translate(SETTINGS / "aws.json", System.HPA)
    load_ = made_load("day", 300, 4200, 720)
    found = compare(made.source, made.target, load_, World(450.0, 180, 450.0), Tolerance())
    # Kubernetes lets 10 per cent above the target be; AWS does not.
    assert found.verdict.word == "less-safe"
    assert found.advice.changes == ("targets x 0.9",)
    assert found.advice.verdict is not None
    assert found.advice.verdict.word == "equivalent"
    assert found.advice.run is not None
    assert found.advice.run.minutes_above <= found.source.minutes_above
    text = comparison_text(found, load_)
    assert "LESS-SAFE" in text
    assert "targets x 0.9" in text
    markdown = comparison_markdown(made, found, load_)
    assert "| minutes above the target | 72 | 179 |" in markdown
    svg = svg_picture(load_, found.source, found.target, ("aws", "<hpa>"))
    assert len(ElementTree.fromstring(svg).findall("{http://www.w3.org/2000/svg}polyline")) == 2
    assert "&lt;hpa&gt;" in svg
    assert len(text_picture(load_, found.source, found.target).splitlines()) == 3


@settings(max_examples=6, deadline=None)
@given(
    rates=st.lists(st.integers(1, 12), min_size=2, max_size=6),
    system=st.sampled_from([System.HPA, System.VERTEX, System.AZURE]),
)
def test_what_is_advised_is_as_safe_as_the_source(rates: list[int], system: System) -> None:
    made = translate(SETTINGS / "aws.json", system)
    load_ = tuple(float(rate * 310) for rate in rates for _ in range(12))
    found = compare(made.source, made.target, load_, WORLD, Tolerance())
    if found.advice.policy is not None:
        run = simulate(found.advice.policy, load_, WORLD, found.yardstick)
        assert judge(found.source, run, Tolerance()).safe
    else:
        assert found.verdict.word == "less-safe"


def test_what_cannot_be_made_safe_is_said() -> None:
    made = translate(SETTINGS / "aws.json", System.HPA)
    from dataclasses import replace

    small = replace(made.target, maximum=3, minimum=2)
    found = compare(made.source, small, DAY, WORLD, Tolerance())
    assert found.verdict.word == "less-safe"
    assert found.advice.policy is None
    assert "none of" in comparison_text(found, DAY)


def test_a_policy_is_equivalent_to_itself() -> None:
    for name in FILES:
        policy = load(SETTINGS / name)
        found = compare(
            policy, policy, DAY, WORLD, Tolerance(excess=0, minutes_above=0, share_above=0, lag_s=0)
        )
        assert (found.verdict.word, found.advice.tried) == ("equivalent", 0)
        assert judge(found.source, found.target, Tolerance()).safe


@pytest.mark.parametrize("name", FILES)
def test_aws_and_google_take_what_is_written(name: str) -> None:
    import botocore.session
    from botocore.validate import ParamValidator

    from tests.support.discovery import load as discovery

    session = botocore.session.get_session()

    def demand(service: str, operation: str, given: Any) -> None:
        shape = session.get_service_model(service).operation_model(operation).input_shape
        report = ParamValidator().validate(given, shape)
        assert not report.has_errors(), report.generate_report()

    found = json.loads(translate(SETTINGS / name, System.AWS).text)
    demand("application-autoscaling", "RegisterScalableTarget", found["ScalableTargets"][0])
    for policy in found["ScalingPolicies"]:
        policy.pop("Alarms", None)
        demand("application-autoscaling", "PutScalingPolicy", policy)
    for alarm in found.get("MetricAlarms", ()):
        demand("cloudwatch", "PutMetricAlarm", alarm)
    found = json.loads(translate(SETTINGS / name, System.VERTEX).text)
    discovery("aiplatform.v1").check_value("GoogleCloudAiplatformV1DeployedModel", found, name)
