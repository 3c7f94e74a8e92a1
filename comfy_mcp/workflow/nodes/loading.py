"""Classes that read pictures, clips and latents from files."""

from __future__ import annotations

from dataclasses import replace

from comfy_mcp.workflow.nodes.amounts import Amount, most
from comfy_mcp.workflow.nodes.flow import Flow, Opaque, Picture, nowhere, sized
from comfy_mcp.workflow.nodes.literals import MAX_NAME
from comfy_mcp.workflow.nodes.view import Rule, View

__all__ = ["PICTURE_FILES", "RULES", "looked_at", "picture_name"]

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


def picture_name(class_type: str, text: str) -> str:
    """*text* of a picture input as `Known.pictures` has it: with the folder it is read from.

    Empty if it names no file.
    """
    if len(text) > MAX_NAME:
        return ""
    if class_type == "LoadImageOutput" and not text.endswith("]"):
        return f"{text} [output]"
    return text


def looked_at(view: View, name: str, text: str | Opaque) -> Picture:
    """The file *text* that the input *name* loads, in its size if that is known."""
    if isinstance(text, Opaque):
        return replace(nowhere(view.unknown(name, text.words())), loaded=True)
    name_there = picture_name(view.node.class_type, text)
    size = view.known.pictures.get(name_there) if name_there else None
    if size is None:
        return replace(nowhere(view.unknown(name, _NOT_LOOKED_AT)), loaded=True)
    frames = Amount.of(size[2]) if len(size) > 2 else Amount(1)  # noqa: PLR2004 - a pair, or three
    picture = sized(Amount.of(size[0]), Amount.of(size[1]), most(Amount(1), frames))
    return replace(picture, loaded=True)


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
