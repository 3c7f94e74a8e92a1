"""Small pictures of what a run would read, and of what jobs put out."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from comfy_mcp.console.app import Console, started
from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.host import Ended, OutputFile
from comfy_mcp.jobs.record import result_of
from comfy_mcp.settings import Address, Settings
from comfy_mcp.store.protocol import Admission, NewJob
from comfy_mcp.store.sqlite import SqliteStore
from tests.cli.states import decision
from tests.console.caller import Caller, Terminal, signed_in
from tests.console.conftest import Times
from tests.oversight.asked import NOW, inline_request, parked

pytestmark = pytest.mark.anyio

INPUT = "/api/approvals/apr_0000000000000001/inputs/0"
Ask = Callable[..., Awaitable[None]]

GRAPH = {"1": {"class_type": "LoadImage", "inputs": {"image": "x.png"}}}


def picture(colour: str = "red", size: tuple[int, int] = (1200, 600)) -> bytes:
    """A PNG."""
    made = io.BytesIO()
    Image.new("RGB", size, colour).save(made, "PNG")
    return made.getvalue()


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[EmbeddedHost]:
    """A ComfyUI."""
    async with EmbeddedHost(folder=tmp_path / "comfyui") as running:
        yield running


@pytest.fixture
def settings(host: EmbeddedHost, tmp_path: Path) -> Settings:
    """Over that ComfyUI."""
    return Settings(address=Address(host.url), policies=(), state=tmp_path / "state")


@pytest.fixture
def label(settings: Settings) -> str:
    """Which ComfyUI it is, in the journal."""
    assert settings.address is not None
    return settings.address.label


@pytest.fixture
def folder(host: EmbeddedHost) -> Path:
    """That of ComfyUI's files."""
    return host.folder


@pytest.fixture
def ask(store: SqliteStore, times: Times, label: str) -> Ask:
    """Parks a request that would read x.png, which had *content* when it was asked."""

    async def asked(content: bytes, at: str = label, **more: Any) -> None:
        digest = hashlib.sha256(content).hexdigest()
        one = {"name": "x.png", "type": "input", "sha256": digest, "bytes": 1, "picture": True}
        request = inline_request(GRAPH, inputs=[{**one, **more}])
        await parked(store, replace(request, host=at), times.ms)

    return asked


async def test_the_picture_that_a_run_would_read_is_shown_small(
    folder: Path, operator: Caller, ask: Ask
) -> None:
    (folder / "input" / "x.png").write_bytes(picture())
    await ask(picture())

    said = await operator.get(INPUT)

    assert (said.status, said.header("Content-Type")) == (200, "image/jpeg")
    with Image.open(io.BytesIO(said.body)) as shown:
        assert (shown.format, shown.size) == ("JPEG", (512, 256))


async def test_a_file_below_a_folder_or_among_outputs_is_found_by_its_whole_name(
    folder: Path, operator: Caller, ask: Ask
) -> None:
    (folder / "output" / "sub").mkdir()
    (folder / "output" / "sub" / "y.png").write_bytes(picture("blue"))
    await ask(picture("blue"), name="sub/y.png [output]", type="output")

    assert (await operator.get(INPUT)).status == 200


async def test_a_file_that_was_swapped_under_its_name_is_not_shown_as_what_was_asked(
    folder: Path, operator: Caller, ask: Ask
) -> None:
    file = folder / "input" / "x.png"
    file.write_bytes(picture("red"))
    await ask(picture("red"))
    before = await operator.get(INPUT)

    file.write_bytes(picture("blue"))
    said = await operator.get(INPUT)

    assert before.status == 200
    assert (said.status, said.values["error"]) == (409, "the file has changed since")


@pytest.mark.parametrize(
    "more",
    [
        {"picture": False},
        {"sha256": None},
        {"name": "gone.png"},
        {"name": "../../x.png"},
        {"name": 7},
    ],
)
async def test_what_is_no_picture_or_not_there_is_told_in_words(
    folder: Path, operator: Caller, ask: Ask, more: dict[str, Any]
) -> None:
    (folder / "input" / "x.png").write_bytes(picture())
    await ask(picture(), **more)

    said = await operator.get(INPUT)

    assert said.status == 404
    assert said.values["error"].startswith("There is no picture to show.")
    assert (await operator.get(INPUT.replace("/0", "/1"))).status == 404


