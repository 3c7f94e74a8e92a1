"""upload_input: a file for nodes to load."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from comfy_mcp.inputs import Source
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.gathering import Wish, gathered
from comfy_mcp.tools.upload_matter import UploadMatter

__all__ = ["Uploaded", "upload_input"]

LOADERS = {
    "image": "LoadImage.image",
    "mask": "LoadImageMask.image, channel red",
    "audio": "LoadAudio.audio",
    "video": "LoadVideo.file",
}
"""Which input of which node takes the name."""


class Uploaded(BaseModel):
    """The file as nodes load it."""

    model_config = ConfigDict(frozen=True)

    name: Annotated[str, Field(description="Give this to the node")]
    load_with: str
    mime_type: str
    bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    existed: Annotated[bool | None, Field(description="It was there before")] = None


async def upload_input(
    app: App,
    caller: Caller,
    *,
    source: Annotated[
        str,
        AfterValidator(Source),
        Field(description="Base64, a path in an opened folder, or the uri of your own output"),
    ],
    name: Annotated[str | None, Field(max_length=200, description="What to call it")] = None,
    kind: Annotated[
        Literal["image", "mask", "audio", "video"] | None, Field(description="Refuse others")
    ] = None,
    mask_for: Annotated[
        str | None,
        Field(
            max_length=500,
            description="Uploaded name or uri of a picture: becomes it with this mask (white: to"
            " change), for LoadImage",
        ),
    ] = None,
) -> Uploaded:
    """Give ComfyUI a picture, mask, sound or video to load; under one name it is sent once."""
    jobs = await app.jobs()
    wish = Wish(source, name, kind, mask_for)
    async with gathered(app, caller, wish) as file:
        matter = UploadMatter(caller, file)
        async with app.gate.admit(matter.call, matter) as granted:
            if granted.upload is None:
                raise AssertionError("an upload was admitted without a permit")
            stored = await jobs.host.upload(
                file.content.file,
                name=file.name,
                mime_type=file.media.mime_type,
                permit=granted.upload,
            )
    media = file.media
    return Uploaded(
        name=stored.name,
        load_with=LOADERS["mask" if kind == "mask" and mask_for is None else media.kind],
        mime_type=media.mime_type,
        bytes=file.content.size,
        sha256=file.content.sha256,
        width=media.width,
        height=media.height,
        seconds=media.seconds,
        existed=stored.existed or None,
    )
