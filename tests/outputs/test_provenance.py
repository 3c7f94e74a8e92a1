"""The graph a file carries is found in every format; what is told of a run is short."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comfy_mcp.embedded.flac import encoded
from comfy_mcp.outputs.provenance import Provenance, of_graph, of_origin, with_graph
from comfy_mcp.outputs.remembered import remembered_graph
from tests.outputs.files import apng, mp3, saved, tensors

GRAPH: dict[str, Any] = {
    "3": {
        "class_type": "KSampler",
        "inputs": {"seed": 7, "steps": 4, "model": ["4", 0], "noise_seed": True},
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a/tiny.safetensors"}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": 'a "prompt": {"x": 1} of ä'}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "x"}},
}

BARE = Provenance(uri="comfy://jobs/a/outputs/0", node_id="9", prompt_id="a")


def png() -> bytes:
    notes = PngInfo()
    notes.add_text("workflow", json.dumps({"nodes": ["prompt"]}))
    notes.add_text("prompt", json.dumps(GRAPH))
    return saved(Image.new("RGB", (4, 4)), "PNG", pnginfo=notes)


def webp() -> bytes:
    picture = Image.new("RGB", (4, 4))
    exif = picture.getexif()
    exif[0x010F] = "workflow:{}"
    exif[0x0110] = "prompt:" + json.dumps(GRAPH)
    return saved(picture, "WEBP", exif=exif)


def tagged(*parts: bytes) -> bytes:
    """Bytes of a format with the graph behind *parts*."""
    return b"\0\1\2".join((*parts, json.dumps(GRAPH).encode(), b"\xff" * 50))


CARRIERS = {
    "PNG": png(),
    "animated PNG": apng(2, 2, notes=b"prompt\0" + json.dumps(GRAPH).encode()),
    "WebP": webp(),
    "FLAC": encoded(bytes(400), 1, 8000, {"prompt": json.dumps(GRAPH)}),
    "MP3": mp3(3, xing=True, tag=b"TXXX....prompt\0" + json.dumps(GRAPH).encode()),
    "latent": tensors({"__metadata__": {"prompt": json.dumps(GRAPH)}}),
    "MP4": tagged(b"mdtaworkflow", b"mdtaprompt", b"mdtaencoder", b"ilst"),
    "WebM": tagged(b"E\xa3\x86PROMPTD\x87"),
}


@pytest.mark.parametrize("kind", CARRIERS)
def test_a_file_remembers_the_graph_it_came_from(kind: str) -> None:
    assert remembered_graph(CARRIERS[kind]) == GRAPH


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"prompt",
        b"prompt=" + b"{" * 100_000,
        b'prompt={"a": 1}',
        b'prompt={"1": {"class_type": 5, "inputs": {}}}',
        b'prompt={"1": {"class_type": "X"}}',
        b'prompt={"' * 10_000,
        saved(Image.new("RGB", (4, 4)), "PNG"),
        tensors({"__metadata__": 5}),
        tensors({"__metadata__": {"prompt": 5}}),
    ],
)
def test_a_file_without_a_graph_remembers_none(data: bytes) -> None:
    assert remembered_graph(data) is None


@given(st.sampled_from(list(CARRIERS.values())), st.data())
def test_a_damaged_file_remembers_a_graph_or_none(whole: bytes, data: st.DataObject) -> None:
    broken = bytearray(whole[: data.draw(st.integers(1, len(whole)))])
    for _ in range(data.draw(st.integers(0, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))

    found = remembered_graph(bytes(broken))

    assert found is None or all("class_type" in node for node in found.values())


def test_a_graph_says_its_seeds_models_and_classes() -> None:
    told = of_graph(BARE, GRAPH)

    assert told.seeds == {"3.seed": 7}
    assert told.models == {"ckpt_name": ["a/tiny.safetensors"]}
    assert told.node_classes == dict.fromkeys(
        ["KSampler", "CheckpointLoaderSimple", "CLIPTextEncode", "SaveImage"], 1
    )
    assert told.graph is None


def test_the_journal_says_more_and_has_the_last_word() -> None:
    origin = {
        "workflow": "txt2img",
        "graph": GRAPH,
        "params": {"prompt": "a fox"},
        "values": {"prompt": "a fox", "seed": 7},
        "drawn": ["seed"],
        "changed": [],
        "models": {"checkpoints": ["a/tiny.safetensors"]},
        "host": {"version": "0.33.0", "base": "http://127.0.0.1:8188"},
        "again": "",
    }

    told = of_origin(BARE, origin)

    assert (told.source, told.workflow, told.repeats) == ("journal", "txt2img", None)
    assert told.params == {"prompt": "a fox"}
    assert told.drawn == ["seed"]
    assert told.changed is None
    assert told.models == {"checkpoints": ["a/tiny.safetensors"]}
    assert told.host == origin["host"]
    assert told.seeds == {"3.seed": 7}


@pytest.mark.parametrize(
    "origin",
    [{}, {"graph": 5, "params": [], "values": "x", "models": {"a": 3}, "host": 9, "drawn": 4}],
)
def test_an_origin_that_says_nothing_is_told_as_nothing(origin: dict[str, Any]) -> None:
    told = of_origin(BARE, origin).model_dump(exclude_none=True)

    assert set(told) == {"uri", "node_id", "prompt_id", "source"}


def test_what_is_very_long_is_told_by_its_beginning() -> None:
    origin = {
        "graph": {
            str(n): {"class_type": f"C{n}", "inputs": {"lora": f"{n}.safetensors"}}
            for n in range(3000)
        },
        "values": {f"p{n}": "x" * 10_000 for n in range(500)},
        "drawn": ["y" * 10_000] * 500,
        "models": {f"f{n}": ["z" * 10_000] * 50 for n in range(50)},
    }

    told = of_origin(BARE, origin).model_dump_json(exclude_none=True)

    assert len(told) < 7_500


def test_a_short_graph_is_handed_out_whole() -> None:
    assert with_graph(BARE, GRAPH, 0).graph == GRAPH


def test_a_long_graph_is_handed_out_in_pieces() -> None:
    nodes = {str(n): {"class_type": "X", "inputs": {"text": "ä\n" * 20}} for n in range(2000)}
    parts: list[str] = []
    cursor: int | None = 0
    while cursor is not None:
        told = with_graph(BARE, nodes, cursor)
        assert told.graph is None
        assert len(told.model_dump_json(exclude_none=True)) < 20_000
        parts.append(told.graph_text or "")
        cursor = told.next_cursor

    assert json.loads("".join(parts)) == nodes
