"""What loaders of Hugging Face's libraries, of GGUF and of Keras import or render is read, and judged."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from heavylift.models.layout import read_layout
from heavylift.models.looking import Look, Trust
from heavylift.models.scanning import look_at


def look(data: bytes | Any, name: str) -> Look:
    content = data if isinstance(data, bytes) else json.dumps(data).encode()
    return look_at(io.BytesIO(content), len(content), name, Trust())


def rules(found: Look) -> set[str]:
    return {each.rule for each in found.suspicions}


CHAT = (
    "{%- for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}<s>{% endif %}"
    "{{ '<|' + message['role'] + '|>' }}{% generation %}{{ message.content | trim }}{% endgeneration %}"
    "{%- if tools is defined %}{{ tools | map(attribute='name') | join(', ') }}{{ x | tojson }}{% endif %}"
    "{%- set ns = namespace(a=true) %}{% set ns.a = messages[loop.index0 - 1][key] %}{% break %}{%- endfor %}"
)
REACHING = {
    "an attribute of Python's": "{{ ''.__class__.__mro__ }}",
    "an attribute by text": "{{ x['__class__'] }}",
    "a text that is put together": "{{ x['__cla' + 'ss__'] }}",
    "a text that is joined": "{{ x['_' ~ '_class_' ~ '_'] }}",
    "a text that a filter makes": "{{ x['ssalc__'|reverse] }}",
    "a filter": "{{ x|attr('a') }}",
    "a filter over a list": "{{ [x]|map(attribute='__class__') }}",
    "a filter by name": "{{ [x]|map('attr', 'y') }}",
    "an object of Jinja's": "{{ cycler('a').x }}",
    "another file": "{% include '/etc/passwd' %}",
    "a module": "{% import 'os' as os %}",
    "in a generation": "{% generation %}{{ x.__init__ }}{% endgeneration %}",
}


def gguf(**entries: str) -> bytes:
    """Return a file of GGUF with a number, a list of words, a list of numbers and ``entries``."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    told = text("a.count") + struct.pack("<IQ", 10, 7)
    told += text("a.words") + struct.pack("<IIQ", 9, 8, 2) + text("x") + text("y")
    told += text("a.scores") + struct.pack("<IIQff", 9, 6, 2, 1.0, 2.0)
    for key, value in entries.items():
        told += text(key.replace("__", ".")) + struct.pack("<I", 8) + text(value)
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 3 + len(entries)) + told


@pytest.mark.parametrize("what", REACHING)
def test_a_template_that_reaches_for_more_than_messages_blocks(what: str) -> None:
    text = REACHING[what]
    assert rules(look(text.encode(), "data/chat_template.jinja")) == {"malicious-code"}
    for told in (text, [{"name": "default", "template": text}], {"default": text}):
        assert rules(look({"chat_template": told}, "tokenizer_config.json")) == {"malicious-code"}
    assert rules(look(gguf(tokenizer__chat_template=text), "m.gguf")) == {"malicious-code"}


def test_a_plain_template_passes() -> None:
    assert rules(look(CHAT.encode(), "chat_template.jinja")) == set()
    assert rules(look({"chat_template": CHAT}, "tokenizer_config.json")) == set()
    found = look(gguf(tokenizer__chat_template=CHAT, general__name="x"), "m.gguf")
    assert (found.kind, found.understood, found.suspicions) == ("gguf", True, [])
    # A word of a vocabulary, and no template.
    assert rules(look({"chat_template": 7, "auto_map": 8, "{{ x.__class__ }}": 9}, "vocab.json")) == set()


def test_a_template_or_gguf_that_cannot_be_read_is_unscanned() -> None:
    for content, name in (
        (b"{% for x %}", "chat_template.jinja"),
        (b"{{ " + b"(" * 5000, "chat_template.jinja"),
        (gguf(tokenizer__chat_template=CHAT)[:-9], "m.gguf"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "config.json"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**40), "m.gguf"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"a" + struct.pack("<I", 99), "m.gguf"),
    ):
        found = look(content, name)
        assert (found.understood, rules(found)) == (False, {"unscanned-file"}), content[:40]


