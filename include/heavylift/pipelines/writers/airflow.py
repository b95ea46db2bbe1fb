"""Writes a plain Airflow DAG whose steps are containers; it needs no cloud and no provider of one."""

from __future__ import annotations

import json
import pprint
import re
from typing import Any

from heavylift.pipelines.flattening import FlatStep, flatten
from heavylift.pipelines.mapping import TargetMap
from heavylift.pipelines.model import Expression, Join, Literal, Output, Step
from heavylift.pipelines.notes import Notes
from heavylift.pipelines.preparing import Prepared
from heavylift.pipelines.writers.commands import Command, Places
from heavylift.pipelines.writers.programs import failing, unused

_BRACE = re.compile(r"\{(?=[{%#])")
_RUN = "{{ params['pipeline_data'] }}/{{ run_id }}"
_TYPES = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "list": "array",
    "mapping": "object",
}
# The first lines of what is written: text here, a program on the user's side.
_HEAD = '''"""Written by Heavylift. Each task runs a container; files lie below the parameter `pipeline_data`.

Workers need docker, or another program with the same arguments that PIPELINE_CONTAINER_PROGRAM names.
"""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Param
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException


def run_container(image, command, env, folders, guards, limits, data):
    """Run one container with the pipeline's folder in it; skip where a decision went another way."""
    for file in guards:
        path = Path(file)
        if not path.is_file() or path.read_text(encoding="utf-8") != "true":
            raise AirflowSkipException(f"the decision {file} went another way")
    for folder in folders:
        Path(folder).mkdir(parents=True, exist_ok=True)
    program = os.environ.get("PIPELINE_CONTAINER_PROGRAM", "docker")
    argv = [program, "run", "--rm", "--volume", f"{data}:{data}", *limits]
    for name in env:
        argv += ["--env", name]
    argv += ["--entrypoint", command[0], image, *command[1:]]
    done = subprocess.run(argv, env={**os.environ, **env}, check=False)
    if done.returncode:
        raise RuntimeError(f"the container ended with status {done.returncode}")


def fail(message, guards):
    """Fail, and say why; skip where a decision went another way."""
    for file in guards:
        path = Path(file)
        if not path.is_file() or path.read_text(encoding="utf-8") != "true":
            raise AirflowSkipException(f"the decision {file} went another way")
    raise AirflowFailException(message)

'''


def identifier(name: str) -> str:
    """Return a name as Airflow takes it."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)[:250] or "step"


def jinja(text: str) -> str:
    """Return a text that Airflow's templates leave as it is."""
    return _BRACE.sub("{{ '{' }}", text)


def write_airflow(prepared: Prepared, mapping: TargetMap, notes: Notes) -> str:
    """Return the DAG file."""
    return _Writer(prepared, mapping, notes).text()


