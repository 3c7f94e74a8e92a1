"""Promise: no file that a job made is read unseen, whatever its name looks like."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.workflow import Facts, Known, parse_graph
from comfy_mcp.workflow.measure import measure

Spec = tuple[str, dict[str, Any]]


def facts(**nodes: Spec) -> Facts:
    sent = {key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in nodes.items()}
    return measure(parse_graph(sent), Known())


def files(found: Facts) -> list[tuple[str, str, str]]:
    return [(each.type, each.subfolder, each.filename) for each in found.job_files]


NAMES = [
    ("a.png [output]", ("output", "", "a.png")),
    ("sub/deep/a.png [output]", ("output", "sub/deep", "a.png")),
    ("sub\\a.png [temp]", ("temp", "sub", "a.png")),
    ("./sub//a.png [temp]", ("temp", "sub", "a.png")),
    # ComfyUI cuts nine characters off, whatever they are.
    ("a.png[output]", ("output", "", "a.pn")),
    ("a.png[temp]", ("temp", "", "a.pn")),
    ("../a.png [output]", ("output", "", "")),
    ("sub/../../a.png [output]", ("output", "", "")),
    ("/etc/passwd [output]", ("output", "", "")),
    ("C:\\a.png [output]", ("output", "", "")),
    ("\\\\server\\a.png [output]", ("output", "", "")),
    ("sub/ [output]", ("output", "", "")),
    ("[output]", ("output", "", "")),
    ("a.png [output] ", ("output", "", "")),
    ("a.png [Output]", ("output", "", "")),
    ("a.png [ temp ]\n", ("temp", "", "")),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
@pytest.mark.parametrize("kind", ["LoadImage", "LoadAudio", "SomebodysLoader", "PrimitiveString"])
def test_a_marked_name_is_a_file_of_a_job(
    kind: str, name: str, expected: tuple[str, str, str]
) -> None:
    found = facts(n=(kind, {"value": name}))

    assert files(found) == [expected]
    assert (found.job_files[0].node_id, found.job_files[0].input_name) == ("n", "value")


@pytest.mark.parametrize(
    "name", ["a.png", "a.png [input]", "[output] a.png", "an [output] in words.", "output", ""]
)
def test_other_names_are_not(name: str) -> None:
    assert files(facts(n=("LoadImage", {"image": name, "number": 3}))) == []


def test_a_name_deep_in_an_object_is_found() -> None:
    view = {"image": "threed/a.png [temp]", "recording": ["x.mp4 [output]"]}
    found = facts(n=("Load3D", {"image": view}))

    assert sorted(files(found)) == [("output", "", "x.mp4"), ("temp", "threed", "a.png")]


@pytest.mark.parametrize("name", ["../output/a.png", "/srv/output/a.png", "C:\\a.png", "a\\..\\b"])
def test_a_loader_that_leaves_its_folder_reads_a_file_of_nobody(name: str) -> None:
    assert files(facts(n=("LoadImage", {"image": name}))) == [("output", "", "")]


def test_a_class_that_reads_the_output_folder_needs_no_mark() -> None:
    assert files(facts(n=("LoadImageOutput", {"image": "sub/a.png"}))) == [
        ("output", "sub", "a.png")
    ]
    assert files(facts(n=("LoadImageOutput", {"image": "a.png [input]"}))) == []
    assert files(facts(n=("LoadTrainingDataset", {"folder_name": "mine"}))) == [("output", "", "")]


def test_a_mark_that_is_pieced_together_is_found_where_it_is_read() -> None:
    def read(kind: str, name: str) -> list[tuple[str, str, str]]:
        found = facts(
            mark=("PrimitiveString", {"value": "[outp"}),
            pieces=(
                "StringConcatenate",
                {"string_a": ["mark", 0], "string_b": "ut]", "delimiter": ""},
            ),
            name=(
                "StringConcatenate",
                {"string_a": "a.png", "string_b": ["pieces", 0], "delimiter": " "},
            ),
            n=(kind, {name: ["name", 0]}),
        )
        assert {each.node_id for each in found.job_files} == {"n"}
        return files(found)

    assert read("LoadImage", "image") == [("output", "", "a.png")]
    assert read("SomebodysLoader", "anything") == [("output", "", "a.png")]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("LoadImage", "image"), ("LoadVideo", "file"), ("LoadLatent", "latent"), ("Custom", "file")],
)
def test_a_name_that_cannot_be_foreseen_is_undetermined(kind: str, name: str) -> None:
    found = facts(
        regex=("RegexReplace", {"string": "a", "regex_pattern": "a", "replace": "b [output]"}),
        n=(kind, {name: ["regex", 0]}),
    )

    assert [(each.node_id, each.input_name) for each in found.undetermined["job_files"]] == [
        ("n", name)
    ]


def test_a_picture_that_comes_over_a_link_is_no_name() -> None:
    found = facts(
        s=("LoadImage", {"image": "a.png"}),
        sound=("LoadAudio", {"audio": "a.mp3"}),
        n=("Custom", {"image": ["s", 0], "mask": ["s", 1], "audio": ["sound", 0]}),
    )

    assert "job_files" not in found.undetermined
