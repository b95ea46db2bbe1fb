"""Takes the adapter's script off again, so that translations can be translated."""

from __future__ import annotations

from dataclasses import replace

from heavylift.pipelines.model import Expression, PortPath, Step
from heavylift.pipelines.readers.kfp_programs import Signature, text


def unwrapped(step: Step, words: list[list[str]], signature: Signature) -> Step:
    """Return the step with what the script's words say in its inputs, outputs and variables."""
    hyperparameters: dict[str, Expression] = {}
    env = dict(step.env)
    inputs = {port.name: port for port in step.inputs}
    outputs = {port.name: port for port in step.outputs}
    for word in words:
        kind = str(word[0])
        if kind == "hp":
            hyperparameters[word[1]] = text(word[2], signature)
        elif kind == "env":
            env[word[1]] = text(word[2], signature)
        elif kind == "in":
            found = text(word[1], signature)
            port = found if isinstance(found, PortPath) else getattr(found, "parts", (None,))[0]
            if isinstance(port, PortPath):
                inputs[port.port] = replace(inputs[port.port], path=word[2])
        elif kind in {"out", "save"}:
            at = text(word[2] if kind == "out" else word[1], signature)
            if isinstance(at, PortPath) and kind == "out":
                outputs[at.port] = replace(outputs[at.port], path=word[1], archive=word[3])
            elif isinstance(at, PortPath):
                outputs[at.port] = replace(outputs[at.port], landing=text(word[2], signature))
    return replace(
        step,
        env=env,
        hyperparameters=hyperparameters,
        inputs=tuple(inputs.values()),
        outputs=tuple(outputs.values()),
    )
