"""A history that is hard to carry, written by a seed: odd names, numbers and states, and what 3.17 has."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.support.history import BEGAN, V2, V3, pairs
from tests.support.hostile import FILES, KEYS, NUMBERS, WORDS, Hostile, put
from tests.support.hostile_traces import fill_traces
from tests.support.tracking_server import Server


def fill_hostile(server: Server, seed: int) -> Hostile:
    """Fill an empty server."""
    made = Hostile(server, random.Random(seed))
    _experiments(made)
    _runs(made)
    _models(made)
    fill_traces(made)
    _registered(made)
    _prompts(made)
    _evaluation(made)
    _others(made)
    _rest(made)
    return made


def _experiments(made: Hostile) -> None:
    for number, word in enumerate([*WORDS, "x" * 250, "0", "Default ", "deleted 1", "deleted 2"]):
        tags = pairs({"mlflow.note.content": f"# {word}", **made.texts(), "n": str(number)})
        body = {"name": word if number else f"{word} é", "tags": tags}
        if number == 3:
            body["artifact_location"] = "mlflow-artifacts:/own place/ü"
        made.experiments.append(str(made.ask("POST", f"{V2}/experiments/create", body)["experiment_id"]))
    made.server.sql("UPDATE experiments SET creation_time = NULL WHERE name = '0'")


def _runs(made: Hostile) -> None:
    parents: list[str] = []
    for number in range(15):
        experiment = made.experiments[number % len(made.experiments)]
        began = BEGAN + number
        body = {"experiment_id": experiment, "start_time": began, "run_name": f"{made.word()} {number}"}
        if number % 3:
            body["user_id"] = made.word()
        run = str(made.ask("POST", f"{V2}/runs/create", body)["run"]["info"]["run_id"])
        made.runs.append((run, experiment))
        tags = made.texts() | {"mlflow.user": "somebody", "mlflow.source.git.commit": "0" * 40}
        if number % 4:
            # Three deep, and across experiments.
            tags["mlflow.parentRunId"] = parents[-1]
        elif number:
            tags["mlflow.parentRunId"] = "0" * 32
        parents.append(run)
        params = {"p": "ü" * 6000, "empty": "", KEYS[0]: made.word(), KEYS[1]: str(number)}
        _log(made, run, tags=tags, params=params, metrics=_points(made, began))
        _datasets(made, run, number)
        for name in FILES[: 1 + number % 2] if number else FILES:
            place = made.ask("GET", f"{V2}/runs/get?run_id={run}")["run"]["info"]["artifact_uri"]
            put(made, place, name, f"{number} {name}".encode() if "empty" not in name else b"")
        state = ("FINISHED", "FAILED", "KILLED", "RUNNING", "SCHEDULED")[number % 5]
        ended = {"end_time": began - 5 + number} if number % 5 < 3 and number % 7 else {}
        made.ask("POST", f"{V2}/runs/update", {"run_id": run, "status": state, **ended})
    for number in (3, 9, 14):
        made.ask("POST", f"{V2}/runs/delete", {"run_id": made.runs[number][0]})
    # What older versions and other clients have left.
    made.server.sql("UPDATE runs SET end_time = NULL WHERE run_uuid = ?", made.runs[5][0])
    made.server.sql("UPDATE runs SET end_time = 0 WHERE run_uuid = ?", made.runs[6][0])
    made.server.sql("UPDATE runs SET user_id = '', start_time = 0 WHERE run_uuid = ?", made.runs[7][0])
    for name in ("deleted 1", "deleted 2"):
        found = made.server.sql("SELECT experiment_id FROM experiments WHERE name = ?", name)[0][0]
        made.ask("POST", f"{V2}/experiments/delete", {"experiment_id": str(found)})
    found = made.server.sql("SELECT experiment_id FROM experiments WHERE name = 'deleted 2'")[0][0]
    made.ask("POST", f"{V2}/experiments/restore", {"experiment_id": str(found)})


def _points(made: Hostile, began: int) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = []
    for key in ("loss", KEYS[0], KEYS[1], KEYS[2]):
        chosen = made.random.sample(NUMBERS, 6)
        for step in (0, 0, -3, 7, 10**6, 2**40):
            value = chosen[len(points) % 6]
            points.append({"key": key, "value": value, "timestamp": began + step % 5, "step": step})
    # One step and one time, several values; and the same one twice.
    points += [{"key": "again", "value": n % 4, "timestamp": began, "step": 1} for n in range(8)]
    points += [{"key": "timeless", "value": 1.5, "timestamp": 0, "step": 0}]
    points += [{"key": "nan and zero", "value": each, "timestamp": 1, "step": 1} for each in ("NaN", 0)]
    return points


def _log(
    made: Hostile,
    run: str,
    tags: dict[str, str],
    params: dict[str, str],
    metrics: list[dict[str, Any]],
) -> None:
    body = {"run_id": run, "tags": pairs(tags), "params": pairs(params), "metrics": metrics}
    made.ask("POST", f"{V2}/runs/log-batch", body)


def _datasets(made: Hostile, run: str, number: int) -> None:
    schema = json.dumps({"mlflow_colspec": [{"name": f"ü{n}", "type": "double"} for n in range(4000)]})
    dataset = {
        "name": f"{made.word()} set",
        "digest": f"d{number % 3}",
        "source_type": "s3",
        "source": json.dumps({"uri": f"s3://old/data/{made.word()}"}),
        "schema": schema if number % 6 == 0 else "{}",
        "profile": json.dumps({"rows": number}),
    }
    inputs = [{"dataset": dataset, "tags": pairs({"mlflow.data.context": made.word()})}]
    second = {"name": "plain", "digest": "d", "source_type": "local", "source": "not JSON"}
    inputs += [{"dataset": second, "tags": []}] * (number % 2)
    made.ask("POST", f"{V2}/runs/log-inputs", {"run_id": run, "datasets": inputs})


def _models(made: Hostile) -> None:
    for number in range(10):
        run, experiment = made.runs[number % 5]
        body: dict[str, Any] = {
            "experiment_id": experiment,
            "name": "same name" if number < 4 else f"forest {number}",
            "params": pairs({"trees": "7", "text": "ü" * 5000, KEYS[1]: made.word()}),
            "tags": pairs(made.texts()),
        }
        if number != 6:
            body["source_run_id"] = run
        if number % 2:
            body["model_type"] = made.word()
        made_ = made.ask("POST", f"{V2}/logged-models", body)["model"]["info"]
        model = str(made_["model_id"])
        made.models.append(model)
        put(made, made_["artifact_uri"], "MLmodel", b"model\n")
        put(made, made_["artifact_uri"], "ü 100%/data.bin", bytes(number))
        if number % 3:
            status = {"model_id": model, "status": 3 if number % 3 == 1 else 2}
            made.ask("PATCH", f"{V2}/logged-models/{model}", status)
        if "source_run_id" in body:
            _linked(made, run, model, number)
    made.ask("DELETE", f"{V2}/logged-models/{made.models[8]}")


def _linked(made: Hostile, run: str, model: str, number: int) -> None:
    deleted = made.server.sql("SELECT lifecycle_stage FROM runs WHERE run_uuid = ?", run)[0][0] == "deleted"
    if deleted:
        return
    ((name, digest),) = made.server.sql(
        "SELECT d.name, d.digest FROM datasets d JOIN inputs i ON i.source_id = d.dataset_uuid"
        " WHERE i.destination_id = ? AND d.name LIKE '% set' LIMIT 1",
        run,
    )
    point = {"timestamp": BEGAN, "step": number, "model_id": model, "run_id": run}
    linked = [
        {**point, "key": "auc", "value": number / 7, "dataset_name": name, "dataset_digest": digest},
        {**point, "key": "auc", "value": number / 9, "timestamp": BEGAN + 1},
        {**point, "key": KEYS[0], "value": "NaN"},
        {**point, "key": "far", "value": "Infinity", "step": -1},
    ]
    made.ask("POST", f"{V2}/runs/log-batch", {"run_id": run, "metrics": linked})
    made.ask("POST", f"{V2}/runs/log-inputs", {"run_id": run, "models": [{"model_id": model}]})
    outputs = [{"model_id": model, "step": 10**6 * (number % 2)}]
    made.ask("POST", f"{V2}/runs/outputs", {"run_id": run, "models": outputs})


def _registered(made: Hostile) -> None:
    run, _ = made.runs[0]
    place = made.ask("GET", f"{V2}/runs/get?run_id={run}")["run"]["info"]["artifact_uri"]
    sources: list[dict[str, Any]] = [
        {"source": f"{place}/a b", "run_id": run},
        {"source": f"runs:/{run}/ü 100%", "run_id": run},
        {"source": f"models:/{made.models[1]}", "model_id": made.models[1]},
        {"source": "s3://elsewhere/a model/ü", "run_link": "https://x/y?z=1"},
        {"source": "s3://example.com/a%20model"},
        {"source": "dbfs:/some/where", "run_id": made.runs[3][0]},
        {"source": "s3://x/gap"},
        {"source": "s3://x/last"},
    ]
    names = [f"{word.replace('/', '|').replace(':', ';').strip()} m" for word in WORDS]
    for number, name in enumerate(names):
        body = {"name": name, "description": made.word(), "tags": pairs(made.texts())}
        made.ask("POST", f"{V2}/registered-models/create", body)
        for n, source in enumerate(sources[: 8 - number % 3]):
            more = {"description": made.word(), "tags": pairs(made.texts())} if n % 2 else {}
            made.ask("POST", f"{V2}/model-versions/create", {"name": name, **source, **more})
        for gone in (1, 7 - number % 3):
            made.ask("DELETE", f"{V2}/model-versions/delete", {"name": name, "version": str(gone)})
        for alias, version in (("champion", 3), ("Ünder-test_1".replace("Ü", "U"), 3), ("moved", 2)):
            body = {"name": name, "alias": alias, "version": str(version)}
            made.ask("POST", f"{V2}/registered-models/alias", body)
        body = {"name": name, "alias": "moved", "version": "4"}
        made.ask("POST", f"{V2}/registered-models/alias", body)
        for version, stage in ((2, "Staging"), (3, "Production"), (4, "Archived")):
            body = {"name": name, "version": str(version), "stage": stage, "archive_existing_versions": False}
            made.ask("POST", f"{V2}/model-versions/transition-stage", body)
    # A copy of another's version, a model of which all is deleted, and one that never had any.
    copied = {"name": "copied", "source": f"models:/{names[0]}/3"}
    made.ask("POST", f"{V2}/registered-models/create", {"name": "copied"})
    made.ask("POST", f"{V2}/model-versions/create", copied)
    made.ask("POST", f"{V2}/registered-models/create", {"name": "none"})
    made.ask("POST", f"{V2}/registered-models/create", {"name": "all gone"})
    made.ask("POST", f"{V2}/model-versions/create", {"name": "all gone", "source": "s3://x/y"})
    made.ask("DELETE", f"{V2}/model-versions/delete", {"name": "all gone", "version": "1"})
    # What older servers took.
    made.server.sql(
        "UPDATE model_versions SET source = 'https' || substr(source, 3) WHERE source LIKE 's3://ex%'"
    )
    pending = "UPDATE model_versions SET status = ?, status_message = ? WHERE name = ? AND version = 4"
    made.server.sql(pending, "FAILED_REGISTRATION", made.word(), names[1])


def _prompts(made: Hostile) -> None:
    mark = {"mlflow.prompt.is_prompt": "true"}
    chat = json.dumps([{"role": "user", "content": f"{{{{ x }}}} {w}"} for w in WORDS])
    for name, kind, text in (
        ("text prompt", "text", f"Hi {{{{ x }}}} {made.word()}"),
        ("chät prompt", "chat", chat),
    ):
        tags = pairs(
            {**mark, "team": "", "_mlflow_experiment_ids": f",{made.experiments[0]},{made.experiments[1]},"}
        )
        made.ask("POST", f"{V2}/registered-models/create", {"name": name, "tags": tags})
        for number in range(4):
            tags = {**mark, "mlflow.prompt.text": f"{text}" if kind == "chat" else f"{text} {number}"}
            tags |= {"_mlflow_prompt_type": kind, "empty": ""}
            if number % 2:
                tags["_mlflow_prompt_response_format"] = json.dumps({"type": "object", "ü": [number]})
                tags["_mlflow_prompt_model_config"] = json.dumps({"model_name": "m", "temperature": 0.1})
            body = {
                "name": name,
                "source": "prompt-template",
                "description": made.word(),
                "tags": pairs(tags),
            }
            made.ask("POST", f"{V2}/model-versions/create", body)
        made.ask("DELETE", f"{V2}/model-versions/delete", {"name": name, "version": "2"})
        alias = {"name": name, "alias": "production", "version": "3"}
        made.ask("POST", f"{V2}/registered-models/alias", alias)
    linked = [{"name": "text prompt", "version": "1"}]
    body = {"trace_id": made.traces[3], "prompt_versions": linked}
    made.ask("POST", f"{V2}/traces/link-prompts", body)


def _evaluation(made: Hostile) -> None:
    for number in range(4):
        tags = json.dumps({"owner": made.word(), "empty": ""})
        body = {
            "name": f"golden {made.word()} {number}",
            "experiment_ids": made.experiments[:number],
            "tags": tags,
        }
        dataset = made.ask("POST", f"{V3}/datasets/create", body)["dataset"]["dataset_id"]
        records = [
            {
                "inputs": {"q": f"{made.word()} {n}", "deep": {"ü": [n, None, 0.1, True]}},
                "expectations": {"a": made.word(), "n": None},
                "tags": {"n": str(n), "w": made.word()},
                **({"outputs": {"o": made.word()}} if n % 2 else {}),
                **(
                    {"source": {"source_type": "TRACE", "source_data": {"trace_id": made.traces[0]}}}
                    if n == 3
                    else {}
                ),
            }
            for n in range(6 if number else 0)
        ]
        if records:
            made.ask("POST", f"{V3}/datasets/{dataset}/records", {"records": json.dumps(records)})


def _others(made: Hostile) -> None:
    for experiment in made.experiments[:3]:
        for name in ("relevance", made.word()):
            for version in range(1, 4):
                scorer = {
                    "name": name,
                    "builtin_scorer_class": "RelevanceToQuery",
                    "builtin_scorer_pydantic_data": {"v": version, "w": made.word()},
                }
                body = {"experiment_id": experiment, "name": name, "serialized_scorer": json.dumps(scorer)}
                made.ask("POST", f"{V3}/scorers/register", body)
            gone = {"experiment_id": experiment, "name": name, "version": 2}
            made.ask("DELETE", f"{V3}/scorers/delete", gone)
    for number, status in enumerate(("ACTIVE", "DISABLED", "ACTIVE")):
        body = {
            "name": f"hook-{number // 2}",
            "url": f"https://93.184.215.14/hook?{number}",
            "description": made.word(),
            "status": status,
            "events": [
                {"entity": "REGISTERED_MODEL", "action": "CREATED"},
                {"entity": "MODEL_VERSION_ALIAS", "action": "CREATED"},
            ],
            "secret": f"a very secret word {number}",
        }
        made.ask("POST", f"{V2}/webhooks", body)


def _rest(made: Hostile) -> None:
    """Make what only newer servers have."""
    experiment = made.experiments[0]
    schema = {"experiment_id": experiment, "name": "rating ü", "type": "FEEDBACK"}
    schema |= {"title": made.word(), "input": {"text": {}}}
    made.ask("POST", f"{V3}/label-schemas/create", schema)
    body = {"experiment_id": experiment, "name": "queue ü", "users": ["a", "b"], "queue_type": "CUSTOM"}
    made.ask("POST", f"{V3}/review-queues/create", body)
    body = {"experiment_id": experiment, "name": made.word(), "description": "d", "status": "pending"}
    made.ask("POST", f"{V3}/issues", body)
    secret = {"secret_name": "key ü", "secret_value": {"api_key": "sk-very-secret"}, "provider": "openai"}
    made.ask("POST", f"{V3}/gateway/secrets/create", secret)