CODE: dict[str, tuple[str, Any]] = {
    "a class of its own": ("config.json", {"auto_map": {"AutoModel": "modeling_x.Model"}}),
    "a class within a part": ("config.json", {"text_config": {"auto_map": {"AutoConfig": "x.C"}}}),
    "a tokenizer from elsewhere": (
        "tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["a/b--c.T", None]}},
    ),
    "a pipeline of its own": ("config.json", {"custom_pipelines": {"mine": {"impl": "mine.Pipeline"}}}),
    "leave for all of it": ("config.json", {"trust_remote_code": True}),
    "a module of sentence-transformers": ("modules.json", [{"type": "os.system", "path": ""}]),
    "a module that is no text": ("modules.json", [{"type": None}]),
    "an adapter": ("adapter_config.json", {"auto_mapping": {"parent_library": "evil.lib"}}),
    "a function of sentence-transformers": ("2_Dense/config.json", {"activation_function": "os.abort"}),
    "a function of a cross encoder": (
        "config.json", {"sentence_transformers": {"activation_fn": "evil.Function"}},
    ),
    "a way of sentence-transformers": ("router_config.json", {"types": {"query_0": "evil.Module"}}),
    "kernels from elsewhere": ("config.json", {"_attn_implementation": "someone/kernels"}),
    "behind an endless number": (
        "config.json", b'{"a": ' + b"1" * 5000 + b', "auto_map": {"AutoModel": "x.M"}}',
    ),
    "a part of diffusers": ("model_index.json", {"unet": ["evil", "Net"]}),
    "a stage of Spark": ("sparkml/metadata/part-00000", {"class": "evil.Stage"}),
    "Keras by another name": ("data/keras_module.txt", b"evil"),
}  # fmt: skip


@pytest.mark.parametrize("what", CODE)
def test_names_of_code_block(what: str) -> None:
    name, content = CODE[what]
    assert rules(look(content, name)) == {"custom-code"}


def test_names_of_the_libraries_own_pass() -> None:
    for name, content in (
        ("config.json", {"model_type": "bert", "auto_map": {}, "trust_remote_code": False}),
        ("config.json", {"activation_function": "gelu_new", "attn_implementation": "sdpa"}),
        ("2_Dense/config.json", {"activation_function": "torch.nn.modules.activation.Tanh"}),
        ("modules.json", [{"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}]),
        ("adapter_config.json", {"auto_mapping": {"parent_library": "transformers.models.bert"}}),
        ("model_index.json", {"_class_name": "X", "unet": ["diffusers", "Net"], "x": [None, None]}),
        ("sparkml/metadata/part-00000", {"class": "org.apache.spark.ml.PipelineModel"}),
        ("data/keras_module.txt", b"tensorflow.keras"),
    ):
        found = look(content, name)
        assert (found.understood, found.suspicions) == (True, []), name
    assert rules(look([{"type": "sentence_transformers.models.X", "path": "../x"}], "modules.json")) == {
        "path-outside"
    }


@pytest.mark.parametrize(
    ("content", "understood"),
    [
        (b"{L\0\0\0\0\0\0\0\1a[i\1U\xffT", False),
        (b"{L\0\0\0\0\0\0\0\1a[i\1U\xffTFZSi\2xyCad\0\0\0\0D\0\0\0\0\0\0\0\0]}", True),
        (b"{#i\2i\1a[$U#i\3abci\1b{$i#i\1i\1c\7", True),
        (b"{i\1a[#i\2i\1i\2}", True),
        (b"{i\1aZ}x", False),
        (b"{i\1a[$U#l\x7f\xff\xff\xff", False),
        (b"{i\1aSi\xff}", False),
        (b"{i" + b"\1a{i" * 300, False),
        (b"{L\0\0\0\0\0\0\0\7learner{", False),
    ],
)
def test_ubjson_is_read_to_its_end(content: bytes, understood: bool) -> None:
    found = look(content, "model.ubj")
    assert (found.kind, found.understood) == ("ubjson", understood)
    assert rules(found) == (set() if understood else {"unscanned-file"})


def test_a_booster_as_json_that_ends_early_is_unscanned() -> None:
    assert rules(look(b'{"learner": {"a": [1, 2', "model.json")) == {"unscanned-file"}
    assert rules(look(b'{"learner": {"a": [1, 2]}}', "model.json")) == set()
    assert rules(look(b'{"a": not json', "notes.json")) == set()


def test_folders_of_hugging_face_are_looked_at_and_not_run(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"{}")
    names = ("config.json", "model.safetensors", "tokenizer.json")
    found = read_layout(tmp_path, names)
    assert (found.form, found.answers) == ("transformers", False)
    sentences = ("modules.json", "config_sentence_transformers.json", "1_Pooling/config.json")
    assert read_layout(tmp_path, sentences).form == "sentence_transformers"


def piece(text: bytes, score: float = 0.5) -> bytes:
    inner = b"\x0a" + bytes([len(text)]) + text + b"\x15" + struct.pack("<f", score) + b"\x18\x01"
    return b"\x0a" + bytes([len(inner)]) + inner


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (piece(b"<s>") + piece("▁a".encode()) + b"\x12\x02\x18\x01", "sentencepiece"),
        (piece(b"<s>") + b"\x32\x01x", "unknown"),
        (piece(b"<s>") + b"\xff\x00", "unknown"),
        (piece(b"<s>") + b"\x0a\x02\x08\xff", "unknown"),
    ],
)
def test_a_tokenizer_of_sentencepiece_is_told_by_its_fields(content: bytes, kind: str) -> None:
    found = look(content, "tokenizer.model")
    assert (found.kind, found.understood) == (kind, kind != "unknown")
