"""3D models, latents and texts: what their headers say, and pieces of what is long."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.outputs.looking import look_at
from comfy_mcp.outputs.models import look_at_model
from comfy_mcp.outputs.seen import Wanted
from comfy_mcp.outputs.tensors import header, look_at_tensors
from comfy_mcp.outputs.texts import MAX_TEXT, piece
from tests.outputs.files import glb, tensors

CUBE = {
    "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
    "accessors": [{"count": 24}, {"count": 36}],
    "materials": [{}, {}],
    "nodes": [{}],
}

LATENT = {
    "__metadata__": {"prompt": "{}"},
    "latent_tensor": {"dtype": "F32", "shape": [1, 4, 8, 8], "data_offsets": [0, 1024]},
}


def test_of_a_model_vertices_and_triangles_are_told() -> None:
    data = glb(CUBE)

    assert look_at_model(data).facts == {
        "bytes": len(data),
        "meshes": 1,
        "materials": 2,
        "nodes": 1,
        "vertices": 24,
        "triangles": 12,
    }


def test_a_model_as_text_is_read_as_well() -> None:
    assert look_at_model(json.dumps(CUBE).encode()).facts["vertices"] == 24


@pytest.mark.parametrize(
    "scene",
    [
        {"meshes": 5},
        {"meshes": [5, {"primitives": [7, {"attributes": 3}]}]},
        {"meshes": [{"primitives": [{"attributes": {"POSITION": 99}, "indices": -1}]}]},
        {"meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}], "accessors": [{}]},
        {"accessors": [{"count": "many"}], "meshes": [{"primitives": [{"indices": 0}]}]},
    ],
)
def test_a_model_that_makes_no_sense_has_nothing_in_it(scene: dict[str, object]) -> None:
    facts = look_at_model(glb(scene)).facts

    assert (facts["vertices"], facts["triangles"]) == (0, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"glTF",
        b"glTF" + bytes(16),
        glb(CUBE)[:40],
        b"solid cube",
        b"glTF" + struct.pack("<III4s", 2, 2**32 - 1, 2**32 - 1, b"JSON") + b"{",
        b"{" * 100_000,
    ],
)
def test_what_is_no_model_that_is_known_has_a_size(data: bytes) -> None:
    assert look_at_model(data).facts == {"bytes": len(data)}


def test_of_a_latent_shape_and_type_are_told() -> None:
    facts = look_at_tensors(tensors(LATENT)).facts

    assert facts["first"] == ["latent_tensor: 1x4x8x8 F32"]
    assert facts["tensors"] == 1


def test_of_very_many_tensors_the_first_are_told() -> None:
    many = {f"t{n}": {"dtype": "F16", "shape": [n]} for n in range(5000)}

    facts = look_at_tensors(tensors(many)).facts

    assert facts["tensors"] == 5000
    assert len(str(facts)) < 1000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(8),
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 100) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 9) + b"{" * 9,
    ],
)
def test_what_is_no_tensor_file_is_told_so(data: bytes) -> None:
    assert header(data) is None
    assert "no safetensors file" in str(look_at_tensors(data).facts["note"])


def test_strange_entries_are_passed_over() -> None:
    odd = {"a": 5, "b": {"shape": 3, "dtype": "F32"}, "c": {"shape": [2], "dtype": 9}}

    assert look_at_tensors(tensors(odd)).facts["first"] == []


def test_other_files_say_what_they_begin_like() -> None:
    assert "a ZIP archive" in str(look_at(b"PK\x03\x04", "file", "", Wanted()).facts)
    assert look_at(tensors(LATENT), "file", "", Wanted()).facts["tensors"] == 1


def test_a_drawing_in_markup_is_shown_as_what_it_says() -> None:
    seen = look_at(b"<svg onload='x'/>", "image", "image/svg+xml", Wanted())

    assert seen.facts == {"text": "<svg onload='x'/>"}


@given(st.text(max_size=400), st.integers(20, 120))
def test_the_pieces_of_a_text_are_the_text(text: str, most: int) -> None:
    parts: list[str] = []
    at: object = 0
    while isinstance(at, int):
        found = piece(text, at, most)
        parts.append(str(found["text"]))
        assert len(json.dumps(found["text"], ensure_ascii=False)) <= most
        at = found.get("next_cursor")

    assert "".join(parts) == text


def test_a_piece_of_control_characters_stays_within_an_answer() -> None:
    found = piece("\x01" * 100_000, 0)

    assert len(json.dumps(found)) < MAX_TEXT + 100
    assert found["characters"] == 100_000


def test_beyond_the_end_there_is_nothing() -> None:
    assert piece("abc", 99) == {"text": "", "characters": 3}
