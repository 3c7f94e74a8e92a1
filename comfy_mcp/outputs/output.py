"""Files and texts a job put out: what they are, where they are, and small pictures of them."""

from __future__ import annotations

import io
import mimetypes
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import OutputError

if TYPE_CHECKING:
    from PIL import Image

    from comfy_mcp.host import OutputFile
    from comfy_mcp.host.client import ComfyHost

__all__ = ["MAX_BYTES", "Output", "describe", "parse_uri", "thumbnail", "uri"]

Kind = Literal["image", "video", "audio", "text", "3d", "file"]

MAX_BYTES = 64 * 1024 * 1024
"""The largest file that is fetched to be shown or handed out."""

MAX_DECODED = 40_000_000
"""The most pixels that are decoded: a small file can hold an enormous picture."""

THUMBNAIL_BYTES = 100_000

_READ = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "TIFF", "BMP")
"""What is decoded. Pillow knows more, some of it by running other programs."""

_URI = re.compile(r"comfy://jobs/([A-Za-z0-9_-]{1,64})/outputs/([0-9]{1,6})")

_BROKEN = (OSError, ValueError, SyntaxError, RuntimeError)
"""What Pillow's decoders raise over a picture that is not whole."""

_KINDS: dict[str, Kind] = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    "text": "text",
    "model": "3d",
}

_MEDIA: dict[str, str] = {
    ".webp": "image/webp",
    ".flac": "audio/flac",
    ".opus": "audio/opus",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".glb": "model/gltf-binary",
    ".latent": "application/octet-stream",
}


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


def uri(prompt_id: str, number: int) -> str:
    """The resource of the *number*-th output of a job."""
    return f"comfy://jobs/{prompt_id}/outputs/{number}"


def parse_uri(text: str) -> tuple[str, int]:
    """The job and number of an output's URI.

    Raises:
        OutputError: it is none.
    """
    match = _URI.fullmatch(text.strip())
    if match is None:
        raise OutputError(
            "That is not the uri of an output. Take one from the outputs of get_job, such as"
            " comfy://jobs/<prompt_id>/outputs/0."
        )
    return match[1], int(match[2])


def describe(where: str, file: OutputFile, host: ComfyHost) -> Output:
    """What the output with the URI *where* is."""
    if file.text is not None:
        short = file.text if len(file.text) <= 200 else file.text[:200] + "…"  # noqa: PLR2004 - one line of words
        return Output(
            uri=where, kind="text", mime_type="text/plain", node_id=file.node_id, text=short
        )
    mime = mime_type(file.filename)
    return Output(
        uri=where,
        kind=_kind(mime),
        mime_type=mime,
        node_id=file.node_id,
        filename=file.filename,
        subfolder=file.subfolder or None,
        type=file.type,
        url=host.view_url(file),
    )


def mime_type(filename: str) -> str:
    """By its ending: ComfyUI lists videos under ``images``, so the list it is in says nothing."""
    ending = "." + filename.rpartition(".")[2].lower()
    return _MEDIA.get(ending) or mimetypes.types_map.get(ending) or "application/octet-stream"


def _kind(mime: str) -> Kind:
    if mime == "application/json":
        return "text"
    return _KINDS.get(mime.partition("/")[0], "file")


def thumbnail(data: bytes, longest_side: int) -> tuple[bytes, tuple[int, int]]:
    """A JPEG of under 100 kB and the full picture's size; of an animation, its first frame.

    Decodes and encodes: call it on a thread.

    Raises:
        OutputError: it is no picture, or one too large to decode.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - start-up stays light

    try:
        Image.init()
        known = [name for name in _READ if name in Image.OPEN]
        with Image.open(io.BytesIO(data), formats=known) as opened:
            size = opened.size
            if size[0] * size[1] > MAX_DECODED:
                raise OutputError(
                    f"The picture is {size[0]}x{size[1]}, too large to be shown here; open its url."
                )
            opened.draft("RGB", (longest_side, longest_side))
            if opened.mode != "P":
                # Made small before anything else: each copy of the whole picture costs memory.
                opened.thumbnail((2 * longest_side, 2 * longest_side), reducing_gap=2.0)
            picture = _flat(opened)
    except (*_BROKEN, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise OutputError("The file cannot be read as a picture; open its url instead.") from error
    for side, quality in _ladder(longest_side):
        small = picture.copy()
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() < THUMBNAIL_BYTES:
            return buffer.getvalue(), size
    raise OutputError("No small picture of it could be made; open its url instead.")


def _flat(opened: Image.Image) -> Image.Image:
    """The picture as RGB, on white where it is transparent: JPEG has no alpha."""
    from PIL import Image  # noqa: PLC0415 - start-up stays light

    if "A" not in opened.getbands() and "transparency" not in opened.info:
        return opened.convert("RGB")
    layer = opened.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _ladder(side: int) -> Iterator[tuple[int, int]]:
    for size in (side, side * 3 // 4, side // 2, side // 4):
        for quality in (85, 70, 50, 35):
            yield max(size, 16), quality
