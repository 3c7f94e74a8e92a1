"""Classes that read pictures, clips and latents from files."""

from __future__ import annotations

from dataclasses import replace

from comfy_mcp.workflow.nodes.amounts import Amount, most
from comfy_mcp.workflow.nodes.flow import Flow, Opaque, Picture, largest, nowhere, sized
from comfy_mcp.workflow.nodes.literals import MAX_NAME
from comfy_mcp.workflow.nodes.view import Rule, View

__all__ = ["PICTURE_FILES", "RULES", "looked_at", "picture_names"]

PICTURE_FILES = {
    "LoadImage": "image",
    "LoadImageMask": "image",
    "LoadImageOutput": "image",
    "WebcamCapture": "image",
}
"""The input that names a picture, by class."""

_NOT_LOOKED_AT = (
    "names a file whose size is not known (of PNG, JPEG, WebP, GIF and BMP pictures it would be)"
)


def picture_names(class_type: str, text: str) -> tuple[str, ...]:
    """*text* of a picture input as `Known.pictures` may have it; none if it names no file.

    LoadImageOutput is named for outputs, but ComfyUI 0.33 looks for a plain name among the inputs:
    the picture may be either.
    """
    if not text or len(text) > MAX_NAME:
        return ()
    if class_type == "LoadImageOutput" and not text.endswith("]"):
        return text, f"{text} [output]"
    return (text,)


def looked_at(view: View, name: str, text: str | Opaque) -> Picture:
    """The file *text* that the input *name* loads, in its size if that is known.

    Of two that it may be, the larger.
    """
    if isinstance(text, Opaque):
        return replace(nowhere(view.unknown(name, text.words())), loaded=True)
    names = picture_names(view.node.class_type, text)
    sizes = [size for each in names if (size := view.known.pictures.get(each)) is not None]
    asked = all(each in view.known.pictures for each in names)
    found = largest(_of_size(size) for size in sizes) if asked else None
    if found is None:
        return replace(nowhere(view.unknown(name, _NOT_LOOKED_AT)), loaded=True)
    return replace(found, loaded=True)


def _of_size(size: tuple[int, int] | tuple[int, int, int]) -> Picture:
    """A picture of a known size; an animation has so many of them."""
    frames = Amount.of(size[2]) if len(size) > 2 else Amount(1)  # noqa: PLR2004 - a pair, or three
    return sized(Amount.of(size[0]), Amount.of(size[1]), most(Amount(1), frames))


def _file(name: str) -> Rule:
    def rule(view: View) -> Flow:
        return Flow(picture=looked_at(view, name, view.text(name)))

    return rule


def _folder(name: str) -> Rule:
    """Nobody knows how many files are in a folder."""

    def rule(view: View) -> Flow:
        unknown = view.unknown(name, "names a folder, and what is in it is not known")
        return Flow(picture=replace(nowhere(unknown), loaded=True), items=Amount(1, unknown))

    return rule


RULES: dict[str, Rule] = {
    **{class_type: _file(name) for class_type, name in PICTURE_FILES.items()},
    "LoadImageDataSetFromFolder": _folder("folder"),
    "LoadImageSetFromFolderNode": _folder("folder"),
    "LoadImageTextDataSetFromFolder": _folder("folder"),
    "LoadImageTextSetFromFolderNode": _folder("folder"),
    "LoadLatent": _file("latent"),
    "LoadTrainingDataset": _folder("folder_name"),
    "LoadVideo": _file("file"),
    "LoadVideoDataSetFromFolder": _folder("folder"),
    "LoadVideoTextDataSetFromFolder": _folder("folder"),
}
