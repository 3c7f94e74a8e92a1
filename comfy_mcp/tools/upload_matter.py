"""An upload as a person has to decide it: which bytes, under which name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy_mcp.errors import InputError
from comfy_mcp.guard.call import Call, Upload
from comfy_mcp.guard.matter import Frozen, Matter, asked_args
from comfy_mcp.store.protocol import ApprovalRow
from comfy_mcp.tools.app import Caller
from comfy_mcp.tools.gathering import Gathered

__all__ = ["UploadMatter"]


class UploadMatter(Matter):
    """One call of upload_input; a yes is for these bytes under this name, and for nothing else."""

    def __init__(self, caller: Caller, file: Gathered) -> None:
        upload = Upload(file.name, file.content.sha256)
        call = caller.call(target=file.target, owner=file.owner, upload=upload)
        super().__init__(call)
        self.asks_client = caller.asks_client
        self._caller = caller
        self._file = file
        self._what = {"name": upload.name, "sha256": upload.sha256}

    async def say(self, words: str) -> None:
        """Tell the client that its call waits."""
        await self._caller.say(0.0, words)

    async def bound(self) -> Mapping[str, Any]:
        """What is in the file: the arguments show the beginning of it only."""
        return self._what

    async def frozen(self) -> Frozen:
        """The file by its digest; its bytes come with the next call."""
        media = self._file.media
        payload: dict[str, Any] = {
            "kind": "plain",
            "target": self.call.target,
            "targets": [],
            "upload": dict(self._what),
        }
        facts = {
            "format": media.format,
            "bytes": self._file.content.size,
            "width": media.width,
            "height": media.height,
            "seconds": media.seconds,
        }
        told = {key: value for key, value in facts.items() if value is not None}
        return Frozen(payload, {"args": {**asked_args(self.call), "file": {**self._what, **told}}})

    async def remade(self, row: ApprovalRow) -> Call:
        """This call: it is the one that was asked about, if its file is."""
        if row.payload.get("upload") != self._what:
            raise InputError("A person approved another file: send that one, or ask anew.")
        return self.call
