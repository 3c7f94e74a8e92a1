"""What a file says about itself is known without a host."""

from __future__ import annotations

from comfy_mcp.workflow.ui import ModelFile, about
from tests.workflow.ui.cases import deep_part, text_to_image


def test_title_description_parts_and_models_are_told() -> None:
    file = deep_part()
    file["extra"] = {"info": {"name": "Upscale\ntwice", "description": "Makes it \x1b[31mlarge"}}
    model = {"name": "a.safetensors", "directory": "checkpoints", "url": "https://models.example/a"}
    inner = file["definitions"]["subgraphs"][0]["nodes"][0]
    inner["properties"]["models"] = [model, model, "broken", {"directory": "x"}]

    told = about(file)

    assert told.title == "Upscale twice"
    assert told.description == "Makes it [31mlarge"
    assert told.parts == ("Sub 1111", "Sub 2222")
    assert told.nodes == 6
    assert told.models == (ModelFile("a.safetensors", "checkpoints", "https://models.example/a"),)


def test_a_file_that_says_nothing_is_told_as_that() -> None:
    told = about(text_to_image() | {"extra": None})

    assert (told.title, told.description, told.parts, told.models) == ("", "", (), ())
    assert told.nodes == 9


def test_what_it_says_is_cut() -> None:
    file = text_to_image()
    file["extra"] = {"info": {"name": "x" * 10_000}}

    assert len(about(file).title) == 300
