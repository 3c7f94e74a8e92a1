"""All workflows that can be run by name: those of the library, and those that ComfyUI keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from comfy_mcp.library import Library
from comfy_mcp.workflow import Graph, Manifest

if TYPE_CHECKING:
    from comfy_mcp.host.client import ComfyHost

__all__ = ["Found", "Shelf"]


@dataclass(frozen=True, slots=True)
class Found:
    """A workflow ready to be filled.

    *name* is what policies, journal and audit know it by: a plain name is the operator's or a
    shipped one; what an agent saved is ``saved/NAME``, what ComfyUI keeps ``host/NAME`` and
    ``template/NAME``, so that no agent can put a graph of its own behind a name that a policy
    trusts. *notes* are sentences for the agent, about a conversion for example.
    """

    name: str
    graph: Graph
    manifest: Manifest | None
    notes: tuple[str, ...] = ()


class Shelf:
    """The workflows of *library*, and those of a ComfyUI."""

    def __init__(self, library: Library) -> None:
        self._library = library

    async def load(self, name: str, host: ComfyHost) -> Found:
        """The workflow *name*.

        Raises:
            WorkflowError: there is none of that name, or it cannot be used.
            HostError: ComfyUI keeps it, or has to tell about its nodes, and does not answer.
        """
        del host
        known = await anyio.to_thread.run_sync(self._library.load, name)
        return Found(known.name, known.graph, known.manifest)
