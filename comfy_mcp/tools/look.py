"""get_job and view_output: what became of a job, and what came of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from comfy_mcp.jobs.job import Job
from comfy_mcp.outputs import mime_type, parse_uri
from comfy_mcp.outputs.seen import MOST_FRAMES, SOME_FRAMES, Wanted
from comfy_mcp.outputs.texts import lacking
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.hints import with_next
from comfy_mcp.tools.ids import PromptId
from comfy_mcp.tools.run import Wait
from comfy_mcp.tools.viewing import Picture, Shown, find, several, single

__all__ = ["Picture", "Shown", "get_job", "read_output", "view_output"]

MAX_RESOURCE = 8 * 1024 * 1024
"""Bytes of a file that is handed out as a resource: it is one message on one pipe."""

Uri = Annotated[str, Field(max_length=200)]


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
    *,
    uri: Annotated[
        Uri | Annotated[list[Uri], Field(min_length=1, max_length=MOST_FRAMES)],
        Field(description="From a job's outputs; several: on one numbered sheet"),
    ],
    max_pixels: Annotated[int, Field(ge=64, le=1536, description="Longest side")] = 512,
    frames: Annotated[
        int, Field(ge=1, le=MOST_FRAMES, description="Of an animation or video, on one sheet")
    ] = SOME_FRAMES,
    at: Annotated[float | None, Field(ge=0, description="Its frame at this second")] = None,
    cursor: Annotated[int, Field(ge=0, description="Of a long text: next_cursor")] = 0,
) -> Shown:
    """Look at outputs of your own jobs: small pictures, texts; facts of sounds and 3D models."""
    places = tuple(dict.fromkeys(map(parse_uri, [uri] if isinstance(uri, str) else uri)))
    target, owner = await _whose(app, caller, [prompt_id for prompt_id, _ in places])
    async with caller.admitted(app, caller.call(target=target, owner=owner)):
        found = tuple([await find(app, caller, *place) for place in places])
        inline = app.settings.image_responses == "inline"
        wanted = Wanted(max_pixels, frames, at, cursor, pictures=inline)
        if len(found) == 1:
            return await single(app, found[0], wanted)
        return await several(app, found, wanted)


async def read_output(
    app: App, caller: Caller, prompt_id: str, number: int
) -> tuple[bytes | str, str]:
    """The whole file of an output, or its text, and the MIME type; judged as view_output is.

    A text of which only the beginning was kept says so in a last line of its own.

    Raises:
        OutputError: it is not there, or too large to be handed out.
    """
    jobs = await app.jobs()
    owner = await jobs.owner(prompt_id, caller.grant)
    async with caller.admitted(app, caller.call(target=prompt_id, owner=owner)):
        file = (await find(app, caller, prompt_id, number)).file
        if file.text is not None:
            note = lacking(file)
            return (f"{file.text}\n[{note}]" if note else file.text), "text/plain"
        return await jobs.host.view(file, limit=MAX_RESOURCE), mime_type(file.filename)


async def _whose(app: App, caller: Caller, prompt_ids: list[str]) -> tuple[str, str | None]:
    """Of several jobs the first that is not the caller's own, and whose it is: so it is judged."""
    jobs = await app.jobs()
    for prompt_id in dict.fromkeys(prompt_ids):
        owner = await jobs.owner(prompt_id, caller.grant)
        if owner != "mine":
            return prompt_id, owner
    return prompt_ids[0], "mine"
