"""Promise: a library name is one file of one folder, whole and sound, or an error that names it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from comfy_mcp.errors import ConfigError, WorkflowError
from comfy_mcp.library import Library, shipped_folder
from comfy_mcp.workflow import MAX_BYTES


def nodes(width: int | str = 64) -> dict[str, Any]:
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": width}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
    }


def described(title: str = "Card", **parameter: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": "width",
        "type": "integer",
        "description": "Width.",
        "default": 64,
        "fills": [{"node": "1", "input": "width"}],
    }
    return {
        "title": title,
        "description": "Makes a card.",
        "parameters": [{**fields, **parameter}],
        "graph": nodes(),
    }


def write(folder: Path, name: str, value: object) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def refusal(library: Library, name: str) -> WorkflowError:
    with pytest.raises(WorkflowError) as caught:
        library.load(name)
    return caught.value


def test_a_file_with_a_manifest_is_loaded_with_it(tmp_path: Path) -> None:
    write(tmp_path, "card", described())

    found = Library([tmp_path]).load("card")

    assert (found.name, found.title, found.description) == ("card", "Card", "Makes a card.")
    assert found.manifest.names == ("width",)
    assert found.graph.to_json() == nodes()


def test_a_plain_export_takes_what_its_nodes_show(tmp_path: Path) -> None:
    write(tmp_path, "plain", nodes())

    found = Library([tmp_path]).load("plain")

    assert (found.title, found.description, found.manifest.names) == ("plain", "", ("width",))
    assert found.graph.to_json() == nodes()


def test_a_file_that_says_that_it_takes_nothing_takes_nothing(tmp_path: Path) -> None:
    write(tmp_path, "plain", {"title": "Plain", "parameters": [], "graph": nodes()})

    assert Library([tmp_path]).load("plain").manifest.names == ()


def test_placeholders_go_before_what_the_nodes_show(tmp_path: Path) -> None:
    write(tmp_path, "card", nodes("PARAM_INT_SIZE"))

    [parameter] = Library([tmp_path]).load("card").manifest.parameters

    assert (parameter.name, parameter.type, parameter.required) == ("size", "integer", True)


def test_a_file_of_the_editor_is_there_and_waits_for_a_host(tmp_path: Path) -> None:
    editor = {"nodes": [{"id": 1, "type": "SaveImage"}], "links": []}
    write(tmp_path, "bare", editor)
    write(tmp_path, "wrapped", {"title": "Wrapped", "parameters": [], "graph": editor})
    library = Library([tmp_path])

    bare, wrapped = library.draft("bare"), library.draft("wrapped")

    assert (bare.editor, bare.told, bare.manifest.title) == (editor, False, "bare")
    assert (wrapped.editor, wrapped.told, wrapped.manifest.title) == (editor, True, "Wrapped")
    assert "Export (API)" in str(refusal(library, "bare"))


def test_a_library_has_what_it_lists_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, "broken", "{")
    library = Library([tmp_path])

    assert library.has("broken")
    assert not library.has("other")
    assert not library.has("../" + tmp_path.name + "/broken")


def test_a_plain_export_may_have_a_node_with_any_id(tmp_path: Path) -> None:
    odd = {"graph": nodes()["1"], "title": nodes()["1"], "parameters": nodes()["1"]}
    write(tmp_path, "odd", odd)

    assert Library([tmp_path]).load("odd").graph.to_json() == odd


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    write(tmp_path, "card", "\ufeff" + json.dumps(nodes()))

    assert Library([tmp_path]).load("card").graph.to_json() == nodes()


def test_names_are_sorted_and_come_from_all_folders(tmp_path: Path) -> None:
    write(tmp_path / "a", "zebra", nodes())
    write(tmp_path / "b", "ant", nodes())
    write(tmp_path / "b", "broken", "{")
    (tmp_path / "b" / "Upper.json").write_text("{}")
    (tmp_path / "b" / "notes.txt").write_text("")
    (tmp_path / "b" / "folder.json").mkdir()

    library = Library([tmp_path / "a", tmp_path / "b", tmp_path / "absent"])

    assert library.names() == ("ant", "broken", "zebra")


def test_an_earlier_folder_wins(tmp_path: Path) -> None:
    write(tmp_path / "own", "card", described("Mine"))
    write(tmp_path / "shipped", "card", described("Theirs"))

    assert Library([tmp_path / "own", tmp_path / "shipped"]).load("card").title == "Mine"
    assert Library([tmp_path / "shipped", tmp_path / "own"]).load("card").title == "Theirs"


def test_a_broken_file_does_not_give_way_to_a_later_folder(tmp_path: Path) -> None:
    write(tmp_path / "own", "card", "{")
    write(tmp_path / "shipped", "card", described())

    assert "card.json" in str(refusal(Library([tmp_path / "own", tmp_path / "shipped"]), "card"))


def test_an_unknown_name_is_told_with_the_nearest_and_the_known(tmp_path: Path) -> None:
    for n in range(25):
        write(tmp_path, f"w{n:02}", nodes())
    write(tmp_path, "txt2img", nodes())

    message = str(refusal(Library([tmp_path]), "txt2image"))

    assert 'no workflow "txt2image". Did you mean "txt2img"?' in message
    assert "txt2img, w00" in message
    assert "and 6 more" in message


def test_an_empty_library_says_so(tmp_path: Path) -> None:
    assert "library is empty" in str(refusal(Library([tmp_path]), "card"))


@pytest.mark.parametrize(
    "name",
    [
        *("../secret", "..", ".", "", "/etc/passwd", "a/b", "sub\\card", "card.json", "card\n"),
        *("Card", "-card", "card\x00", "a" * 65, "%2e%2e", "\uff43ard"),
    ],
)
def test_a_path_is_an_unknown_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "library"
    write(tmp_path, "secret", nodes())
    write(folder, "card", nodes())

    assert "no workflow" in str(refusal(Library([folder]), name))


@given(st.text(max_size=20))
@example("../secret")
def test_only_names_of_the_list_are_loaded(name: str) -> None:
    library = Library([shipped_folder()])

    if name not in library.names():
        assert "no workflow" in str(refusal(library, name))


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", "secret", nodes())
    write(tmp_path / "own", "card", nodes())
    (tmp_path / "own" / "secret.json").symlink_to(outside)
    write(tmp_path / "shipped", "secret", nodes())

    error = refusal(Library([tmp_path / "own", tmp_path / "shipped"]), "secret")

    assert "link out of its folder" in str(error)
    assert str(tmp_path) not in str(error)


def test_a_link_within_the_folder_or_of_the_folder_is_followed(tmp_path: Path) -> None:
    target = write(tmp_path / "own", "card", nodes())
    (tmp_path / "own" / "again.json").symlink_to(target)
    (tmp_path / "alias").symlink_to(tmp_path / "own", target_is_directory=True)

    assert Library([tmp_path / "alias"]).load("again").graph.to_json() == nodes()


def test_a_link_to_nothing_or_to_itself_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere.json")
    (tmp_path / "ring.json").symlink_to(tmp_path / "ring.json")
    (tmp_path / "dir.json").symlink_to(tmp_path)
    library = Library([tmp_path])

    for name in ("gone", "ring", "dir"):
        assert f"{name}.json" in str(refusal(library, name))


def test_a_file_that_is_no_plain_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "pipe.json").symlink_to(tmp_path / "pipe")

    assert "no plain file" in str(refusal(Library([tmp_path]), "pipe"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ("no JSON",)),
        ("{", ("no JSON", "line 1")),
        ('{"1": {"class_type": "A", "inputs": {"x": NaN}}}', ("NaN", "no number")),
        ('{"1": {}, "1": {}}', ('the key "1" stands twice',)),
        ("[" * 100_000, ("no JSON",)),
        ("9" * 5000, ("no JSON",)),
        ([], ("not a list",)),
        ({"nodes": [], "links": []}, ("Export (API)",)),
        ({"prompt": nodes()}, ('"prompt"',)),
        ({"title": "Card"}, ('no "graph"',)),
        ({**described(), "version": 1}, ("version",)),
        ({**described(), "graph": {}}, ("empty",)),
        (described(name="Width"), ("parameters.0.name",)),
        (described(fills=[{"node": "9", "input": "width"}]), ("no such node",)),
        ({"1": {"class_type": "A"}}, ("Node 1", "inputs")),
    ],
)
def test_a_broken_file_is_named_with_its_fault(
    tmp_path: Path, content: object, words: tuple[str, ...]
) -> None:
    write(tmp_path, "card", content)

    message = str(refusal(Library([tmp_path]), "card"))

    assert message.startswith("Library file card.json: ")
    assert all(word in message for word in words), message


def test_a_fault_of_a_node_keeps_its_place(tmp_path: Path) -> None:
    write(tmp_path, "card", {"1": {"class_type": "A", "inputs": {"x": ["9", 0]}}})

    assert refusal(Library([tmp_path]), "card").details() == {"node_id": "1", "input": "x"}


def test_bytes_that_are_no_utf8_are_a_fault(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_bytes(b'{"\xff": 1}')

    assert "no JSON" in str(refusal(Library([tmp_path]), "card"))


def test_a_file_that_is_too_big_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "big", json.dumps(nodes()) + " " * MAX_BYTES)

    assert "bigger than 4 MiB" in str(refusal(Library([tmp_path]), "big"))


def test_an_unchanged_file_is_read_once_and_a_changed_one_again(tmp_path: Path) -> None:
    path = write(tmp_path, "card", nodes(64))
    library = Library([tmp_path])
    first = library.draft("card")
    assert library.draft("card") is first

    write(tmp_path, "card", nodes(65))
    os.utime(path, ns=(1, 1))

    assert library.load("card").graph.to_json() == nodes(65)


def test_a_file_that_goes_away_or_is_mended_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path, "card", "{")
    library = Library([tmp_path])
    refusal(library, "card")

    write(tmp_path, "card", nodes())
    assert library.load("card").graph.to_json() == nodes()

    path.unlink()
    assert "library is empty" in str(refusal(library, "card"))


def test_the_shipped_folder_holds_the_shipped_workflows() -> None:
    assert Library([shipped_folder()]).names() == ("color_card", "img2img", "txt2img", "upscale")


def test_the_workflows_of_a_wheel_stand_beside_the_code(tmp_path: Path) -> None:
    package = tmp_path / "comfy_mcp"
    (tmp_path / "workflows").mkdir()
    assert shipped_folder(package) == tmp_path / "workflows"

    (package / "_shipped" / "workflows").mkdir(parents=True)
    assert shipped_folder(package) == package / "_shipped" / "workflows"


def test_an_installation_without_workflows_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Install comfy-mcp-guard again"):
        shipped_folder(tmp_path / "comfy_mcp")


def test_a_folder_that_cannot_be_read_is_an_error_and_not_an_empty_library() -> None:
    library = Library([Path("/" + "x" * 5000)])

    with pytest.raises(WorkflowError, match="cannot be read"):
        library.names()
    assert "cannot be read" in str(refusal(library, "card"))
