"""export_output: outputs as files in opened folders, small enough, without the workflow in them."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.types import TextResourceContents
from PIL import Image

from comfy_mcp.embedded import EmbeddedHost
from tests.outputs.files import png_of_size
from tests.tools.desk import Desk, Sit, card, graph
from tests.tools.files import FILES, everything_in, noise, policy

pytestmark = pytest.mark.anyio


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A folder that the operator opened, beside a secret."""
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "web").mkdir()
    return tmp_path / "web"


@pytest.fixture
def opened(web: Path) -> dict[str, Any]:
    return {"export_roots": (web,)}


async def made(desk: Desk, color: int = 0x336699, prefix: str = "card") -> str:
    """The uri of a picture that was just made."""
    job = await desk.ask("run_workflow", workflow=card(color, prefix))
    uri: str = job["outputs"][0]["uri"]
    return uri


async def put_out(desk: Desk, host: EmbeddedHost, data: bytes) -> str:
    """The uri of an output whose file has these bytes."""
    uri = await made(desk, color=len(data))
    jobs = await desk.services.jobs()
    (file,) = await jobs.files(uri.split("/")[3])
    (host.folder / "output" / file.filename).write_bytes(data)
    return uri


async def test_a_picture_is_written_as_it_is_but_for_the_workflow_in_it(
    sit: Sit, host: EmbeddedHost, web: Path, opened: dict[str, Any]
) -> None:
    async with sit(FILES, more=opened) as desk:
        done = await desk.ask("export_output", uri=await made(desk))

    (name,) = everything_in(web)
    data = (web / name).read_bytes()
    assert done == {
        "path": name,
        "root": str(web),
        "format": "png",
        "bytes": len(data),
        "width": 64,
        "height": 64,
    }
    assert name == "card_00001.png"
    with Image.open(io.BytesIO(data)) as image:
        assert image.convert("RGB").getpixel((3, 3)) == (0x33, 0x66, 0x99)
    with Image.open(host.folder / "output" / "card_00001_.png") as original:
        assert "prompt" in original.info
    assert b"class_type" not in data


async def test_metadata_stays_if_it_is_asked_for(
    sit: Sit, host: EmbeddedHost, web: Path, opened: dict[str, Any]
) -> None:
    async with sit(FILES, more=opened) as desk:
        uri = await made(desk)
        await desk.ask("export_output", uri=uri, to="a.png", keep_metadata=True)
        await desk.ask("export_output", uri=uri, to="b.webp", keep_metadata=True)
        await desk.ask("export_output", uri=uri, to="c.webp")

    original = host.folder / "output" / "card_00001_.png"
    assert (web / "a.png").read_bytes() == original.read_bytes()
    assert b"class_type" in (web / "b.webp").read_bytes()
    assert b"class_type" not in (web / "c.webp").read_bytes()


@pytest.mark.parametrize("form", ["webp", "jpeg"])
async def test_a_large_picture_is_made_small_enough(
    sit: Sit, host: EmbeddedHost, web: Path, opened: dict[str, Any], form: str
) -> None:
    async with sit(FILES, more=opened) as desk:
        uri = await put_out(desk, host, noise((1500, 1000)))
        done = await desk.ask(
            "export_output", uri=uri, to="img/", format=form, max_bytes=100_000, max_pixels=1200
        )

    (path,) = (web / "img").iterdir()
    assert path.stat().st_size == done["bytes"] <= 100_000
    with Image.open(path) as image:
        assert image.format == form.upper()
        assert image.size == (done["width"], done["height"])
        assert max(image.size) <= 1200
        assert image.width * 2 == pytest.approx(image.height * 3, abs=3)


async def test_its_name_says_what_it_becomes(sit: Sit, web: Path, opened: dict[str, Any]) -> None:
    (web / "there").mkdir()
    cases = [
        ("", "card_00001.png", "png"),
        (".", "card_00001.png", "png"),
        ("img/", "img/card_00001.png", "png"),
        ("there", "there/card_00001.png", "png"),
        ("img/hero.webp", "img/hero.webp", "webp"),
        ("hero.JPEG", "hero.JPEG", "jpeg"),
        ("hero", "hero.png", "png"),
        ("hero.v2", "hero.v2.png", "png"),
    ]

    async with sit(FILES, more=opened) as desk:
        uri = await made(desk)
        for to, path, form in cases:
            done = await desk.ask("export_output", uri=uri, to=to)
            assert (done["path"], done["format"]) == (path, form)
            with Image.open(web / path) as image:
                assert image.format == form.upper()


