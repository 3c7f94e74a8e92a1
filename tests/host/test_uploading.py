"""A file is put into the input folder once, under its permit, whatever the weather."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, BinaryIO

import pytest
from aiohttp import web

from comfy_mcp.embedded import CLOUD_KEY, EmbeddedHost, Faults
from comfy_mcp.embedded.faults import BadAnswer
from comfy_mcp.errors import HostError, HostRejected, HostTimeout, NotComfyUI, PermitError
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.transport import Timeouts
from comfy_mcp.host.uploading import USUAL_MOST
from comfy_mcp.permit import UploadPermit

if TYPE_CHECKING:
    from conftest import Stranger

pytestmark = pytest.mark.anyio

Start = Callable[..., Awaitable[EmbeddedHost]]
Client = Callable[..., ComfyHost]

DATA = b"\x89PNG\r\n\x1a\n" + b"picture" * 100
NAME = "guard-0123456789ab/a-01234567.png"
UPLOAD = "/upload/image"


def leave(data: bytes = DATA, name: str = NAME) -> UploadPermit:
    return UploadPermit(decision_id="dec_1", name=name, sha256=hashlib.sha256(data).hexdigest())


async def send(host: ComfyHost, data: bytes = DATA, file: BinaryIO | None = None) -> str:
    stored = await host.upload(
        file or io.BytesIO(data), name=NAME, mime_type="image/png", permit=leave(data)
    )
    return stored.name


def uploads(host: EmbeddedHost) -> int:
    return sum(one.path.endswith(UPLOAD) for one in host.seen)


async def test_it_is_there_under_its_name_and_sent_once(embedded: Start, client: Client) -> None:
    comfyui = await embedded()
    host = client(comfyui.url)

    assert await send(host) == NAME
    assert await send(host) == NAME

    assert (comfyui.folder / "input" / NAME).read_bytes() == DATA
    assert uploads(comfyui) == 1


async def test_a_file_on_disk_is_streamed_and_stays_open(embedded: Start, client: Client) -> None:
    comfyui = await embedded()
    data = b"x" * 10_000_000

    with tempfile.TemporaryFile() as file:
        file.write(data)
        assert await send(client(comfyui.url), data, file) == NAME
        file.seek(0)
        assert len(file.read()) == len(data)

    assert (comfyui.folder / "input" / NAME).read_bytes() == data


@pytest.mark.parametrize(
    "permit",
    [
        leave(name="guard-0123456789ab/b.png"),
        leave(b"other bytes"),
        UploadPermit(decision_id="dec_1", name=NAME, sha256=""),
    ],
)
async def test_a_permit_for_something_else_sends_nothing(
    embedded: Start, client: Client, permit: UploadPermit
) -> None:
    comfyui = await embedded()

    with pytest.raises(PermitError):
        await client(comfyui.url).upload(
            io.BytesIO(DATA), name=NAME, mime_type="image/png", permit=permit
        )

    assert comfyui.seen == []


async def test_a_file_of_the_same_name_is_never_written_over(
    embedded: Start, client: Client
) -> None:
    comfyui = await embedded()
    other = comfyui.folder / "input" / NAME
    other.parent.mkdir(parents=True)
    other.write_bytes(b"of a person")

    name = await send(client(comfyui.url))

    assert name != NAME
    assert other.read_bytes() == b"of a person"
    assert (comfyui.folder / "input" / name).read_bytes() == DATA


@pytest.mark.parametrize("after", [False, True])
async def test_a_connection_that_breaks_is_no_second_file(
    embedded: Start, client: Client, *, after: bool
) -> None:
    comfyui = await embedded()
    comfyui.faults = Faults(http=(BadAnswer("reset", "POST", UPLOAD, after=after, times=2),))

    assert await send(client(comfyui.url)) == NAME

    assert uploads(comfyui) == 3
    assert [one.name for one in (comfyui.folder / "input").rglob("*.png")] == ["a-01234567.png"]


async def test_a_host_that_never_answers_is_given_up_and_may_be_asked_again(
    embedded: Start, client: Client
) -> None:
    comfyui = await embedded()
    comfyui.faults = Faults(http=(BadAnswer("mute", "POST", UPLOAD),))
    host = client(comfyui.url, timeouts=Timeouts(view=0.2))

    with pytest.raises(HostTimeout, match="may be repeated"):
        await send(host)

    comfyui.faults = Faults()
    assert await send(host) == NAME


@pytest.mark.parametrize("what", ["500", "502", "html", "wrong_types", "truncated", "401"])
async def test_an_odd_answer_is_an_error_in_words(
    embedded: Start, client: Client, what: str
) -> None:
    comfyui = await embedded()
    comfyui.faults = Faults(http=(BadAnswer(what, "POST", UPLOAD),))

    with pytest.raises(HostError):
        await send(client(comfyui.url))


@pytest.mark.parametrize(
    ("name", "subfolder", "kind"),
    [
        ("../a.png", "", "input"),
        ("a.png", "../..", "input"),
        ("a.png", "/etc", "input"),
        ("a.png", "", "output"),
        ("a\\b.png", "", "input"),
        ("a\n.png", "", "input"),
        ("", "", "input"),
        ("a" * 600, "", "input"),
    ],
)
async def test_a_name_that_leads_elsewhere_is_not_believed(
    stranger: Callable[..., Awaitable[Stranger]],
    client: Client,
    name: str,
    subfolder: str,
    kind: str,
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return web.Response(status=404)
        await request.read()
        return web.json_response({"name": name, "subfolder": subfolder, "type": kind})

    found = await stranger(answer)

    with pytest.raises(NotComfyUI):
        await send(client(found.url))


async def test_what_is_too_large_for_this_host_is_not_sent(
    stranger: Callable[..., Awaitable[Stranger]], client: Client
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/api/features":
            return web.json_response({"max_upload_size": 5_000_000})
        return web.Response(status=404)

    found = await stranger(answer)

    with pytest.raises(HostRejected, match="--max-upload-size"):
        await send(client(found.url), b"x" * 6_000_000)

    assert found.asked("POST", f"/api{UPLOAD}") == 0


async def test_a_413_is_told_in_words_about_files(embedded: Start, client: Client) -> None:
    comfyui = await embedded()
    comfyui.faults = Faults(http=(BadAnswer("413", "POST", UPLOAD),))

    with pytest.raises(HostRejected, match="too many for this ComfyUI"):
        await send(client(comfyui.url))


@pytest.mark.parametrize("profile", ["0.3.40", "0.3.64", "0.33"])
async def test_how_much_a_host_takes_is_known_or_the_usual(
    embedded: Start, client: Client, profile: str
) -> None:
    comfyui = await embedded(profile=profile)

    most = await client(comfyui.url).most_upload()

    assert USUAL_MOST - 10_000 < most < USUAL_MOST


async def test_comfy_cloud_names_a_file_by_its_content(embedded: Start, client: Client) -> None:
    comfyui = await embedded(profile="cloud")

    name = await send(client(comfyui.url, headers={"X-API-Key": CLOUD_KEY}))

    assert name == hashlib.sha256(DATA).hexdigest() + ".png"
