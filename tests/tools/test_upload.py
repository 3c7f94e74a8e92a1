"""upload_input: files for nodes to load, checked by content, over nobody's, from nowhere else."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.inputs import MOST_DATA, Source, subfolder_of
from tests.inputs.samples import SOUNDS, VIDEOS, zipped
from tests.tools.desk import Desk, Sit, card, sent
from tests.tools.files import FILES, b64, png, policy
from tests.tools.parked import parked
from tests.tools.person import yes

pytestmark = pytest.mark.anyio

OWN = subfolder_of("local")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that the operator opened, beside a secret."""
    (tmp_path / "secret.png").write_bytes(png("black"))
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "second.png").write_bytes(png("teal"))
    return tmp_path / "open"


def uploads(host: EmbeddedHost) -> list[str]:
    return [one for one in sent(host) if "upload" in one]


async def loaded(desk: Desk, name: str) -> bytes:
    """What a workflow makes of an uploaded picture that it only saves."""
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": name}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    job = await desk.ask("run_workflow", workflow=graph)
    assert job["status"] == "completed"
    jobs = await desk.services.jobs()
    (file,) = await jobs.files(job["prompt_id"])
    return await jobs.host.view(file, limit=10_000_000)


async def test_a_picture_in_base64_is_put_where_nodes_load_it(sit: Sit, host: EmbeddedHost) -> None:
    data = png("orange")

    async with sit(FILES) as desk:
        done = await desk.ask("upload_input", source=b64(data), name="My picture.png")
        shown = await loaded(desk, done["name"])

    sha256 = hashlib.sha256(data).hexdigest()
    assert done == {
        "name": f"{OWN}/My-picture-{sha256[:8]}.png",
        "load_with": "LoadImage.image",
        "mime_type": "image/png",
        "bytes": len(data),
        "sha256": sha256,
        "width": 64,
        "height": 48,
    }
    assert (host.folder / "input" / done["name"]).read_bytes() == data
    with Image.open(io.BytesIO(shown)) as image:
        assert image.convert("RGB").getpixel((5, 5)) == (255, 165, 0)


