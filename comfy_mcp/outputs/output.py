"""One thing that a node put out, as tools tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.outputs.kinds import Kind, kind_of, mime_type

if TYPE_CHECKING:
    from comfy_mcp.host import OutputFile
    from comfy_mcp.host.client import ComfyHost

__all__ = ["MAX_BYTES", "Output", "describe", "short"]

MAX_BYTES = 128 * 1024 * 1024
"""The largest file that is fetched to be shown: more than an 8k picture of pure noise."""

ONE_LINE = 200
"""Characters of a text that are told where it is only named."""


class Output(BaseModel):
    """One thing a node put out."""

    model_config = ConfigDict(frozen=True)

    uri: Annotated[str, Field(description="For view_output, or as an MCP resource")]
    kind: Kind
    mime_type: str
    node_id: str
    filename: str | None = None
    subfolder: str | None = None
    type: Annotated[str | None, Field(description="output, temp (gone at restart) or input")] = None
    text: Annotated[str | None, Field(description="Beginning of a text")] = None
    url: Annotated[str | None, Field(description="Full file at ComfyUI")] = None


def describe(where: str, file: OutputFile, host: ComfyHost) -> Output:
    """What the output with the URI *where* is."""
    if file.text is not None:
        return Output(
            uri=where,
            kind="text",
            mime_type="text/plain",
            node_id=file.node_id,
            text=short(file.text),
        )
    return Output(
        uri=where,
        kind=kind_of(file.filename),
        mime_type=mime_type(file.filename),
        node_id=file.node_id,
        filename=file.filename,
        subfolder=file.subfolder or None,
        type=file.type,
        url=host.view_url(file),
    )


def short(text: str) -> str:
    """The beginning of *text*."""
    return text if len(text) <= ONE_LINE else text[:ONE_LINE] + "…"
