"""Putting a file into ComfyUI's input folder: under a permit, once, over nobody's file.

The name holds the digest of what is in the file and ComfyUI never writes over another file here, so
the same request does no more when it is sent twice: after a broken connection it is sent again.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO

import aiohttp
import anyio
from pydantic import BaseModel, ConfigDict, ValidationError

from comfy_mcp.errors import HostError, HostRejected, HostTimeout, HostUnreachable, NotComfyUI
from comfy_mcp.host.cleaning import word
from comfy_mcp.host.failures import reading
from comfy_mcp.host.fingerprints import Fingerprints
from comfy_mcp.host.peer import Peer
from comfy_mcp.host.transport import Reply, readable
from comfy_mcp.permit import UploadPermit

__all__ = ["USUAL_MOST", "Stored", "Uploader"]

USUAL_MOST = 100 * 1024 * 1024
"""Bytes that a ComfyUI takes that does not say how many."""

ASKED_FROM = 4 * 1024 * 1024
"""Bytes from which on it is asked how many it takes: it breaks off the connection over more."""

SLOWEST = 250_000
"""Bytes a second that a connection must carry."""

FORM_BYTES = 2_048
"""Of a form beside its file."""

TRIES = 3


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    subfolder: str = ""
    type: str = "input"


class _Features(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    max_upload_size: int = USUAL_MOST


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in the input folder: *name* is what nodes load; *existed*: it was there before."""

    name: str
    existed: bool


class Uploader:
    """POST /upload/image of one ComfyUI, which takes every kind of file."""

    def __init__(self, peer: Peer, fingerprints: Fingerprints) -> None:
        self._peer = peer
        self._fingerprints = fingerprints

    async def most(self) -> int:
        """The bytes of the largest file that this ComfyUI takes.

        Raises:
            HostError: nobody answers.
        """
        reply = await self._peer.wire.get("/features")
        if reply.status != HTTPStatus.OK:
            return USUAL_MOST - FORM_BYTES
        try:
            told = readable(_Features, reply.body).max_upload_size
        except ValidationError:
            told = USUAL_MOST
        return max(0, told - FORM_BYTES)

    async def upload(
        self, file: BinaryIO, *, name: str, mime_type: str, permit: UploadPermit
    ) -> Stored:
        """Put all of *file* into the input folder as *name*, a subfolder and a plain name.

        Raises:
            PermitError: *permit* is for another file; nothing was sent.
            HostRejected: ComfyUI does not take it, or it is too large.
            HostError: nobody answers, or it is not known whether it is there; try again.
        """
        size, sha256 = await anyio.to_thread.run_sync(_measured, file)
        permit.check(name=name, sha256=sha256)
        if await self._has(name, sha256):
            return Stored(name, existed=True)
        if size > ASKED_FROM and size > (most := await self.most()):
            raise _too_large(size, most)
        for turn in range(1, TRIES):
            try:
                return await self._send(file, size, name, mime_type)
            except HostUnreachable:
                await asyncio.sleep(self._peer.pause * turn)
        return await self._send(file, size, name, mime_type)

    async def _has(self, name: str, sha256: str) -> bool:
        """Whether this very file is there: all of it is read, a name proves nothing."""
        found = await self._fingerprints.of(frozenset({name}))
        return found[name].sha256 == sha256

    async def _send(self, file: BinaryIO, size: int, name: str, mime_type: str) -> Stored:
        subfolder, _, plain = name.rpartition("/")
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("type", "input")
        form.add_field("subfolder", subfolder)
        form.add_field("image", _again(file), filename=plain, content_type=mime_type)
        seconds = self._peer.timeouts.view + size / SLOWEST
        try:
            with reading(self._peer.base):
                reply = await self._peer.wire.send("POST", "/upload/image", form, seconds=seconds)
        except HostTimeout as error:
            raise HostTimeout(
                f"The upload of {size} bytes to ComfyUI took longer than {seconds:.0f} s and was"
                " given up. The same call may be repeated: what is there is not sent again."
            ) from error
        return self._stored(reply, size)

    def _stored(self, reply: Reply, size: int) -> Stored:
        if reply.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise _too_large(size, None)
        if reply.status == HTTPStatus.BAD_REQUEST and not reply.body:
            raise HostRejected("ComfyUI did not take the file (HTTP 400) and said not why.")
        kept = self._peer.wire.parse("/upload/image", reply, _Kept)
        whole = f"{kept.subfolder}/{kept.name}" if kept.subfolder else kept.name
        if kept.type != "input" or not _is_plain(whole):
            raise NotComfyUI(
                f"ComfyUI answered the upload with a name that it cannot have: {word(whole)}."
            )
        return Stored(whole, existed=False)


def _measured(file: BinaryIO) -> tuple[int, str]:
    """How many bytes there are, and their digest, by what is really there."""
    summed, size = hashlib.sha256(), 0
    file.seek(0)
    while part := file.read(1 << 20):
        summed.update(part)
        size += len(part)
    return size, summed.hexdigest()


def _again(file: BinaryIO) -> BinaryIO:
    """All of *file* once more, as something that may be closed."""
    file.seek(0)
    if isinstance(file, io.BytesIO):
        return io.BytesIO(file.getvalue())
    return os.fdopen(os.dup(file.fileno()), "rb")


def _is_plain(name: str) -> bool:
    """Whether *name* is one that stays in the input folder and is nothing else than a name."""
    parts = name.split("/")
    return (
        0 < len(name) <= 500  # noqa: PLR2004 - a path on a host
        and all(part not in {"", ".", ".."} for part in parts)
        and all(one.isprintable() and one not in '\\:"' for one in name)
    )


def _too_large(size: int, most: int | None) -> HostError:
    bound = "" if most is None else f", which takes {most}"
    return HostRejected(
        f"The file has {size} bytes, too many for this ComfyUI{bound}. Make it smaller, or its"
        " owner starts ComfyUI with a higher --max-upload-size.",
        kind="too_large",
        status=413,
    )