async def test_a_format_that_is_not_written_is_refused_with_those_that_are(
    sit: Sit, web: Path, opened: dict[str, Any]
) -> None:
    async with sit(FILES, more=opened) as desk:
        text, _ = await desk.refusal("export_output", uri=await made(desk), to="x.gif")

    assert "Pictures can become .png, .jpg, .jpeg, .webp." in text
    assert everything_in(web) == []


async def test_a_name_that_lies_is_refused(sit: Sit, web: Path, opened: dict[str, Any]) -> None:
    async with sit(FILES, more=opened) as desk:
        uri = await made(desk)
        for to in ("a.svg", "a.html", "run.sh", "a.mp4", "index.js", "a.exe"):
            text, _ = await desk.refusal("export_output", uri=uri, to=to)
            assert ".png" in text

    assert everything_in(web) == []


LEADING_OUT = [
    "../a.png",
    "img/../../a.png",
    "/tmp/a.png",  # noqa: S108 - it must not be written
    "link/a.png",
    "C:\\a.png",
    "\\\\server\\share\\a.png",
    "a\\b.png",
    "CON",
    "nul.png",
    "a.png:stream",
    "a.png.",
    "%2e%2e/a.png",
    "..%2fa.png",
    "a\0.png",
    "a\n.png",
    "\u202egnp.a",
    "a" * 300,
    ".git/a.png",
    ".hidden.png",
    "~/a.png",
    "file:///tmp/a.png",
    "pipe.png/a.png",
]


