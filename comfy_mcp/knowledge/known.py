"""The index of the node classes that were told last."""

from __future__ import annotations

import anyio

from comfy_mcp.knowledge.index import Index, build
from comfy_mcp.workflow.schema import Schemas

__all__ = ["Knowledge"]


class Knowledge:
    """Builds an index when it gets other classes than before; however many ask, once."""

    def __init__(self) -> None:
        self._of: Schemas | None = None
        self._index = Index((), {})
        self._building = anyio.Lock()

    async def index(self, schemas: Schemas) -> Index:
        """The index of *schemas*, which must not be changed."""
        async with self._building:
            if self._of is not schemas:
                self._index = await anyio.to_thread.run_sync(build, schemas)
                self._of = schemas
            return self._index
