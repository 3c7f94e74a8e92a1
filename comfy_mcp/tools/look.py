"""get_job and view_output: what became of a job, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import anyio
from pydantic import Field

from comfy_mcp.errors import OutputError
from comfy_mcp.jobs.job import Job
from comfy_mcp.outputs import MAX_BYTES, Output, describe, mime_type, parse_uri, thumbnail
from comfy_mcp.outputs import uri as uri_of
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.hints import with_next
from comfy_mcp.tools.ids import PromptId
from comfy_mcp.tools.run import Wait

if TYPE_CHECKING:
    from comfy_mcp.host import OutputFile

__all__ = ["Picture", "Shown", "get_job", "read_output", "view_output"]

MAX_TEXT = 20_000
"""Characters of a text output that are shown."""

MAX_RESOURCE = 8 * 1024 * 1024
"""Bytes of a file that is handed out as a resource: it is one message on one pipe."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A small JPEG."""

    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Shown:
    """What a client shows: maybe a picture, a link to the whole file, and a few words of JSON."""

    output: Output
    words: str
    picture: Picture | None = None


async def get_job(
    app: App,
    caller: Caller,
    prompt_id: PromptId,
    wait_seconds: Annotated[Wait, Field(description="Wait so long for its end")] = 0,
) -> Job:
    """Status, progress, outputs or error of a job; of others' jobs the status only."""
    async with caller.admitted(app, caller.call(target=prompt_id)):
        jobs = await app.jobs()
        job = await jobs.wait(prompt_id, caller.grant, wait_seconds, caller.tell)
    return with_next(job, app, caller)


async def view_output(
    app: App,
    caller: Caller,
    uri: Annotated[str, Field(max_length=200, description="From a job's outputs")],
    max_pixels: Annotated[
        int, Field(ge=64, le=1024, description="Longest side of the picture")
    ] = 512,
) -> Shown:
    """Look at an output of your own job: a small picture (of a video its first frame) or a text."""
    prompt_id, number = parse_uri(uri)
    jobs = await app.jobs()
    owner = await jobs.owner(prompt_id, caller.grant)
    async with caller.admitted(app, caller.call(target=prompt_id, owner=owner)):
        file, output = await _find(app, caller, prompt_id, number)
        if file.text is not None:
            return Shown(output, _words(output, text=file.text[:MAX_TEXT]))
        if output.kind not in {"image", "text"}:
            note = "No picture of this kind of file can be made here; open its url."
            return Shown(output, _words(output, note=note))
        # A few at a time: a file and its picture take memory, and threads that the wire needs.
        async with app.pictures:
            data = await jobs.host.view(file, limit=MAX_BYTES)
            if output.kind == "text":
                text = data[: MAX_TEXT * 4].decode(errors="replace")[:MAX_TEXT]
                return Shown(output, _words(output, text=text))
            jpeg, size = await anyio.to_thread.run_sync(thumbnail, data, max_pixels)
        return Shown(output, _words(output, size=f"{size[0]}x{size[1]}"), Picture(jpeg))


async def read_output(
    app: App, caller: Caller, prompt_id: str, number: int
) -> tuple[bytes | str, str]:
    """The whole file of an output, or its text, and the MIME type; judged as view_output is.

    Raises:
        OutputError: it is not there, or too large to be handed out.
    """
    jobs = await app.jobs()
    owner = await jobs.owner(prompt_id, caller.grant)
    async with caller.admitted(app, caller.call(target=prompt_id, owner=owner)):
        file, _ = await _find(app, caller, prompt_id, number)
        if file.text is not None:
            return file.text, "text/plain"
        return await jobs.host.view(file, limit=MAX_RESOURCE), mime_type(file.filename)


async def _find(app: App, caller: Caller, prompt_id: str, number: int) -> tuple[OutputFile, Output]:
    jobs = await app.jobs()
    job = await jobs.get(prompt_id, caller.grant)
    files = await jobs.files(prompt_id)
    if number < len(files):
        file = files[number]
        return file, describe(uri_of(prompt_id, number), file, jobs.host)
    if job.status in {"pending", "in_progress"}:
        raise OutputError("The job has not finished, so it has no outputs yet: ask get_job.")
    have = f"0 to {len(files) - 1}" if files else "none"
    raise OutputError(f"The job has no output {number} (it has: {have}); see get_job.")


def _words(output: Output, **more: str) -> str:
    """The output and *more* as one line of JSON; what a model reads beside the picture."""
    known = output.model_dump(exclude_none=True, include={"uri", "filename", "mime_type", "url"})
    return json.dumps({**known, **more}, ensure_ascii=False)
