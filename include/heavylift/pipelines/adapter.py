"""A small shell script around a step's program, which puts files where the program expects them.

A program that was written for one platform looks for its files at that platform's places
(``/opt/ml/input/data/train``). The script links the target's places there, runs the program, and
puts what it wrote where the target collects it. It is the same text in every definition; all that
differs is passed as arguments, so that nothing is ever part of a program text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

NAME = "heavylift-step"

SCRIPT = r"""R="${HEAVYLIFT_ROOT:-}"
H="" P="" A=""
die() { printf 'heavylift-step: %s\n' "$1" >&2; exit 64; }
place() {
  case "$1" in
  gs://*) printf '/gcs/%s' "${1#gs://}";;
  file://*) printf '%s' "${1#file://}";;
  *://*) die "$1 is an address that cannot be reached as files";;
  *) printf '%s' "$1";;
  esac
}
quoted() {
  printf '%s' "$1" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' | awk 'NR>1{printf "\\n"}{printf "%s",$0}'
}
put() {
  [ -e "$1" ] || die "the program wrote nothing at $1"
  mkdir -p "$(dirname "$2")" || return
  if [ -n "$3" ]; then mkdir -p "$2" && tar -czf "$2/$3" -C "$1" .
  elif [ -d "$1" ]; then mkdir -p "$2" && cp -R "$1"/. "$2"/
  else cp "$1" "$2"; fi
}
step() {
  case "$1" in
  --) [ -z "$P" ] || set -- "$@" "$A"
    shift
    if [ -n "$H" ]; then
      mkdir -p "$R/opt/ml/input/config" || return
      printf '{%s}' "${H#,}" > "$R/opt/ml/input/config/hyperparameters.json" || return
    fi
    "$@";;
  in) s=$(place "$2") || exit
    [ -e "$s" ] || die "there is no input at $s"
    if [ -d "$s" ] && [ ! -e "$R$3" ]; then
      mkdir -p "$(dirname "$R$3")" && ln -s "$s" "$R$3" || return
    elif [ -d "$s" ]; then cp -R "$s"/. "$R$3"/ || return
    else mkdir -p "$R$3" && cp "$s" "$R$3"/ || return; fi
    shift 3; step "$@";;
  out) mkdir -p "$R$2" || return
    place "$3" > /dev/null || exit
    ( shift 4; step "$@" ) || return
    put "$R$2" "$(place "$3")" "$4";;
  save) place "$3" > /dev/null || exit
    ( shift 4; step "$@" ) || return
    put "$2" "$(place "$3")" "$4";;
  text) mkdir -p "$(dirname "$R$3")" && printf '%s' "$2" > "$R$3" || return
    shift 3; step "$@";;
  hp) H="$H,\"$(quoted "$2")\":\"$(quoted "$3")\""
    shift 3; step "$@";;
  hpf) v=$(cat "$3") || return
    H="$H,\"$(quoted "$2")\":\"$(quoted "$v")\""
    shift 3; step "$@";;
  env) export "$2=$3"
    shift 3; step "$@";;
  envf) v=$(cat "$3") || return
    export "$2=$v"
    shift 3; step "$@";;
  when) v=$(cat "$2") || return
    if [ "$v" != "$3" ]; then
      printf 'heavylift-step: not run, its condition does not hold\n' >&2
      exit 0
    fi
    shift 3; step "$@";;
  arg) [ -z "$P" ] || set -- "$@" "$A"
    P=1; A="$2"
    shift 2; step "$@";;
  more) A="$A$2"
    shift 2; step "$@";;
  moref) v=$(cat "$2") || return
    A="$A$v"
    shift 2; step "$@";;
  *) die "unknown word $1";;
  esac
}
step "$@"
"""

_ARITY = {
    "in": 2, "out": 3, "save": 3, "text": 2, "hp": 2, "hpf": 2, "env": 2, "envf": 2,
    "when": 2, "arg": 1, "more": 1, "moref": 1,
}  # fmt: skip

Text = TypeVar("Text")


def wrap(words: Sequence[Sequence[Text | str]], program: Sequence[Text | str]) -> list[Text | str]:
    """Return the command that does the ``words`` around the ``program``; the program alone without any."""
    if not words:
        return list(program)
    return ["sh", "-c", SCRIPT, NAME, *(part for word in words for part in word), "--", *program]


def unwrap(command: Sequence[Text]) -> tuple[list[list[Text]], list[Text]] | None:
    """Return words and program of a command that :func:`wrap` made; None for any other."""
    if list(command[:4]) != ["sh", "-c", SCRIPT, NAME]:
        return None
    words: list[list[Text]] = []
    at = 4
    while at < len(command) and command[at] != "--":
        arity = _ARITY.get(str(command[at]))
        if arity is None or at + arity >= len(command):
            return None
        words.append(list(command[at : at + arity + 1]))
        at += arity + 1
    if at >= len(command):
        return None
    return words, list(command[at + 1 :])