async def test_what_only_calls_itself_a_picture_is_not_shown(
    folder: Path, operator: Caller, ask: Ask
) -> None:
    evil = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    (folder / "input" / "x.png").write_bytes(evil)
    await ask(evil)

    assert (await operator.get(INPUT)).status == 404


async def test_a_request_for_another_comfyui_is_not_looked_up_here(
    folder: Path, operator: Caller, ask: Ask
) -> None:
    (folder / "input" / "x.png").write_bytes(picture())
    await ask(picture(), at="http://elsewhere:8188")

    said = await operator.get(INPUT)

    assert (said.status, "another ComfyUI" in said.values["error"]) == (404, True)


async def test_a_comfyui_that_is_away_is_told_in_words(
    host: EmbeddedHost, operator: Caller, ask: Ask
) -> None:
    await ask(picture())

    async with host.away():
        said = await operator.get(INPUT)

    assert said.status == 502
    assert host.url in said.values["error"]


async def finished(store: SqliteStore, label: str, *files: OutputFile) -> None:
    """A job that has put out *files*."""
    job = NewJob("job-1", "alice", label, "txt2img", "digest")
    await store.admit(Admission("dec_1", NOW, decision(), grant="alice", job=job))
    result = result_of(Ended("completed", files, None, NOW, NOW + 9, 0))
    await store.move_job("job-1", "completed", NOW + 9, result=result)


async def test_what_a_job_put_out_is_shown_small_and_kept_a_little(
    host: EmbeddedHost, operator: Caller, store: SqliteStore, label: str
) -> None:
    (host.folder / "output" / "a.png").write_bytes(picture())
    await finished(store, label, OutputFile("9", "images", "a.png"))

    said = await operator.get("/api/jobs/job-1/outputs/0")
    seen = len(host.seen)
    again = await operator.get("/api/jobs/job-1/outputs/0")

    assert (said.status, said.header("Content-Type")) == (200, "image/jpeg")
    with Image.open(io.BytesIO(said.body)) as shown:
        assert shown.size == (512, 256)
    assert (again.body, len(host.seen)) == (said.body, seen)


async def test_what_a_job_put_out_at_another_comfyui_is_not_looked_up_here(
    host: EmbeddedHost, operator: Caller, store: SqliteStore
) -> None:
    (host.folder / "output" / "a.png").write_bytes(picture())
    await finished(store, "http://elsewhere:8188", OutputFile("9", "images", "a.png"))

    assert (await operator.get("/api/jobs/job-1/outputs/0")).status == 404


async def test_outputs_that_are_no_pictures_are_not_shown(
    host: EmbeddedHost, operator: Caller, store: SqliteStore, label: str
) -> None:
    (host.folder / "output" / "a.txt").write_text("words")
    (host.folder / "output" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    files = (
        OutputFile("9", "images", "a.txt"),
        OutputFile("9", "text", text="words"),
        OutputFile("9", "images", "broken.png"),
        OutputFile("9", "images", "gone.png"),
    )
    await finished(store, label, *files)

    said = [await operator.get(f"/api/jobs/job-1/outputs/{number}") for number in range(5)]

    assert [one.status for one in said] == [404] * 5
    assert (await operator.get("/api/jobs/job-2/outputs/0")).status == 404


async def test_a_console_without_a_comfyui_of_its_own_shows_no_pictures(
    ask: Ask, terminal: Terminal, times: Times, tmp_path: Path
) -> None:
    await ask(picture())
    settings = Settings(None, (), tmp_path / "state")

    async with started(
        settings, terminal, port=0, now_ms=times.now_ms, clock=times.clock
    ) as console:
        caller = await _listening(console, terminal)
        said = await caller.get(INPUT)

    assert (said.status, "inside the server" in said.values["error"]) == (404, True)


async def _listening(console: Console, terminal: Terminal) -> Caller:
    caller = await signed_in(console, terminal)
    async with caller.events() as stream:
        told = await stream.state()
    assert told["comfyui"]["reachable"] is False
    assert "inside the server" in told["comfyui"]["words"]
    return caller
