"""A workflow reads no file that a job made: it may be somebody else's."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow import parse_graph
from comfy_mcp.workflow.foreign import refuse_files_of_jobs


def loading(class_type: str = "LoadImage", **inputs: Any) -> Any:
    return parse_graph({"7": {"class_type": class_type, "inputs": inputs}})


@pytest.mark.parametrize(
    "name", ["a.png [output]", "sub/a.png [temp]", "a.png[output]", "x [output] "]
)
@pytest.mark.parametrize(
    "class_type", ["LoadImage", "LoadImageMask", "LoadAudio", "SomeonesLoader"]
)
def test_a_file_of_a_job_is_refused_by_node_and_input(class_type: str, name: str) -> None:
    with pytest.raises(WorkflowError, match=r"Node 7 .*, input image") as caught:
        refuse_files_of_jobs(loading(class_type, image=name))

    assert (caught.value.node_id, caught.value.input_name) == ("7", "image")


def test_a_node_that_reads_the_output_folder_is_refused() -> None:
    with pytest.raises(WorkflowError):
        refuse_files_of_jobs(loading("LoadImageOutput", image="a.png"))


@pytest.mark.parametrize(
    "name", ["a.png", "a.png [input]", "[output] a.png", "an [output] in words."]
)
def test_other_words_pass(name: str) -> None:
    refuse_files_of_jobs(loading(image=name, number=3))
