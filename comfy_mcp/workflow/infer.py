"""Parameters of a graph that has no manifest, with names that do not depend on the order of keys.

What an input means is told by its name and by what its value flows into, as ComfyUI's own nodes
have it; what the host says of it gives type, range and choices, and never a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from comfy_mcp.workflow.accept import Kind
from comfy_mcp.workflow.flaws import shown
from comfy_mcp.workflow.graph import Graph, Node, as_link
from comfy_mcp.workflow.inputs import Slot, ordered, parameter, spec_of
from comfy_mcp.workflow.manifest import Manifest, Parameter
from comfy_mcp.workflow.schema import Schemas
from comfy_mcp.workflow.tracing import texts_into

__all__ = ["MOST", "inferred"]

MOST = 100
"""Parameters that a workflow may have."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What an input is for: the parameter's name, its type without a host's word, a description."""

    name: str
    kind: Kind
    words: str


_PROMPT = _Meaning("prompt", "string", "What the result should show.")
_NEGATIVE = _Meaning("negative_prompt", "string", "What the result should not show.")
_MEANINGS: dict[str, _Meaning] = {
    "prompt": _PROMPT,
    "positive_prompt": _PROMPT,
    "negative_prompt": _NEGATIVE,
    "seed": _Meaning("seed", "seed", "Start of the noise; drawn by chance if left out."),
    "noise_seed": _Meaning("seed", "seed", "Start of the noise; drawn by chance if left out."),
    "steps": _Meaning("steps", "integer", "How many sampling steps to take."),
    "cfg": _Meaning("cfg", "number", "How closely to follow the prompt."),
    "guidance": _Meaning("guidance", "number", "How closely to follow the prompt."),
    "sampler_name": _Meaning("sampler_name", "string", "The sampling algorithm."),
    "scheduler": _Meaning("scheduler", "string", "How the noise is spread over the steps."),
    "denoise": _Meaning("denoise", "number", "How much to change: 0 nothing, 1 everything."),
    "width": _Meaning("width", "integer", "Width in pixels."),
    "height": _Meaning("height", "integer", "Height in pixels."),
    "megapixels": _Meaning("megapixels", "number", "Size in millions of pixels."),
    "batch_size": _Meaning("batch_size", "integer", "How many to make at once."),
    "length": _Meaning("frames", "integer", "How many frames."),
    "frames": _Meaning("frames", "integer", "How many frames."),
    "num_frames": _Meaning("frames", "integer", "How many frames."),
    "video_frames": _Meaning("frames", "integer", "How many frames."),
    "fps": _Meaning("fps", "number", "Frames in a second."),
    "frame_rate": _Meaning("fps", "number", "Frames in a second."),
    "ckpt_name": _Meaning("checkpoint", "string", "The checkpoint."),
    "unet_name": _Meaning("diffusion_model", "string", "The diffusion model."),
    "vae_name": _Meaning("vae", "string", "The VAE."),
    "clip_name": _Meaning("text_encoder", "string", "The text encoder."),
    "lora_name": _Meaning("lora", "string", "The LoRA."),
    "control_net_name": _Meaning("controlnet", "string", "The ControlNet."),
    "strength_model": _Meaning("lora_strength", "number", "How strong the LoRA is."),
    "upscale_model_name": _Meaning("upscale_model", "string", "The upscale model."),
}
_OF_CLASS: dict[tuple[str, str], _Meaning] = {
    ("LoadImage", "image"): _Meaning("image", "image", "A picture in ComfyUI's input folder."),
    ("LoadImageMask", "image"): _Meaning("mask", "image", "A mask in ComfyUI's input folder."),
    ("LoadAudio", "audio"): _Meaning("audio", "image", "A sound file in ComfyUI's input folder."),
    ("LoadVideo", "file"): _Meaning("video", "image", "A video in ComfyUI's input folder."),
    ("UpscaleModelLoader", "model_name"): _MEANINGS["upscale_model_name"],
}
_ORDER = ("prompt", "negative_prompt", "image", "mask", "video", "audio", "seed", "steps", "cfg")


def inferred(graph: Graph, schemas: Schemas | None = None) -> Manifest:
    """What *graph* takes, as far as its nodes show; what is there is the default, seeds are drawn.

    The same graph gives the same names, whatever the order of its nodes and whether or not
    *schemas* are known. Where several inputs mean the same, they are numbered by their nodes' ids.
    """
    texts = texts_into(graph)
    found: dict[str, list[tuple[Slot, _Meaning]]] = {}
    for node in ordered(graph):
        for slot, meaning in _of_node(node, texts, schemas):
            found.setdefault(meaning.name, []).append((slot, meaning))
    names = sorted(found, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
    made = [one for name in names for one in _numbered(name, found[name])]
    return Manifest(title="Workflow", parameters=tuple(made[:MOST]))


def _of_node(
    node: Node, texts: Mapping[tuple[str, str], str], schemas: Schemas | None
) -> Iterator[tuple[Slot, _Meaning]]:
    for name, value in sorted(node.inputs.items()):
        if as_link(value) is not None or not isinstance(value, str | int | float):
            continue
        meaning = _meaning(node, name, value, texts)
        if meaning is not None:
            yield Slot(node, name, spec_of(node, name, schemas)), meaning


def _meaning(
    node: Node, name: str, value: object, texts: Mapping[tuple[str, str], str]
) -> _Meaning | None:
    role = texts.get((node.id, name))
    if role is not None:
        return _NEGATIVE if role == "negative" else _PROMPT
    meaning = _OF_CLASS.get((node.class_type, name)) or _MEANINGS.get(name)
    return meaning if meaning is not None and _fits(value, meaning.kind) else None


def _fits(value: object, kind: Kind) -> bool:
    if kind in {"string", "image"}:
        return isinstance(value, str)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbered(name: str, found: list[tuple[Slot, _Meaning]]) -> Iterator[Parameter]:
    for number, (slot, meaning) in enumerate(found, 1):
        yield parameter(
            name if number == 1 else f"{name}_{number}",
            [slot],
            kind=None if meaning.kind == "string" else meaning.kind,
            description=f"{meaning.words} ({shown(slot.node.title or slot.node.class_type)})",
            default=slot.node.inputs[slot.input],
        )