async def test_the_same_bytes_are_sent_once(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(FILES) as desk:
        first = await desk.ask("upload_input", source=b64(png()), name="a")
        again = await desk.ask("upload_input", source=f"data:;base64,{b64(png())}", name="a.png")

    assert again == {**first, "existed": True}
    assert len(uploads(host)) == 1


async def test_nobodys_file_is_ever_written_over(sit: Sit, host: EmbeddedHost) -> None:
    data = png("orange")
    name = f"{OWN}/a-{hashlib.sha256(data).hexdigest()[:8]}.png"
    other = host.folder / "input" / name
    other.parent.mkdir(parents=True)
    other.write_bytes(b"of a person")

    async with sit(FILES) as desk:
        done = await desk.ask("upload_input", source=b64(data), name="a")

    assert other.read_bytes() == b"of a person"
    assert done["name"] != name
    assert (host.folder / "input" / done["name"]).read_bytes() == data


async def test_two_agents_never_share_a_file(sit: Sit) -> None:
    async with sit(FILES, grant="ann") as ann, sit(FILES, grant="bob") as bob:
        one = await ann.ask("upload_input", source=b64(png()), name="a")
        two = await bob.ask("upload_input", source=b64(png()), name="a")

    assert one["name"].rpartition("/")[0] != two["name"].rpartition("/")[0]
    assert "existed" not in two


async def test_sounds_and_videos_are_taken_under_the_ending_that_fits(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(FILES) as desk:
        for ending, data in {**SOUNDS, **VIDEOS}.items():
            done = await desk.ask("upload_input", source=b64(data), name="clip.exe")
            assert done["name"].endswith(f".{ending}")
            assert done["load_with"].startswith("LoadAudio" if ending in SOUNDS else "LoadVideo")
            assert (host.folder / "input" / done["name"]).read_bytes() == data


async def test_a_file_of_an_opened_folder_is_taken_by_either_path(sit: Sit, folder: Path) -> None:
    async with sit(FILES, more={"input_roots": (folder,)}) as desk:
        one = await desk.ask("upload_input", source="second.png")
        two = await desk.ask("upload_input", source=str(folder / "second.png"))

    assert one["name"].startswith(f"{OWN}/second-")
    assert two == {**one, "existed": True}


LEADING_OUT = [
    "../secret.png",
    "/etc/passwd",
    "link.png",
    "linked/secret.png",
    "pipe.png",
    ".",
    "sub\\..\\..\\secret.png",
    "C:\\secret.png",
    "\\\\server\\share\\a.png",
    "CON",
    "second.png:stream",
    "second.png.",
    "%2e%2e/secret.png",
    "..%2fsecret.png",
    "second.png\0.txt",
    "second\n.png",
    "\u202egnp.second",
    "a" * 300 + ".png",
    "file:///etc/passwd",
    "~/.ssh/id_rsa",
    "missing.png",
    "notes.txt",
]


async def test_no_path_leads_out_of_the_opened_folder(
    sit: Sit, host: EmbeddedHost, folder: Path
) -> None:
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    (folder / "linked").symlink_to(folder.parent)
    (folder / "notes.txt").write_text("password: hunter2")
    os.mkfifo(folder / "pipe.png")

    async with sit(FILES, more={"input_roots": (folder,)}) as desk:
        for path in LEADING_OUT:
            text, body = await desk.refusal("upload_input", source=path)
            assert body["code"] in {"path", "input"}, path
            assert "hunter2" not in text

    assert uploads(host) == []


async def test_without_an_opened_folder_no_path_is_read(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(FILES) as desk:
        text, _ = await desk.refusal("upload_input", source="/etc/hostname")

    assert "COMFY_MCP_INPUT_ROOTS" in text
    assert uploads(host) == []


NO_PICTURES = [
    b"\x89PNG\r\n\x1a\n<html><script>alert(1)</script>",
    b"<html></html>" * 100,
    b"<svg onload='alert(1)'/>" * 50,
    b"#!/bin/sh\nid\n" * 100,
    b"MZ" + b"\0" * 2_000,
    png() + zipped(),
    png() + b"<script></script>",
    png()[:-20],
]


async def test_what_is_no_picture_is_not_sent(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(FILES) as desk:
        for data in NO_PICTURES:
            source = f"data:image/png;base64,{b64(data)}"
            text, body = await desk.refusal("upload_input", source=source, name="a.png")
            assert body["code"] == "input"
            assert len(text) < 500

    assert uploads(host) == []
    assert list((host.folder / "input").iterdir()) == []


async def test_a_name_that_is_none_is_refused(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(FILES) as desk:
        for name in ("../a", "a/b.png", "a\0b", "a\x1b[2J", "\u202ea", "C:a", ".."):
            text, body = await desk.refusal("upload_input", source=b64(png()), name=name)
            assert body["code"] == "input"
            assert text.isprintable()

    assert uploads(host) == []


async def test_what_is_too_long_for_one_message_is_refused_in_words(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(FILES) as desk:
        text, body = await desk.refusal("upload_input", source="A" * (MOST_DATA * 4 // 3 + 5_000))

    assert body["code"] == "invalid_args"
    assert "by their path" in text
    assert len(text) < 500
    assert uploads(host) == []


async def test_an_address_is_not_fetched(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(FILES) as desk:
        text, _ = await desk.refusal("upload_input", source=f"{host.url}/view?filename=a.png")

    assert "Nothing is fetched" in text
    assert not any("/view" in seen.path for seen in host.seen)


async def test_a_kind_that_is_not_what_the_file_is_is_refused(sit: Sit) -> None:
    async with sit(FILES) as desk:
        text, _ = await desk.refusal("upload_input", source=b64(png()), kind="audio")

    assert "PNG" in text


# -- former outputs ------------------------------------------------------------------------------


async def test_an_output_of_ones_own_becomes_an_input(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(FILES) as desk:
        job = await desk.ask("run_workflow", workflow=card(0x112233))
        done = await desk.ask("upload_input", source=job["outputs"][0]["uri"])

    made = host.folder / "output" / job["outputs"][0]["filename"]
    assert (host.folder / "input" / done["name"]).read_bytes() == made.read_bytes()


@pytest.mark.parametrize("where", ["source", "mask_for"])
async def test_an_output_of_another_agent_is_refused_before_it_is_read(
    sit: Sit, host: EmbeddedHost, where: str
) -> None:
    own = policy(gpu={"ownership": "own"})
    async with sit(own, grant="ann") as ann, sit(own, grant="bob") as bob:
        job = await ann.ask("run_workflow", workflow=card(1))
        given = {"source": b64(png()), where: job["outputs"][0]["uri"]}
        before = len(host.seen)
        text, body = await bob.refusal("upload_input", **given)

    assert body["code"] == "not_owner"
    assert text.startswith("[POLICY DENIED]")
    assert not any("/view" in seen.path for seen in host.seen[before:])
    assert uploads(host) == []


async def test_an_unknown_uri_is_told_so(sit: Sit, host: EmbeddedHost) -> None:
    uris = [
        "comfy://jobs/x/outputs/y",
        "comfy://jobs/../outputs/0",
        "comfy://etc/passwd",
        "COMFY://jobs/x/outputs/0",
        "comfy://jobs/00000000-0000-4000-8000-000000000000/outputs/0",
    ]

    async with sit(FILES) as desk:
        for uri in uris:
            _, body = await desk.refusal("upload_input", source=uri)
            assert body["code"] in {"output", "job_not_found", "not_owner"}

    assert uploads(host) == []


# -- masks ---------------------------------------------------------------------------------------


def mask(size: tuple[int, int] = (64, 48)) -> bytes:
    image = Image.new("L", size, 0)
    image.paste(255, (0, 0, 32, 48))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


async def test_a_mask_and_its_picture_become_one_that_loads_with_both(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(FILES) as desk:
        below = await desk.ask("upload_input", source=b64(png("orange")), name="a")
        done = await desk.ask("upload_input", source=b64(mask()), mask_for=below["name"])

    assert done["load_with"] == "LoadImage.image"
    with Image.open(host.folder / "input" / done["name"]) as image:
        assert image.getpixel((0, 0)) == (255, 165, 0, 0)
        assert image.getpixel((63, 0)) == (255, 165, 0, 255)


async def test_a_mask_alone_says_which_node_reads_it(sit: Sit) -> None:
    async with sit(FILES) as desk:
        done = await desk.ask("upload_input", source=b64(mask()), kind="mask")

    assert done["load_with"].startswith("LoadImageMask.image")


async def test_a_mask_is_for_ones_own_pictures_only(sit: Sit, host: EmbeddedHost) -> None:
    names = ("a.png", "../a.png", "guard-000000000000/a.png", f"{OWN}/../a.png", f"{OWN}/a%2f.png")

    async with sit(FILES) as desk:
        for name in names:
            _, body = await desk.refusal("upload_input", source=b64(mask()), mask_for=name)
            assert body["code"] == "input"

    assert uploads(host) == []


async def test_a_mask_of_another_size_is_refused(sit: Sit) -> None:
    async with sit(FILES) as desk:
        below = await desk.ask("upload_input", source=b64(png(size=(32, 32))), name="a")
        text, _ = await desk.refusal("upload_input", source=b64(mask()), mask_for=below["name"])

    assert "64x48" in text
    assert "32x32" in text


# -- the guard -----------------------------------------------------------------------------------


async def test_a_policy_that_denies_it_lets_nothing_through(sit: Sit, host: EmbeddedHost) -> None:
    tools = {**FILES["tools"], "upload_input": {"action": "deny"}}
    async with sit({**FILES, "tools": tools}) as desk:
        _, body = await desk.refusal("upload_input", source=b64(png()))

    assert body["code"] == "denied"
    assert uploads(host) == []


async def test_a_rule_can_keep_sources_to_former_outputs(sit: Sit, host: EmbeddedHost) -> None:
    rule = {"require": [{"path": "args.source", "op": "regex", "value": "^comfy://"}]}
    tools = {**FILES["tools"], "upload_input": rule}
    async with sit({**FILES, "tools": tools}) as desk:
        job = await desk.ask("run_workflow", workflow=card(2))
        done = await desk.ask("upload_input", source=job["outputs"][0]["uri"])
        _, body = await desk.refusal("upload_input", source=b64(png()))

    assert done["name"].startswith(OWN)
    assert body["code"] == "require_failed"
    assert len(uploads(host)) == 1


def long(last: int = 0) -> str:
    """A picture in long base64; another *last* colour shows at its end only."""
    image = Image.new("RGB", (200, 200), "teal")
    image.putpixel((199, 0), (last, 0, 0))
    buffer = io.BytesIO()
    image.save(buffer, "BMP")
    return f"data:image/bmp;base64,{b64(buffer.getvalue())}"


def asks() -> dict[str, Any]:
    tools = {**FILES["tools"], "upload_input": {"require_approval": True}}
    return {**FILES, "tools": tools, "approvals": {"wait_s": 0}}


async def test_a_person_is_shown_which_bytes_and_the_log_never_holds_them(
    sit: Sit, host: EmbeddedHost
) -> None:
    text = long()

    async with sit(asks()) as desk:
        row = await parked(desk, "upload_input", source=text, name="a")
        assert uploads(host) == []
        records = [one.record for one in await desk.services.store.tail(100)]

    shown = row.facts["args"]
    assert shown["source"].startswith("data:image/bmp;base64,")
    assert shown["file"]["sha256"] == hashlib.sha256(base64.b64decode(text[22:])).hexdigest()
    assert (shown["file"]["width"], shown["file"]["height"]) == (200, 200)
    assert len(json.dumps([row.facts, row.payload, records], default=str)) < 8_000


async def test_a_yes_is_for_these_bytes_only_and_once(sit: Sit, host: EmbeddedHost) -> None:
    text, swapped = long(), long(last=1)
    assert Source(text) == Source(swapped)  # the arguments read alike

    async with sit(asks()) as desk:
        row = await parked(desk, "upload_input", source=text, name="a")
        await yes(desk, row.approval_id)
        other = await parked(desk, "upload_input", source=swapped, name="a")
        assert other.approval_id != row.approval_id
        assert uploads(host) == []
        done = await desk.ask("upload_input", source=text, name="a")
        again = await parked(desk, "upload_input", source=text, name="a")

    assert done["name"].startswith(OWN)
    assert again.approval_id not in {row.approval_id, other.approval_id}
    assert len(uploads(host)) == 1


async def test_a_file_that_is_swapped_while_a_person_decides_is_asked_about_anew(
    sit: Sit, host: EmbeddedHost, folder: Path
) -> None:
    async with sit(asks(), more={"input_roots": (folder,)}) as desk:
        row = await parked(desk, "upload_input", source="second.png")
        await yes(desk, row.approval_id)
        (folder / "second.png").write_bytes(png("red"))
        other = await parked(desk, "upload_input", source="second.png")

    assert other.approval_id != row.approval_id
    assert uploads(host) == []


async def test_rules_and_the_log_see_a_long_source_short(sit: Sit) -> None:
    async with sit(FILES) as desk:
        await desk.ask("upload_input", source=long(), name="a")
        records = [one.record for one in await desk.services.store.tail(100)]

    assert all(len(json.dumps(one, default=str)) < 3_000 for one in records)
