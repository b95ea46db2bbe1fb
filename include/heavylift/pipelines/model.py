"""The neutral description of a training pipeline: what it is read into, and what is written from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias


class System(StrEnum):
    """What a definition is written for."""

    SAGEMAKER = "sagemaker"
    STEP_FUNCTIONS = "stepfunctions"
    KFP = "kfp"
    VERTEX = "vertex"
    AZURE_ML = "azureml"
    AIRFLOW = "airflow"


@dataclass(frozen=True)
class Literal:
    """A value that is written down: text, number, truth value, list or mapping."""

    value: Any


@dataclass(frozen=True)
class Param:
    """The value of a parameter of the pipeline."""

    name: str


@dataclass(frozen=True)
class Execution:
    """Something of the run itself: ``id``, ``arn``, ``start_time`` or ``pipeline_name``."""

    name: str


@dataclass(frozen=True)
class Item:
    """The item that the loop ``loop`` is at, or a field of it."""

    loop: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class Output:
    """An output of another step: where its files lie, or the value that it wrote."""

    step: str
    port: str


@dataclass(frozen=True)
class JsonValue:
    """A value out of a JSON file that a step wrote among its files.

    :param file: below the output's folder.
    :param path: keys and, as digits, indexes.
    """

    output: Output
    file: str
    path: tuple[str, ...]


@dataclass(frozen=True)
class PortPath:
    """In a step's own command: where one of its inputs or outputs lies in the container."""

    port: str
    direction: str


@dataclass(frozen=True)
class Join:
    """Texts put together."""

    parts: tuple[Expression, ...]
    separator: str = ""


Expression: TypeAlias = Literal | Param | Execution | Item | Output | JsonValue | PortPath | Join


@dataclass(frozen=True)
class Compare:
    """Two values compared by ``==``, ``!=``, ``<``, ``<=``, ``>`` or ``>=``."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Combine:
    """Conditions of which all (``and``), one (``or``) or not the only one (``not``) must hold."""

    operator: str
    parts: tuple[Condition, ...]


Condition: TypeAlias = Compare | Combine


@dataclass(frozen=True)
class Parameter:
    """A parameter of the pipeline.

    :param type: ``string``, ``integer``, ``number``, ``boolean``, ``list`` or ``mapping``.
    :param default: None where the caller has to give it.
    """

    name: str
    type: str = "string"
    default: Any = None
    choices: tuple[Any, ...] = ()
    description: str = ""


@dataclass(frozen=True)
class Input:
    """Files that a step reads.

    :param source: where they lie: an address, or the output of a step, perhaps with a path below it.
    :param path: where the container expects them; empty where it is told by its command.
    """

    name: str
    source: Expression
    path: str = ""


@dataclass(frozen=True)
class OutputPort:
    """What a step writes.

    :param kind: ``files``, or ``value`` for one value in one file.
    :param type: of a value: as in :class:`Parameter`.
    :param path: where the container writes it; empty where it is told by its command.
    :param landing: an address it is put at for others; None where only steps read it.
    :param archive: the files are packed into an archive of this name.
    """

    name: str
    kind: str = "files"
    type: str = "string"
    path: str = ""
    landing: Expression | None = None
    archive: str = ""


@dataclass(frozen=True)
class Machine:
    """What a step runs on; None where nothing is said.

    :param instance: the type as the source names it; ``cloud`` tells whose it is.
    :param accelerator: the model, as the tables of facts name it.
    """

    cloud: str = ""
    instance: str = ""
    count: int = 1
    cpus: float | None = None
    memory_gib: float | None = None
    accelerator: str = ""
    accelerators: int = 0
    disk_gib: float | None = None


@dataclass(frozen=True)
class Retry:
    """How often a failed step is tried again."""

    attempts: int = 0
    backoff_seconds: float = 0.0
    factor: float = 1.0


@dataclass(frozen=True)
class Step:
    """One container that runs, or what could not be translated (``kind`` ``stub``) and fails loudly.

    :param kind: ``container``, ``stub``, ``wait``, ``fail`` or ``pass``.
    :param origin: the kind of step in the source, in its own words.
    :param hyperparameters: what SageMaker's contract puts into a file for the program.
    :param message: why a step of kind ``fail`` or ``stub`` fails.
    :param final: runs at the end, whether or not the others failed.
    """

    name: str
    kind: str = "container"
    origin: str = ""
    image: Expression | None = None
    command: tuple[Expression, ...] = ()
    env: Mapping[str, Expression] = field(default_factory=dict)
    hyperparameters: Mapping[str, Expression] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    outputs: tuple[OutputPort, ...] = ()
    machine: Machine = Machine()
    retry: Retry = Retry()
    timeout_seconds: float | None = None
    wait_seconds: Expression | None = None
    cache: bool = False
    after: tuple[str, ...] = ()
    message: Expression | None = None
    final: bool = False


@dataclass(frozen=True)
class Branch:
    """The first case whose condition holds runs, else ``otherwise``."""

    name: str
    cases: tuple[tuple[Condition, tuple[Node, ...]], ...]
    otherwise: tuple[Node, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loop:
    """The body runs once for each item of a list, in parallel.

    :param parallelism: most items at once; 0 for all.
    """

    name: str
    items: Expression
    body: tuple[Node, ...]
    parallelism: int = 0
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """A pipeline in the pipeline: others wait for all of it."""

    name: str
    body: tuple[Node, ...]
    after: tuple[str, ...] = ()


Node: TypeAlias = Step | Branch | Loop | Group


@dataclass(frozen=True)
class Pipeline:
    """A whole pipeline. Names of nodes are unique in all of it."""

    name: str
    nodes: tuple[Node, ...]
    parameters: tuple[Parameter, ...] = ()
    description: str = ""
    source: System | None = None
