"""Promise: one name, one workflow, wherever it is; what cannot be reached hides nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comfy_mcp.embedded import Faults
from comfy_mcp.embedded.faults import BadAnswer
from comfy_mcp.errors import HostError, NotComfyUI, WorkflowError
from comfy_mcp.host.saved import KEPT_SECONDS, MOST_FILE, MOST_LISTING
from comfy_mcp.library import Library, SavedWorkflows, Source
from comfy_mcp.shelf import Shelf
from tests.shelf.conftest import Clock, Room, card, editor

pytestmark = pytest.mark.anyio

INDEX = [
    {
        "moduleName": "default",
        "title": "Image",
        "type": "image",
        "templates": [
            {
                "name": "first_steps",
                "title": "First steps",
                "description": "Draws a card.",
                "mediaType": "image",
                "tags": ["Card", 7],
                "models": ["None"],
            },
            {"name": "../escape", "title": "Leads out"},
            {"name": 5},
            "no template",
        ],
    },
    "no category",
]


def parts(color: int = 1) -> dict[str, object]:
    return {"title": "Mine", "description": "", "graph": card(color)}


async def names(room: Room, source: Source | None = None) -> list[str]:
    found, warnings = await room.shelf.entries(room.host, "ann", source=source)
    assert warnings == []
    return sorted(entry.name for entry in found)


async def refusal(room: Room, name: str, grant: str | None = "ann") -> str:
    with pytest.raises(WorkflowError) as caught:
        await room.shelf.load(name, room.host, grant=grant)
    return str(caught.value)


def fill(room: Room) -> None:
    room.own("own", card())
    room.shelf.save("mine", "ann", parts(), overwrite=False)
    room.put("user/default/workflows/plain.json", card(2))
    room.put("user/default/workflows/deep/My Own (2).json", editor(3))
    room.put("user/default/workflows/notes.txt", "x")
    room.put("templates/index.json", INDEX)
    room.put("templates/first_steps.json", editor(4))
    room.put("custom_nodes/Some-Pack/example_workflows/demo.json", editor(5))


async def test_every_source_is_listed_by_whole_names(room: Room) -> None:
    fill(room)

    assert await names(room) == [
        "host/deep/My Own (2)",
        "host/plain",
        "own",
        "saved/mine",
        "template/Some-Pack/demo",
        "template/first_steps",
    ]
    assert await names(room, Source.HOST) == ["host/deep/My Own (2)", "host/plain"]
    assert await names(room, Source.LIBRARY) == ["own"]
    assert await names(room, Source.SAVED) == ["saved/mine"]


async def test_a_template_is_listed_with_what_its_index_says(room: Room) -> None:
    fill(room)

    found, _ = await room.shelf.entries(room.host, "ann", source=Source.TEMPLATE)
    entry = next(one for one in found if one.name == "template/first_steps")

    assert (entry.title, entry.description) == ("First steps", "Draws a card.")
    assert entry.tags == ("Image", "image", "Card", "None")


@pytest.mark.parametrize(
    ("name", "color"),
    [
        ("own", 1),
        ("saved/mine", 1),
        ("host/plain", 2),
        ("host/deep/My Own (2)", 3),
        ("template/first_steps", 4),
        ("template/Some-Pack/demo", 5),
    ],
)
async def test_what_is_listed_can_be_loaded_in_either_format(
    room: Room, name: str, color: int
) -> None:
    fill(room)

    found = await room.shelf.load(name, room.host, grant="ann")

    assert found.name == name
    assert found.graph.nodes["1"].inputs["color"] == color
    assert found.manifest is not None
    assert {"width", "height"} <= set(found.manifest.names)


async def test_a_manifest_round_a_graph_of_the_editor_counts(room: Room) -> None:
    width = {
        "name": "wide",
        "type": "integer",
        "description": "Width.",
        "default": 80,
        "fills": [{"node": "1", "input": "width"}],
    }
    room.own("poster", {"title": "Poster", "parameters": [width], "graph": editor()})
    astray = {**width, "fills": [{"node": "9", "input": "width"}]}
    room.own("astray", {"title": "Astray", "parameters": [astray], "graph": editor()})

    found = await room.shelf.load("poster", room.host)

    assert found.manifest is not None
    assert found.manifest.names == ("wide",)
    assert "astray: Parameter wide fills 9.width: there is no such node" in await refusal(
        room, "astray"
    )


async def test_an_export_with_a_manifest_costs_the_host_no_request(room: Room) -> None:
    room.own("plain", {"title": "Plain", "parameters": [], "graph": card()})

    await room.shelf.load("plain", room.host)

    assert room.comfyui.seen == []


async def test_a_plain_name_is_never_what_an_agent_saved(room: Room) -> None:
    room.shelf.save("poster", "ann", parts(), overwrite=False)

    assert 'no workflow "poster"' in await refusal(room, "poster")


async def test_a_plain_name_is_written_out_where_it_can_only_mean_a_saved_one(room: Room) -> None:
    room.shelf.save("poster", "ann", parts(), overwrite=False)

    assert await room.shelf.known_as("poster", "ann") == "saved/poster"
    assert await room.shelf.known_as("poster", "bob") == "poster"
    for name in ("other", "saved/poster", "host/poster", "../poster", "POSTER", ""):
        assert await room.shelf.known_as(name, "ann") == name

    room.own("poster", {})
    assert await room.shelf.known_as("poster", "ann") == "poster", "broken, and still theirs"


async def test_a_name_of_the_library_cannot_be_saved(room: Room) -> None:
    room.own("own", {})

    with pytest.raises(WorkflowError, match="a workflow of the library"):
        room.shelf.save("own", "ann", parts(), overwrite=True)


async def test_saved_workflows_are_seen_by_their_own_grant_only(room: Room) -> None:
    room.shelf.save("poster", "ann", parts(), overwrite=False)

    assert "You have saved no workflow" in await refusal(room, "saved/poster", "bob")
    assert "no workflow" in await refusal(room, "saved/poster", None)
    found, _ = await room.shelf.entries(room.host, "bob")
    assert found == []


@pytest.mark.parametrize(
    "name",
    [
        *("host/../secret", "host//etc/passwd", "host/..%2fsecret", "host/a\\..\\b", "host/C:/x"),
        *("host/\x00", "template/../index", "template/a/b/c", "saved/../../x", "../own", "/own"),
        *("own/", "own.json", "template/", "host/", "x" * 5_000, "\uff4fwn", "host/plain\n"),
    ],
)
async def test_a_name_that_leads_elsewhere_is_asked_of_nobody(room: Room, name: str) -> None:
    fill(room)

    await refusal(room, name)

    assert room.comfyui.seen == []


async def test_only_what_the_host_lists_is_fetched_and_only_as_it_is_written(room: Room) -> None:
    fill(room)
    room.put("user/default/secret.json", card())

    assert 'Did you mean "host/plain"?' in await refusal(room, "host/Plain")
    assert "There is no workflow" in await refusal(room, "host/secret")
    assert 'Did you mean "template/first_steps"?' in await refusal(room, "template/first_step")
    assert "There is no workflow" in await refusal(room, "template/index")
    assert "There is no workflow" in await refusal(room, "template/Some-Pack/other")
    assert all("secret" not in seen.path for seen in room.comfyui.seen)


async def test_a_host_that_is_away_hides_nothing_that_is_on_disk(room: Room) -> None:
    fill(room)

    async with room.comfyui.away():
        found, warnings = await room.shelf.entries(room.host, "ann")
        with pytest.raises(HostError):
            await room.shelf.load("host/plain", room.host)

    assert [entry.name for entry in found] == ["own", "saved/mine"]
    assert "not listed" in warnings[0]
    assert len(await names(room)) == 6


async def test_a_host_without_templates_and_workflows_simply_has_none(room: Room) -> None:
    assert await names(room) == []


@pytest.mark.parametrize("what", ["html", "502", "404"])
async def test_a_page_in_place_of_a_listing_is_none(room: Room, what: str) -> None:
    fill(room)
    room.comfyui.faults = Faults(
        http=(BadAnswer(what, path="/templates/*"), BadAnswer(what, path="/userdata*"))
    )

    assert await names(room) == ["own", "saved/mine", "template/Some-Pack/demo"]


async def test_a_listing_that_is_too_long_is_not_read_to_its_end(room: Room) -> None:
    fill(room)
    room.comfyui.faults = Faults(
        http=(BadAnswer("huge", path="/userdata*", size=MOST_LISTING + 1),)
    )

    found, warnings = await room.shelf.entries(room.host, "ann")

    assert [entry.name for entry in found] == ["own", "saved/mine"]
    assert "more than 8 MiB" in warnings[0]
    with pytest.raises(NotComfyUI):
        await room.host.workflows.saved()


async def test_a_file_that_is_too_long_is_not_read_to_its_end(room: Room) -> None:
    room.put("user/default/workflows/big.json", json.dumps(card()) + " " * MOST_FILE)

    assert "bigger than 4 MiB" in await refusal(room, "host/big")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "not a list"),
        ({"title": "X"}, 'no "graph"'),
        ({"1": {"class_type": "A"}}, "inputs"),
    ],
)
async def test_a_broken_file_of_the_host_is_named_with_its_fault(
    room: Room, content: object, words: str
) -> None:
    room.put("user/default/workflows/broken.json", content)

    message = await refusal(room, "host/broken")

    assert message.startswith("host/broken: ")
    assert words in message


async def test_a_listing_is_kept_for_a_moment_and_then_asked_anew(room: Room, clock: Clock) -> None:
    room.put("user/default/workflows/a.json", card())
    assert await names(room, Source.HOST) == ["host/a"]

    room.put("user/default/workflows/b.json", card())
    assert await names(room, Source.HOST) == ["host/a"]

    clock.now += KEPT_SECONDS + 1
    assert await names(room, Source.HOST) == ["host/a", "host/b"]


async def test_what_is_not_in_the_kept_listing_is_looked_for_anew(room: Room) -> None:
    room.put("user/default/workflows/a.json", card())
    assert await names(room, Source.HOST) == ["host/a"]
    room.put("user/default/workflows/b.json", card())

    assert (await room.shelf.load("host/b", room.host)).name == "host/b"


async def test_a_listing_of_another_host_is_not_believed(room: Room) -> None:
    room.put("user/default/workflows/a.json", card())
    assert await names(room, Source.HOST) == ["host/a"]

    async with room.comfyui.away():
        with pytest.raises(HostError):
            await room.host.stats()
        (room.comfyui.folder / "user/default/workflows/a.json").unlink()

    assert await names(room, Source.HOST) == []


async def test_a_file_that_is_gone_since_it_was_listed_is_said_to_be(room: Room) -> None:
    room.put("user/default/workflows/a.json", card())
    assert await names(room, Source.HOST) == ["host/a"]
    (room.comfyui.folder / "user/default/workflows/a.json").unlink()

    assert "does not hand it out" in await refusal(room, "host/a")


async def test_a_class_that_is_not_there_is_told_with_a_near_one(room: Room) -> None:
    drawn = editor()
    drawn["nodes"][0]["type"] = "EmptyImag"
    room.own("drawn", drawn)

    message = await refusal(room, "drawn")

    assert "EmptyImag" in message
    assert "EmptyImage" in message


async def test_a_folder_that_cannot_be_read_hides_nothing_else(room: Room, tmp_path: Path) -> None:
    saved = SavedWorkflows(tmp_path / "saved", now_ms=lambda: 1)
    saved.save("mine", "ann", parts(), overwrite=False)
    shelf = Shelf(Library([tmp_path / ("x" * 5_000)]), saved)

    found, warnings = await shelf.entries(room.host, "ann")

    assert [entry.name for entry in found] == ["saved/mine"]
    assert "cannot be read" in warnings[0]


async def test_a_file_that_names_thousands_of_classes_costs_few_requests(room: Room) -> None:
    many = [{"id": n, "type": f"Strange{n}", "inputs": [], "outputs": []} for n in range(3000)]
    room.own("many", {"nodes": many, "links": []})

    await refusal(room, "many")

    assert len(room.comfyui.seen) < 5
