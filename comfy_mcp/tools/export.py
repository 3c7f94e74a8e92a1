"""export_output: an output as a file on this machine."""

from __future__ import annotations

from typing import Annotated, Any

import anyio
from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.outputs import parse_uri
from comfy_mcp.outputs.convert import LEAST_BYTES, Format
from comfy_mcp.outputs.texts import lacking
from comfy_mcp.roots import Ledger, Roots
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.exporting import Done, Order, Raw, exported, must_be_possible
from comfy_mcp.tools.viewing import Found, find

__all__ = ["Exported", "export_output"]

MOST_BYTES = 256 * 1024 * 1024
"""Of a file that is exported: it is held in memory once."""

NOTES = "exports"
"""The folder within the state folder that remembers what was exported."""


class Exported(BaseModel):
    """The file as it is now."""

    model_config = ConfigDict(frozen=True)

    path: Annotated[str, Field(description="Relative to the opened folder")]
    root: Annotated[str, Field(description="That folder on this machine")]
    format: str
    bytes: int
    width: int | None = None
    height: int | None = None
    manifest: str | None = None
    existed: Annotated[bool | None, Field(description="The same bytes were there before")] = None
    notes: tuple[str, ...] | None = None


async def export_output(
    app: App,
    caller: Caller,
    *,
    uri: Annotated[str, Field(max_length=200, description="From a job's outputs")],
    to: Annotated[str, Field(description="File name, or folder ending with /")] = "",
    format: Annotated[  # noqa: A002 - the word that agents expect
        Format | None, Field(description="Of a picture; else by the name in `to`, or as it is")
    ] = None,
    max_bytes: Annotated[
        int | None, Field(ge=LEAST_BYTES, description="Lower quality, then size, until it fits")
    ] = None,
    max_pixels: Annotated[int | None, Field(ge=16, le=16384, description="Longest side")] = None,
    overwrite: Annotated[bool, Field(description="Only your own earlier export")] = False,
    keep_metadata: Annotated[bool, Field(description="The workflow within a picture")] = False,
    manifest: Annotated[str | None, Field(description="JSON list of assets to note it in")] = None,
    alt: Annotated[str | None, Field(max_length=300, description="For that list")] = None,
) -> Exported:
    """Write an output of your own job into a folder that the operator opened.

    A name that is taken gets a number.
    """
    prompt_id, number = parse_uri(uri)
    roots = Roots(app.settings.export_roots, variable="COMFY_MCP_EXPORT_ROOTS")
    place, beside = await anyio.to_thread.run_sync(must_be_possible, roots, to, manifest)
    jobs = await app.jobs()
    owner = await jobs.owner(prompt_id, caller.grant)
    async with caller.admitted(app, caller.call(target=prompt_id, owner=owner)):
        found = await find(app, caller, prompt_id, number)
        entry = {"alt": alt, "source": found.output.uri, "prompt_id": prompt_id}
        order = Order(
            to=place,
            form=format,
            max_bytes=max_bytes,
            max_pixels=max_pixels,
            overwrite=overwrite,
            keep_metadata=keep_metadata,
            manifest=beside,
            entry=entry,
            grant=caller.grant,
        )
        ledger = Ledger(app.settings.state / NOTES)
        # A few at a time: a file and its picture take memory, and threads that the wire needs.
        async with app.pictures:
            raw = await _raw(app, found)
            done = await anyio.to_thread.run_sync(exported, raw, order, ledger)
    return _told(done, order, lacking(found.file))


async def _raw(app: App, found: Found) -> Raw:
    file = found.file
    if file.text is not None:
        return Raw(file.text.encode(errors="replace"), f"text-of-node-{file.node_id}", is_text=True)
    jobs = await app.jobs()
    return Raw(await jobs.host.view(file, limit=MOST_BYTES), file.filename)


def _told(done: Done, order: Order, missing: str | None) -> Exported:
    written = done.written
    size: tuple[Any, Any] = done.size or (None, None)
    return Exported(
        path=written.place.path,
        root=str(written.place.root),
        format=done.format.lower(),
        bytes=written.bytes,
        width=size[0],
        height=size[1],
        manifest=order.manifest.path if order.manifest else None,
        existed=written.existed or None,
        notes=(*done.notes, missing) if missing else done.notes or None,
    )
