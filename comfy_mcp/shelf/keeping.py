"""What an agent brings, made ready to be kept: checked as a whole, in API format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from comfy_mcp.errors import WorkflowError
from comfy_mcp.library import Draft, Source, drafted
from comfy_mcp.shelf.found import Found, classes_in, made

if TYPE_CHECKING:
    from comfy_mcp.host.client import ComfyHost

__all__ = ["to_save"]


async def to_save(
    name: str, workflow: dict[str, Any], about: dict[str, Any], host: ComfyHost
) -> tuple[Found, dict[str, Any]]:
    """*workflow* as it is saved as *name*, and the parts of its file; *about* is manifest keys.

    What is in the editor's format is converted now: what is kept does not change with ComfyUI.

    Raises:
        WorkflowError: it cannot be run, or *about* does not fit it.
        HostError: ComfyUI has to tell about its nodes, and does not answer.
    """
    draft = await anyio.to_thread.run_sync(_draft, about, workflow)
    schemas = None
    if draft.editor is not None:
        classes = await anyio.to_thread.run_sync(classes_in, draft)
        schemas = await host.schemas(classes)

    def work() -> tuple[Found, dict[str, Any]]:
        found = made(f"{Source.SAVED}/{name}", draft, schemas)
        return found, {**about, "graph": found.graph.to_json()}

    return await anyio.to_thread.run_sync(work)


def _draft(about: dict[str, Any], workflow: dict[str, Any]) -> Draft:
    _must_be_plain(about["title"], breaks=False)
    _must_be_plain(about["description"], breaks=True)
    wrapped = workflow.get("graph")
    if isinstance(wrapped, dict) and "class_type" not in wrapped:
        raise WorkflowError(
            'Give the nodes themselves as workflow, not wrapped in "graph"; what is beside them'
            " goes into title, description and parameters."
        )
    return drafted(about, workflow)


def _must_be_plain(text: str, *, breaks: bool) -> None:
    """People may read it where they decide: no characters that hide or move others."""
    whole = text.replace("\n", "") if breaks else text
    if not whole.isprintable():
        raise WorkflowError(
            "title and description are plain text: leave out control characters and invisible ones."
        )
