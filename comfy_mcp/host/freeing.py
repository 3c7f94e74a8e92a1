"""Asking ComfyUI to give memory back: ``POST /free``."""

from __future__ import annotations

from comfy_mcp.errors import HostRejected
from comfy_mcp.host.peer import Peer
from comfy_mcp.permit import FreePermit

__all__ = ["Freer"]


class Freer:
    """Frees the memory of one ComfyUI, under a permit."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def free(self, permit: FreePermit, *, unload_models: bool, free_memory: bool) -> None:
        """Ask once; ComfyUI does it when no job runs, and says nothing of it.

        *unload_models*: out of the GPU's memory. *free_memory*: and every cached result as well.

        Raises:
            PermitError: *permit* was used before.
            HostRejected: this ComfyUI has no such thing.
            HostError: nobody answers.
        """
        if await self._peer.is_cloud():
            raise HostRejected(
                "Comfy Cloud manages its memory itself: nothing can be freed there, and nothing"
                " was sent.",
                kind="no_free",
            )
        permit.spend()
        body = {"unload_models": unload_models, "free_memory": free_memory}
        await self._peer.wire.order("/free", body)
