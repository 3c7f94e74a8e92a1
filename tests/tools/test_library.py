"""What a model reads about the library before it runs anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comfy_mcp.library import Library, shipped_folder
from comfy_mcp.tools.run import library_in_words
from tests.tools.desk import Sit, card

pytestmark = pytest.mark.anyio


def test_every_workflow_is_named_with_its_parameters() -> None:
    words = library_in_words(Library((shipped_folder(),)))

    assert "color_card(color, width, height, filename_prefix)" in words
    assert "txt2img(prompt*, " in words


def test_a_broken_file_is_named_without_parameters(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "plain.json").write_text(json.dumps(card(1)))

    words = library_in_words(Library((tmp_path,)))

    assert words.splitlines()[1:] == ["broken", "plain(batch_size, height, width)"]


def test_of_a_large_library_the_first_are_named_and_where_the_rest_is(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"workflow-{number:03}.json").write_text(json.dumps(card(1)))

    words = library_in_words(Library((tmp_path,)))

    assert len(words) < 1_400
    assert words.splitlines()[-1] == "... and 188 more: list_workflows"


def test_a_folder_that_cannot_be_read_is_told_so(tmp_path: Path) -> None:
    unreadable = tmp_path / ("x" * 5_000)

    assert "cannot be read" in library_in_words(Library((unreadable,)))


async def test_the_list_of_tools_names_the_library(sit: Sit) -> None:
    async with sit() as desk:
        (run,) = [
            tool for tool in (await desk.client.list_tools()).tools if tool.name == "run_workflow"
        ]

    assert "img2img(image*, prompt*" in run.description
