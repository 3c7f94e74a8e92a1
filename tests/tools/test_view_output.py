"""view_output: what moves, several at once, sounds, latents; and how pictures are answered."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.outputs.films import can_read_films
from tests.outputs.files import film
from tests.tools.desk import Desk, Sit, card, graph
from tests.tools.shown import moving, seen, sounding

pytestmark = pytest.mark.anyio

RED, BLUE = (255, 0, 0), (0, 0, 255)


def near(picture: Any, where: tuple[float, float]) -> tuple[int, ...]:
    """A pixel at these shares of width and height, in steps of 255."""
    place = (int(picture.width * where[0]), int(picture.height * where[1]))
    return tuple(round(part / 255) * 255 for part in picture.convert("RGB").getpixel(place))


async def made(desk: Desk, workflow: Any) -> list[str]:
    """The URIs of what it puts out."""
    job = await desk.ask("run_workflow", workflow=workflow)
    return [one["uri"] for one in job["outputs"]]


@pytest.mark.parametrize("node", ["SaveAnimatedWEBP", "SaveAnimatedPNG"])
async def test_frames_of_an_animation_come_on_one_sheet(sit: Sit, node: str) -> None:
    async with sit() as desk:
        (uri,) = await made(desk, moving(node))
        shown = seen(await desk.call("view_output", uri=uri))

    assert (shown.words["frames"], shown.words["seconds"], shown.words["size"]) == (2, 0.5, "96x64")
    assert shown.picture is not None
    assert near(shown.picture, (0.5, 0.2)) == RED
    assert near(shown.picture, (0.5, 0.7)) == BLUE


async def test_one_frame_is_seen_at_its_second(sit: Sit) -> None:
    async with sit() as desk:
        (uri,) = await made(desk, moving())
        shown = seen(await desk.call("view_output", uri=uri, at=0.3))

    assert shown.picture is not None
    assert shown.picture.size == (96, 64)
    assert near(shown.picture, (0.5, 0.5)) == BLUE
    assert shown.words["at"] == 0.25


async def test_several_outputs_come_on_one_numbered_sheet(sit: Sit) -> None:
    async with sit() as desk:
        (red,) = await made(desk, card(0xFF0000))
        (blue,) = await made(desk, card(0x0000FF))
        (moves,) = await made(desk, moving())
        sounds = await made(desk, sounding())
        shown = seen(await desk.call("view_output", uri=[red, blue, moves, *sounds, red]))

    legend = shown.words["outputs"]
    assert [one["n"] for one in legend] == [1, 2, 3, 4, 5, 6]
    assert [one["uri"] for one in legend][:3] == [red, blue, moves]
    assert legend[2]["frames"] == 2
    assert len(shown.links) == 6
    assert shown.picture is not None
    assert shown.size < 100_000


async def test_of_several_texts_there_is_no_picture(sit: Sit) -> None:
    async with sit() as desk:
        jobs = [await desk.ask("run_workflow", workflow=graph("medium")) for _ in range(2)]
        outputs = [one for job in jobs for one in job["outputs"] if one["kind"] == "text"]
        uris = [one["uri"] for one in outputs]
        shown = seen(await desk.call("view_output", uri=uris))

    assert [one["text"] for one in shown.words["outputs"]] == ["hello", "hello"]
    assert shown.picture is None


async def test_one_that_is_gone_does_not_keep_the_others_from_being_seen(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(0xFF0000))
        (blue,) = await made(desk, card(0x0000FF))
        (host.folder / "output" / job["outputs"][0]["filename"]).unlink()
        shown = seen(await desk.call("view_output", uri=[job["outputs"][0]["uri"], blue]))

    gone, there = shown.words["outputs"]
    assert "no longer has" in gone["error"]
    assert there["size"] == "64x64"
    assert shown.picture is not None


async def test_sixteen_outputs_at_most_are_seen_together(sit: Sit) -> None:
    async with sit() as desk:
        many = [f"comfy://jobs/x/outputs/{number}" for number in range(17)]
        text, _ = await desk.refusal("view_output", uri=many)

    assert "at most 16" in text


async def test_of_several_one_of_another_agent_is_refused(sit: Sit) -> None:
    async with sit(grant="alice") as alice, sit(grant="bob") as bob:
        (hers,) = await made(alice, card(1))
        (his,) = await made(bob, card(2))
        _, body = await bob.refusal("view_output", uri=[his, hers])

    assert body["code"] == "not_owner"


async def test_of_a_sound_length_channels_and_rate_are_told(sit: Sit) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=sounding())
        kinds = {one["kind"]: one["uri"] for one in job["outputs"] if one["type"] == "output"}
        sound = seen(await desk.call("view_output", uri=kinds["audio"]))
        latent = seen(await desk.call("view_output", uri=kinds["latent"]))

    told = sound.words
    assert (told["seconds"], told["channels"], told["sample_rate"]) == (1.5, 2, 8000)
    assert sound.links[0].size == told["bytes"]
    assert sound.links[0].mime_type == "audio/flac"
    assert (sound.picture is not None) == can_read_films()
    assert "latent_tensor: 1x4x8x8 F32" in latent.words["first"]


async def test_a_temporary_file_is_gone_after_a_restart_and_told_so(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=graph("medium"))
        (temp,) = [one["uri"] for one in job["outputs"] if one.get("type") == "temp"]
        seen(await desk.call("view_output", uri=temp))
        await host.restart()
        text, _ = await desk.refusal("view_output", uri=temp)

    assert "temporary files go at its restart" in text


async def test_a_long_text_comes_in_pieces(sit: Sit) -> None:
    poem = "\n".join(f"line {number}" for number in range(6000))
    words = {
        "1": {"class_type": "PrimitiveString", "inputs": {"value": poem}},
        "2": {
            "class_type": "SaveText",
            "inputs": {"text": ["1", 0], "filename_prefix": "poem", "format": "txt"},
        },
    }

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=words)
        (uri,) = [one["uri"] for one in job["outputs"] if one.get("filename")]
        parts: list[str] = []
        cursor: int | None = 0
        while cursor is not None:
            shown = seen(await desk.call("view_output", uri=uri, cursor=cursor))
            assert shown.size < 20_000
            parts.append(shown.words["text"])
            cursor = shown.words.get("next_cursor")

    assert "".join(parts) == poem


@pytest.mark.parametrize(
    ("how", "pictures", "links"), [("inline", True, 1), ("link", False, 1), ("omit", False, 0)]
)
async def test_the_operator_says_how_pictures_are_answered(
    sit: Sit, how: str, *, pictures: bool, links: int
) -> None:
    async with sit(more={"image_responses": how}) as desk:
        (uri,) = await made(desk, card(0x336699))
        (moves,) = await made(desk, moving())
        shown = seen(await desk.call("view_output", uri=uri))
        both = seen(await desk.call("view_output", uri=[uri, moves]))

    assert (shown.picture is not None) == pictures
    assert (both.picture is not None) == pictures
    assert (len(shown.links), len(both.links)) == (links, 2 * links)
    assert shown.words["size"] == "64x64"
    assert both.words["outputs"][1]["frames"] == 2


HOSTILE = {
    "a page": b"<!DOCTYPE html><html>",
    "nothing": b"",
    "half a picture": b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR",
    "zeros": bytes(5_000_000),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_picture_that_is_none_is_refused_in_words(
    sit: Sit, host: EmbeddedHost, what: str
) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(5))
        (host.folder / "output" / job["outputs"][0]["filename"]).write_bytes(HOSTILE[what])
        text, body = await desk.refusal("view_output", uri=job["outputs"][0]["uri"])

    assert "cannot be read as a picture" in text
    assert body["code"] == "output"


async def test_a_file_that_is_too_large_is_not_fetched(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(6))
        with (host.folder / "output" / job["outputs"][0]["filename"]).open("wb") as file:
            file.truncate(200 * 1024 * 1024)
        text, _ = await desk.refusal("view_output", uri=job["outputs"][0]["uri"])

    assert "larger than" in text


async def test_a_video_is_seen_as_frames_or_words_say_what_that_takes(
    sit: Sit, host: EmbeddedHost, tmp_path: Path
) -> None:
    data = film(2) if can_read_films() else b"\0\0\0\x20ftypisom"
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(3))
        name = job["outputs"][0]["filename"].replace(".png", ".mp4")
        (host.folder / "output" / name).write_bytes(data)
        call_it_a_video(tmp_path / "state")
        listed = await desk.ask("list_outputs", kind="video")
        shown = seen(await desk.call("view_output", uri=job["outputs"][0]["uri"]))

    assert [one["filename"] for one in listed["outputs"]] == [name]
    if can_read_films():
        assert (shown.words["seconds"], shown.words["size"]) == (2.0, "96x64")
        assert shown.picture is not None
    else:
        assert "[video]" in shown.words["note"]


def call_it_a_video(state: Path) -> None:
    """What ComfyUI would have put out: the embedded host encodes no video."""
    with closing(sqlite3.connect(state / "guard.db")) as connection:
        connection.execute("UPDATE jobs SET result = replace(result, '.png', '.mp4')")
        connection.commit()


async def test_words_are_one_line_of_json(sit: Sit) -> None:
    async with sit() as desk:
        (uri,) = await made(desk, card(9))
        result = await desk.call("view_output", uri=uri)

    (text,) = [one.text for one in result.content if one.type == "text"]
    assert "\n" not in text
    assert json.loads(text)["filename"].endswith(".png")
