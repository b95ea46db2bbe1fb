"""What a look at one file of a model has found, and how severe it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from heavylift.models.known_globals import Standing, are_functions_by_value, standing_of
from heavylift.models.opcodes import Global, PickleProgram

MOST_NAMED = 8
"""How many names a finding lists."""


@dataclass(frozen=True)
class Suspicion:
    """Something in a file that a person should know.

    :param rule: the rule's id; see :mod:`heavylift.models.rules`.
    """

    rule: str
    detail: str


@dataclass
class Look:
    """One file of a model, or one member of an archive in it.

    :param kind: what it is by its content: ``text``, ``pickle``, ``skops``, ``safetensors``, …
    :param understood: it was looked at from beginning to end; otherwise it is unscanned.
    :param tensors_in: files that its own loader reads bare tensors from, as it names them.
    """

    path: str
    kind: str
    understood: bool
    suspicions: list[Suspicion] = field(default_factory=list)
    tensors_in: tuple[str, ...] = ()

    def add(self, rule: str, detail: str) -> None:
        """Note one suspicion."""
        self.suspicions.append(Suspicion(rule, detail))


def leads_out(path: str) -> bool:
    """Tell whether a path leads out of the folder that it is relative to."""
    text = path.replace("\\", "/")
    return text.startswith(("/", "~")) or ".." in text.split("/") or text[1:2] == ":"


@dataclass(frozen=True)
class Trust:
    """What a person vouches for.

    :param globals: full names that pickles may import although they are not known.
    """

    globals: frozenset[str] = frozenset()


def judge_names(look: Look, names: Iterable[Global], trust: Trust, what: str) -> bool:
    """Note which of the names that a file imports act on the machine, and which are not known.

    :return: what acts is functions alone that lie in the pickle as bytecode.
    """
    by_standing: dict[Standing, list[Global]] = {each: [] for each in Standing}
    for name in dict.fromkeys(names):
        by_standing[standing_of(name, trust.globals)].append(name)
    acting, unknown = by_standing[Standing.ACTS], by_standing[Standing.UNKNOWN]
    by_value = are_functions_by_value(acting)
    if by_value:
        look.add("pickled-code", f"{what} holds functions or classes as bytecode, kept by cloudpickle")
    elif acting:
        look.add("malicious-code", f"{what} imports {_listed(list(map(str, acting)))}")
    if unknown:
        look.add("unknown-global", f"{what} imports {_listed(list(map(str, unknown)))}")
    return by_value


def judge_program(look: Look, program: PickleProgram, trust: Trust) -> None:
    """Note what a pickle would do, and whether it could be read to its end."""
    by_value = judge_names(look, program.names, trust, "the pickle")
    odd = [each for each in program.calls if each == "?" or each.endswith("are set)")]
    # What is made of bytecode is called by no name: that much is said already.
    if odd and not by_value:
        look.add(
            "malicious-code", f"the pickle calls {_listed(list(dict.fromkeys(odd)))}, which is no plain name"
        )
    if program.rest:
        look.understood = False
        look.add("unscanned-file", f"{program.rest} bytes follow the end of its pickle, and are none")
    if program.problem:
        look.understood = False
        look.add("damaged-pickle", f"the pickle cannot be read to its end ({program.problem})")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
