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
    "seed": _Meaning("seed", "seed", "Start of the noise; drawn at random if left out."),
    "noise_seed": _Meaning("seed", "seed", "Start of the noise; drawn at random if left out."),
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
    "clip_name1": _Meaning("text_encoder", "string", "The text encoder."),
    "clip_name2": _Meaning("text_encoder", "string", "The text encoder."),
    "clip_name3": _Meaning("text_encoder", "string", "The text encoder."),
    "style_model_name": _Meaning("style_model", "string", "The style model."),
    "seconds": _Meaning("seconds", "number", "How long it is."),
    "text": _Meaning("text", "string", "The text."),
    "lyrics": _Meaning("lyrics", "string", "What is sung."),
    "upscale_model_name": _Meaning("upscale_model", "string", "The upscale model."),
}
_OF_CLASS: dict[tuple[str, str], _Meaning] = {
    ("LoadImage", "image"): _Meaning("image", "image", "A picture in ComfyUI's input folder."),
    ("LoadImageMask", "image"): _Meaning("mask", "image", "A mask in ComfyUI's input folder."),
    ("LoadAudio", "audio"): _Meaning("audio", "image", "A sound file in ComfyUI's input folder."),
    ("LoadVideo", "file"): _Meaning("video", "image", "A video in ComfyUI's input folder."),
    ("UpscaleModelLoader", "model_name"): _MEANINGS["upscale_model_name"],
}
_SURE = frozenset({"seed", "image"})
"""Types that a host's word on the input does not change."""

_ORDER = ("prompt", "negative_prompt", "image", "mask", "video", "audio", "seed", "steps", "cfg")


def inferred(graph: Graph, schemas: Schemas | None = None) -> Manifest:
    """What *graph* takes, as far as its nodes show; what is there is the default, seeds are drawn.

    The same graph gives the same names, whatever the order of its nodes and whether or not
    *schemas* are known. Where several inputs mean the same, they are numbered by their nodes' ids.
    """
    texts = texts_into(graph)
    found: dict[str, list[list[Slot]]] = {}
    words: dict[str, _Meaning] = {}
    seen: set[tuple[str, str]] = set()
    for node in ordered(graph):
        for name in sorted(node.inputs):
            named = _named(graph, node, name, texts)
            if named is None or (named[0].id, named[1]) in seen:
                continue
            holder, held, meaning = named
            seen.add((holder.id, held))
            slot = Slot(holder, held, spec_of(holder, held, schemas))
            words.setdefault(meaning.name, meaning)
            _sort_in(found.setdefault(meaning.name, []), slot, meaning)
    names = sorted(found, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
    made = [one for name in names for one in _numbered(words[name], found[name])]
    return Manifest(title="Workflow", parameters=tuple(made[:MOST]))


def _sort_in(groups: list[list[Slot]], slot: Slot, meaning: _Meaning) -> None:
    """Put *slot* into a group of its own, or into one that says the very same words."""
    text = slot.node.inputs[slot.input]
    same = (each for each in groups if each[0].node.inputs[each[0].input] == text)
    group = next(same, None) if meaning in {_PROMPT, _NEGATIVE} and text else None
    if group is None or len(group) == MOST:
        groups.append([slot])
    else:
        group.append(slot)


def _named(
    graph: Graph, node: Node, name: str, texts: Mapping[tuple[str, str], str]
) -> tuple[Node, str, _Meaning] | None:
    """Where the value of an input stands, in this node or in a primitive, and what it means."""
    value = node.inputs[name]
    role = texts.get((node.id, name))
    meaning = _OF_CLASS.get((node.class_type, name)) or _MEANINGS.get(name.rpartition(".")[2])
    if role is not None:
        meaning = _NEGATIVE if role == "negative" else _PROMPT
    link = as_link(value)
    source = None if link is None else graph.nodes.get(link.node_id)
    if source is not None:
        if not source.class_type.startswith("Primitive") or "value" not in source.inputs:
            return None
        node, name, value = source, "value", source.inputs["value"]
        if (node.id, name) in texts:
            return None
    return (node, name, meaning) if meaning is not None and _fits(value, meaning.kind) else None


def _fits(value: object, kind: Kind) -> bool:
    if kind in {"string", "image"}:
        return isinstance(value, str)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbered(meaning: _Meaning, found: list[list[Slot]]) -> Iterator[Parameter]:
    for number, slots in enumerate(found, 1):
        first = slots[0].node
        yield parameter(
            meaning.name if number == 1 else f"{meaning.name}_{number}",
            slots,
            kind=meaning.kind if meaning.kind in _SURE or slots[0].spec is None else None,
            description=f"{meaning.words} ({shown(first.title or first.class_type)})",
            default=first.inputs[slots[0].input],
        )