async def test_no_path_leads_out_and_nothing_is_written(
    sit: Sit, tmp_path: Path, web: Path, opened: dict[str, Any]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (web / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(web / "pipe.png")
    before = everything_in(web)

    async with sit(FILES, more=opened) as desk:
        uri = await made(desk)
        for to in LEADING_OUT:
            text, body = await desk.refusal("export_output", uri=uri, to=to)
            assert body["code"] == "path", to
            assert text.isprintable()
            assert everything_in(web) == before, to

    assert everything_in(tmp_path / "elsewhere") == []


async def test_without_an_opened_folder_the_variable_is_named(sit: Sit) -> None:
    async with sit(FILES) as desk:
        text, body = await desk.refusal("export_output", uri=await made(desk))

    assert "COMFY_MCP_EXPORT_ROOTS" in text
    assert body["code"] == "path"


async def test_of_several_opened_folders_an_absolute_path_takes_another(
    sit: Sit, tmp_path: Path, web: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()

    async with sit(FILES, more={"export_roots": (web, other)}) as desk:
        uri = await made(desk)
        first = await desk.ask("export_output", uri=uri, to="a.png")
        second = await desk.ask("export_output", uri=uri, to=str(other / "a.png"))

    assert (first["path"], first["root"]) == ("a.png", str(web))
    assert (second["path"], second["root"]) == ("a.png", str(other))


# -- over nobody's file --------------------------------------------------------------------------


async def test_a_name_that_is_taken_gets_a_number(
    sit: Sit, web: Path, opened: dict[str, Any]
) -> None:
    (web / "hero.png").write_bytes(b"of a person")

    async with sit(FILES, more=opened) as desk:
        done = await desk.ask("export_output", uri=await made(desk), to="hero.png")

    assert done["path"] == "hero-1.png"
    assert (web / "hero.png").read_bytes() == b"of a person"


async def test_the_same_export_again_changes_nothing(
    sit: Sit, web: Path, opened: dict[str, Any]
) -> None:
    async with sit(FILES, more=opened) as desk:
        uri = await made(desk)
        await desk.ask("export_output", uri=uri, to="hero.webp")
        again = await desk.ask("export_output", uri=uri, to="hero.webp")

    assert again["existed"]
    assert everything_in(web) == ["hero.webp"]


async def test_ones_own_export_is_written_over_on_demand_and_nothing_else(
    sit: Sit, web: Path, opened: dict[str, Any]
) -> None:
    (web / "theirs.png").write_bytes(b"of a person")

    async with sit(FILES, more=opened) as desk, sit(FILES, grant="bob", more=opened) as bob:
        await desk.ask("export_output", uri=await made(desk, 1), to="hero.png")
        done = await desk.ask(
            "export_output", uri=await made(desk, 2), to="hero.png", overwrite=True
        )
        uri = await made(desk, 3)
        await desk.refusal("export_output", uri=uri, to="theirs.png", overwrite=True)
        others = await made(bob, 4)
        text, _ = await bob.refusal("export_output", uri=others, to="hero.png", overwrite=True)
        (web / "hero.png").write_bytes(b"edited by a person")
        await desk.refusal("export_output", uri=uri, to="hero.png", overwrite=True)

    assert done["path"] == "hero.png"
    assert "not written over" in text
    assert (web / "theirs.png").read_bytes() == b"of a person"
    assert (web / "hero.png").read_bytes() == b"edited by a person"
    assert everything_in(web) == ["hero.png", "theirs.png"]


# -- the list of a web project ---------------------------------------------------------------------


async def test_exports_are_noted_in_a_list_that_a_web_project_reads(
    sit: Sit, web: Path, opened: dict[str, Any]
) -> None:
    async with sit(FILES, more=opened) as desk:
        one, two = await made(desk, 1), await made(desk, 2)
        given = {"manifest": "data/assets.json", "alt": "Ein Gruß"}
        await desk.ask("export_output", uri=one, to="img/hero.png", **given)
        await desk.ask("export_output", uri=two, to="img/team.webp", manifest="data/assets.json")
        done = await desk.ask("export_output", uri=one, to="img/hero.webp", **given)

    listed = json.loads((web / "data" / "assets.json").read_text())
    assert done["manifest"] == "data/assets.json"
    assert list(listed["assets"]) == ["../img/hero", "../img/team"]
    hero = listed["assets"]["../img/hero"]
    assert hero == {
        "file": "../img/hero.webp",
        "width": 64,
        "height": 64,
        "bytes": done["bytes"],
        "alt": "Ein Gruß",
        "source": one,
        "prompt_id": one.split("/")[3],
    }


async def test_who_writes_over_a_listed_file_without_its_list_is_told_of_the_old_numbers(
    sit: Sit, web: Path, opened: dict[str, Any]
) -> None:
    async with sit(FILES, more=opened) as desk:
        one, two = await made(desk, 1), await made(desk, 2)
        given = {"to": "hero.png", "overwrite": True}
        first = await desk.ask("export_output", uri=one, **given, manifest="assets.json")
        stale = await desk.ask("export_output", uri=two, **given)
        again = await desk.ask("export_output", uri=one, **given)
        right = await desk.ask("export_output", uri=two, **given, manifest="assets.json")
        (web / "assets.json").unlink()
        without = await desk.ask("export_output", uri=one, **given)

    (said,) = stale["notes"]
    assert said.startswith("assets.json has the numbers of the earlier file")
    assert again["notes"] == stale["notes"]
    assert not any("notes" in done for done in (first, right, without))


async def test_a_list_that_is_named_later_counts_as_well(sit: Sit, opened: dict[str, Any]) -> None:
    async with sit(FILES, more=opened) as desk:
        one, two = await made(desk, 1), await made(desk, 2)
        await desk.ask("export_output", uri=one, to="a.png")
        listed = await desk.ask("export_output", uri=one, to="a.png", manifest="l.json")
        stale = await desk.ask("export_output", uri=two, to="a.png", overwrite=True)

    assert listed["existed"]
    assert "l.json has the numbers of the earlier file" in stale["notes"][0]


async def test_a_persons_file_with_the_same_bytes_stays_a_persons(
    sit: Sit, web: Path, opened: dict[str, Any]
) -> None:
    async with sit(FILES, more=opened) as desk:
        one, two = await made(desk, 1), await made(desk, 2)
        done = await desk.ask("export_output", uri=one, to="a.png")
        (web / "b.png").write_bytes((web / done["path"]).read_bytes())
        same = await desk.ask("export_output", uri=one, to="b.png", manifest="l.json")
        await desk.refusal("export_output", uri=two, to="b.png", overwrite=True)

    assert same["existed"]
    assert (web / "b.png").read_bytes() == (web / "a.png").read_bytes()


NO_LISTS = [
    '{"name": "my-app", "scripts": {}}',
    '{"generator": "comfy-mcp-guard", "version": 2, "assets": {}}',
    '{"generator": "comfy-mcp-guard", "version": 1, "assets": []}',
    '{"generator": "comfy-mcp-guard", "version": 1, "assets": {}, "mine": 1}',
    '{"generator": "comfy-mcp-guard", "version": 1, "assets": {"a": 1}}',
    "[]",
    "{",
    "",
    "[" * 100_000,
]


async def test_a_file_that_is_no_such_list_is_left_alone_and_nothing_is_written(
    sit: Sit, web: Path, opened: dict[str, Any]
) -> None:
    async with sit(FILES, more=opened) as desk:
        uri = await made(desk)
        for content in NO_LISTS:
            (web / "package.json").write_text(content)
            await desk.refusal("export_output", uri=uri, to="img/a.png", manifest="package.json")
            assert everything_in(web) == ["package.json"]
            assert (web / "package.json").read_text() == content


async def test_the_list_stays_in_the_folder_as_well(
    sit: Sit, tmp_path: Path, web: Path, opened: dict[str, Any]
) -> None:
    (tmp_path / "outside.json").write_text("{}")
    (web / "link.json").symlink_to(tmp_path / "outside.json")

    async with sit(FILES, more=opened) as desk:
        uri = await made(desk)
        for name in ("../a.json", "link.json", "a.js", ".a.json", "img/", "a\0.json"):
            _, body = await desk.refusal("export_output", uri=uri, to="a.png", manifest=name)
            assert body["code"] == "path"
            assert everything_in(web) == ["link.json"]

    assert (tmp_path / "outside.json").read_text() == "{}"


async def test_many_exports_at_once_are_all_noted(
    sit: Sit, web: Path, opened: dict[str, Any]
) -> None:
    async with sit(FILES, more=opened) as desk:
        uris = [await made(desk, color) for color in range(1, 9)]
        async with anyio.create_task_group() as group:
            for number, uri in enumerate(uris):

                async def one(number: int = number, uri: str = uri) -> None:
                    to = f"{number}.png"
                    await desk.ask("export_output", uri=uri, to=to, manifest="assets.json")

                group.start_soon(one)

    listed = json.loads((web / "assets.json").read_text())
    assert sorted(listed["assets"]) == [str(number) for number in range(8)]


# -- what is not a good picture --------------------------------------------------------------------


NO_PICTURES = [
    b"\x89PNG\r\n\x1a\n<html><script>alert(1)</script></html>",
    b"<html><script>alert(1)</script></html>",
    b"<svg onload='alert(1)'/>",
    b"",
    b"MZ\x90\0",
]


async def test_a_picture_that_is_none_is_not_written(
    sit: Sit, host: EmbeddedHost, web: Path, opened: dict[str, Any]
) -> None:
    async with sit(FILES, more=opened) as desk:
        for data in NO_PICTURES:
            uri = await put_out(desk, host, data)
            for given in ({}, {"format": "webp"}):
                _, body = await desk.refusal("export_output", uri=uri, to="img/a", **given)
                assert body["code"] == "output"
                assert everything_in(web) == []


async def test_what_cannot_be_looked_into_is_written_as_it_is_under_its_own_ending(
    sit: Sit, web: Path, opened: dict[str, Any]
) -> None:
    latent = {
        "1": {
            "class_type": "EmptyLatentImage",
            "inputs": {"width": 64, "height": 64, "batch_size": 1},
        },
        "2": {"class_type": "SaveLatent", "inputs": {"samples": ["1", 0], "filename_prefix": "l"}},
    }

    async with sit(FILES, more=opened) as desk:
        job = await desk.ask("run_workflow", workflow=latent)
        if not job["outputs"]:
            pytest.skip("this host saves no latents")
        done = await desk.ask("export_output", uri=job["outputs"][0]["uri"])
        await desk.refusal("export_output", uri=job["outputs"][0]["uri"], format="png")

    assert done["path"].endswith(".latent")
    assert done["path"].count("latent") == 1
    assert everything_in(web) == [done["path"]]


async def test_a_text_becomes_a_text_file_whatever_it_says(
    sit: Sit, web: Path, opened: dict[str, Any]
) -> None:
    async with sit(FILES, more=opened) as desk:
        job = await desk.ask("run_workflow", workflow=graph("medium"))
        (uri,) = [one["uri"] for one in job["outputs"] if one["kind"] == "text"]
        done = await desk.ask("export_output", uri=uri, to="words")
        await desk.refusal("export_output", uri=uri, to="words.html")
        await desk.refusal("export_output", uri=uri, to="words", format="png")

    assert done["path"] == "words.txt"
    assert (web / "words.txt").read_text() == "hello"


async def test_what_is_no_picture_is_not_made_smaller(
    sit: Sit, web: Path, opened: dict[str, Any]
) -> None:
    long = graph("medium")
    long["7"] = {"class_type": "PrimitiveString", "inputs": {"value": "x" * 5_000}}
    long["8"] = {"class_type": "PreviewAny", "inputs": {"source": ["7", 0]}}

    async with sit(FILES, more=opened) as desk:
        job = await desk.ask("run_workflow", workflow=long)
        uri = next(one["uri"] for one in job["outputs"] if one["node_id"] == "8")
        text, _ = await desk.refusal("export_output", uri=uri, max_bytes=1_000)

    assert "5000 bytes" in text
    assert everything_in(web) == []


async def test_of_a_text_that_was_cut_every_way_to_it_says_so(
    sit: Sit, web: Path, opened: dict[str, Any]
) -> None:
    long = {
        "1": {"class_type": "PrimitiveString", "inputs": {"value": "x" * 50_003}},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    }
    note = "Only the first 20000 of 50003 characters were kept"

    async with sit(FILES, more=opened) as desk:
        job = await desk.ask("run_workflow", workflow=long)
        (uri,) = [one["uri"] for one in job["outputs"] if one["kind"] == "text"]
        shown = await desk.call("view_output", uri=uri)
        (resource,) = (await desk.client.read_resource(uri)).contents
        done = await desk.ask("export_output", uri=uri, to="long.txt")

    assert isinstance(resource, TextResourceContents)
    words = json.loads(shown.content[0].text)
    assert words["characters"] == 50_003
    assert words["note"].startswith(note)
    assert resource.text.splitlines()[0] == "x" * 20_000
    assert note in resource.text.splitlines()[-1]
    assert done["notes"][0].startswith(note)
    assert (web / "long.txt").read_text() == "x" * 20_000


async def test_a_picture_too_large_to_convert_is_refused_by_its_header(
    sit: Sit, host: EmbeddedHost, web: Path, opened: dict[str, Any]
) -> None:
    # Only its header is whole: who decoded it would say so.
    huge = png_of_size(7_000, 7_000)
    async with sit(FILES, more=opened) as desk:
        uri = await put_out(desk, host, huge)
        refused = [
            (await desk.refusal("export_output", uri=uri, **how))[0]
            for how in ({"format": "jpeg"}, {"to": "a.webp"}, {"max_pixels": 500})
        ]

    for text in refused:
        assert "7000x7000, too large to be converted here: export it as it is" in text
    assert everything_in(web) == []


async def test_a_picture_too_large_to_convert_is_exported_as_it_is(
    sit: Sit, host: EmbeddedHost, web: Path, opened: dict[str, Any]
) -> None:
    buffer = io.BytesIO()
    Image.new("1", (7_000, 7_000)).save(buffer, "PNG")
    async with sit(FILES, more=opened) as desk:
        uri = await put_out(desk, host, buffer.getvalue())
        done = await desk.ask("export_output", uri=uri, to="a.png", max_pixels=8_000)

    assert (done["width"], done["height"]) == (7_000, 7_000)
    assert everything_in(web) == ["a.png"]


async def test_what_cannot_be_noted_is_not_written(
    sit: Sit, tmp_path: Path, web: Path, opened: dict[str, Any]
) -> None:
    async with sit(FILES, more=opened) as desk:
        uri = await made(desk)
        (tmp_path / "state" / "exports").write_text("in the way")
        _, body = await desk.refusal("export_output", uri=uri, to="img/a.png", manifest="a.json")

    assert body["code"] == "state"
    assert everything_in(web) == []


# -- the guard -----------------------------------------------------------------------------------


async def test_of_anothers_job_nothing_is_exported(
    sit: Sit, web: Path, opened: dict[str, Any]
) -> None:
    own = policy(gpu={"ownership": "own"})
    async with sit(own, grant="ann") as ann, sit(own, grant="bob", more=opened) as bob:
        text, body = await bob.refusal("export_output", uri=await made(ann))

    assert body["code"] == "not_owner"
    assert text.startswith("[POLICY DENIED]")
    assert everything_in(web) == []


async def test_an_unknown_uri_is_told_so(sit: Sit, web: Path, opened: dict[str, Any]) -> None:
    unknown = "comfy://jobs/00000000-0000-4000-8000-000000000000/outputs/0"

    async with sit(FILES, more=opened) as desk:
        for uri in (unknown, "comfy://jobs/x/outputs/y", "file:///etc/passwd", ""):
            _, body = await desk.refusal("export_output", uri=uri)
            assert body["code"] in {"output", "job_not_found", "not_owner"}

    assert everything_in(web) == []


async def test_nothing_is_written_before_a_person_has_said_yes(
    sit: Sit, web: Path, opened: dict[str, Any]
) -> None:
    tools = {**FILES["tools"], "export_output": {"require_approval": True}}
    asks = {**FILES, "tools": tools, "approvals": {"wait_s": 0}}

    async with sit(asks, more=opened) as desk:
        uri = await made(desk)
        _, body = await desk.refusal("export_output", uri=uri, to="img/a.png", manifest="a.json")

    assert body["code"] == "approval_required"
    assert everything_in(web) == []