class _Writer:
    def __init__(self, prepared: Prepared, mapping: TargetMap, notes: Notes) -> None:
        self.pipeline, self.mapping, self.notes = prepared.pipeline, mapping, notes
        self.flat = flatten(self.pipeline, mapping.helper_image, notes)
        self.fixed = {Output(f.step.name, p.name) for f in self.flat for p in f.step.outputs if p.path}
        self.ids: dict[str, str] = {}
        taken: set[str] = set()
        for flat in self.flat:
            self.ids[flat.step.name] = unused(identifier(flat.step.name), "_", taken)

    def text(self) -> str:
        lines = [_HEAD, "with DAG("]
        lines += [f"    dag_id={identifier(self.pipeline.name)!r},", "    schedule=None,", "    params={"]
        lines.append("        'pipeline_data': Param('/var/lib/pipelines', type='string'),")
        for parameter in self.pipeline.parameters:
            kind = _TYPES[parameter.type]
            # Without a default a run can be started only with a value.
            default = f"{parameter.default!r}, " if parameter.default is not None else ""
            choices = f", enum={list(parameter.choices)!r}" if parameter.choices else ""
            lines.append(f"        {parameter.name!r}: Param({default}type={kind!r}{choices}),")
        lines += ["    },", "    render_template_as_native_obj=False,", ") as dag:", "    tasks = {}"]
        for flat in self.flat:
            lines.append(self._task(flat))
        for flat in self.flat:
            if flat.waits:
                before = ", ".join(f"tasks[{self.ids[name]!r}]" for name in flat.waits)
                lines.append(f"    tasks[{self.ids[flat.step.name]!r}].set_upstream([{before}])")
        return "\n".join(lines) + "\n"

    def _task(self, flat: FlatStep) -> str:
        step = flat.step
        task_id = self.ids[step.name]
        guards = [f"{self._files(Output(decide, 'ways'))}/data/{way}" for decide, way in flat.guards]
        plain: dict[str, Any]
        if step.kind in {"fail", "stub"}:
            message = Command(flat, self._places(), self.fixed, self.notes)._text(
                step.message or Literal("failed")
            )
            function, plain = "fail", {"message": message, "guards": guards}
        else:
            function, plain = "run_container", self._container(flat, guards)
        shown = pprint.pformat(plain, width=100, sort_dicts=False).replace("\n", "\n            ")
        rule = "all_done" if step.final else "none_failed"
        if step.cache:
            self.notes.loss(step.name, "it runs each time: Airflow keeps no outputs", "none is needed")
        lines = [
            f"    tasks[{task_id!r}] = PythonOperator(",
            f"        task_id={task_id!r},",
            f"        python_callable={function},",
            f"        op_kwargs={shown},",
            f"        retries={step.retry.attempts},",
            f"        retry_delay=timedelta(seconds={step.retry.backoff_seconds or 1.0!r}),",
            f"        trigger_rule={rule!r},",
        ]
        if step.timeout_seconds:
            lines.append(f"        execution_timeout=timedelta(seconds={step.timeout_seconds!r}),")
        return "\n".join([*lines, "    )"])

    def _container(self, flat: FlatStep, guards: list[str]) -> dict[str, Any]:
        step = flat.step
        own = failing(step)
        image = step.image.value if not own and isinstance(step.image, Literal) else self.mapping.helper_image
        machine = step.machine
        limits = [f"--cpus={machine.cpus:g}"] if machine.cpus else []
        limits += [f"--memory={int(machine.memory_gib * 1024)}m"] if machine.memory_gib else []
        limits += [f"--gpus={machine.accelerators}"] if machine.accelerators else []
        bare = FlatStep(step, flat.waits)
        return {
            "image": jinja(str(image)),
            "command": Command(bare, self._places(), self.fixed, self.notes).parts(),
            "env": {n: jinja(str(v.value)) for n, v in step.env.items() if isinstance(v, Literal)},
            "folders": [self._made(step, port.name) for port in step.outputs],
            "guards": guards,
            "limits": limits,
            "data": "{{ params['pipeline_data'] }}",
        }

    def _places(self) -> Places:
        return Places(
            text=jinja,
            parameter=self._parameter,
            files=self._files,
            source=self._source,
            made=self._made,
            landing=self._landing,
            execution={
                "id": "{{ run_id }}",
                "arn": "{{ run_id }}",
                "pipeline_name": "{{ dag.dag_id }}",
                "start_time": "{{ dag_run.start_date }}",
            },
        )

    def _parameter(self, name: str) -> str:
        kinds = {parameter.name: parameter.type for parameter in self.pipeline.parameters}
        shown = "" if kinds[name] == "string" else " | tojson"
        return f"{{{{ params[{name!r}]{shown} }}}}"

    def _files(self, output: Output) -> str:
        return f"{_RUN}/{self.ids[output.step]}/{identifier(output.port)}"

    def _made(self, step: Step, name: str) -> str:
        return f"{_RUN}/{self.ids[step.name]}/{identifier(name)}"

    def _source(self, step: Step, name: str) -> str:
        port = next(found for found in step.inputs if found.name == name)
        return self._address(port.source)

    def _address(self, source: Expression) -> str:
        if isinstance(source, Join):
            return jinja(source.separator).join(self._address(part) for part in source.parts)
        if isinstance(source, Literal):
            return jinja(str(source.value) if isinstance(source.value, str) else json.dumps(source.value))
        return self._parameter(source.name) if hasattr(source, "name") else ""

    def _landing(self, step: Step, landing: Expression) -> str:
        first = landing.parts[0] if isinstance(landing, Join) else landing
        if isinstance(first, Literal) and str(first.value).startswith("/"):
            return Command(FlatStep(step, ()), self._places(), self.fixed, self.notes)._text(landing)
        self.notes.loss(
            step.name,
            "its output stays in the pipeline's folder",
            "name a folder below pipeline_data for the address in the mapping: uris",
        )
        return ""
