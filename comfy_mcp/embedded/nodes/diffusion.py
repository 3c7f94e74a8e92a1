"""The nodes of a diffusion workflow, under ComfyUI's names: they paint, and say so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.models import CHECKPOINTS, LORAS, UPSCALERS, VAES
from comfy_mcp.embedded.nodes.base import (
    Context,
    Input,
    Node,
    Result,
    combo,
    image,
    link,
    number,
    whole,
)
from comfy_mcp.embedded.nodes.latents import Latent
from comfy_mcp.embedded.nodes.pictures import resized
from comfy_mcp.embedded.nodes.sampler import SAMPLERS, SCHEDULERS, Request, sample
from comfy_mcp.embedded.painter import Model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL.Image import Image

__all__ = ["NODES"]

MOST_SEED = 0xFFFFFFFFFFFFFFFF
SAYS = "Embedded demo: "


@dataclass(frozen=True, slots=True)
class Clip:
    """Reads a prompt; there is nothing to it but the words."""

    name: str


@dataclass(frozen=True, slots=True)
class Vae:
    """Turns latents into pictures; here they are pictures already."""

    name: str


@dataclass(frozen=True, slots=True)
class Upscaler:
    """Makes pictures *factor* times as large."""

    name: str
    factor: int


def _checkpoint(_context: Context, inputs: Mapping[str, Any]) -> Result:
    name = inputs["ckpt_name"]
    return Result((Model(name, dusk=0.6 if "dusk" in name else 0.0), Clip(name), Vae(name)))


def _vae(_context: Context, inputs: Mapping[str, Any]) -> Result:
    return Result((Vae(inputs["vae_name"]),))


def _lora(_context: Context, inputs: Mapping[str, Any]) -> Result:
    model: Model = inputs["model"]
    warmth = model.warmth + 0.5 * inputs["strength_model"]
    return Result((replace(model, warmth=warmth), inputs["clip"]))


def _encode_text(_context: Context, inputs: Mapping[str, Any]) -> Result:
    return Result((inputs["text"],))


def _skip(_context: Context, inputs: Mapping[str, Any]) -> Result:
    return Result((inputs["clip"],))


def _decode(_context: Context, inputs: Mapping[str, Any]) -> Result:
    return Result((inputs["samples"].decoded(),))


def _encode(_context: Context, inputs: Mapping[str, Any]) -> Result:
    pictures: list[Image] = inputs["pixels"]
    width, height = (side // 8 * 8 for side in pictures[0].size)
    frames = tuple(resized(each, max(8, width), max(8, height), "bicubic") for each in pictures)
    return Result((Latent(frames[0].width, frames[0].height, frames),))


def _sample(context: Context, inputs: Mapping[str, Any]) -> Result:
    request = Request(
        inputs["model"],
        inputs["positive"],
        inputs["negative"],
        inputs["seed"],
        inputs["steps"],
        inputs["cfg"],
        inputs["denoise"],
    )
    return Result((sample(request, inputs["latent_image"], context),))


def _upscaler(_context: Context, inputs: Mapping[str, Any]) -> Result:
    return Result((Upscaler(inputs["model_name"], 2),))


def _upscale(_context: Context, inputs: Mapping[str, Any]) -> Result:
    factor = inputs["upscale_model"].factor
    pictures: list[Image] = inputs["image"]
    size = (pictures[0].width * factor, pictures[0].height * factor)
    return Result(([resized(each, *size, "lanczos") for each in pictures],))


NODES = (
    Node(
        "CheckpointLoaderSimple",
        "Load Checkpoint",
        "model/loaders",
        (combo("ckpt_name", CHECKPOINTS),),
        ("MODEL", "CLIP", "VAE"),
        _checkpoint,
        description=SAYS + "there are no weights to load.",
    ),
    Node(
        "VAELoader",
        "Load VAE",
        "model/loaders",
        (combo("vae_name", VAES),),
        ("VAE",),
        _vae,
        description=SAYS + "there are no weights to load.",
    ),
    Node(
        "LoraLoader",
        "Load LoRA (Model and CLIP)",
        "model/loaders",
        (
            link("model", "MODEL"),
            link("clip", "CLIP"),
            combo("lora_name", LORAS),
            number("strength_model", 1.0, -100.0, 100.0, step=0.01),
            number("strength_clip", 1.0, -100.0, 100.0, step=0.01),
        ),
        ("MODEL", "CLIP"),
        _lora,
        description=SAYS + "makes the light warmer.",
    ),
    Node(
        "CLIPTextEncode",
        "CLIP Text Encode (Prompt)",
        "model/conditioning",
        (
            Input("text", "STRING", {"multiline": True, "dynamicPrompts": True}),
            link("clip", "CLIP"),
        ),
        ("CONDITIONING",),
        _encode_text,
        description=SAYS + "passes the words on to the painter.",
    ),
    Node(
        "CLIPSetLastLayer",
        "CLIP Set Last Layer",
        "model/conditioning",
        (link("clip", "CLIP"), whole("stop_at_clip_layer", -1, -24, -1, step=1)),
        ("CLIP",),
        _skip,
    ),
    Node(
        "KSampler",
        "KSampler",
        "model/sampling",
        (
            link("model", "MODEL"),
            whole("seed", 0, 0, MOST_SEED, control_after_generate=True),
            whole("steps", 20, 1, 10000),
            number("cfg", 8.0, 0.0, 100.0, step=0.1, round=0.01),
            combo("sampler_name", SAMPLERS),
            combo("scheduler", SCHEDULERS),
            link("positive", "CONDITIONING"),
            link("negative", "CONDITIONING"),
            link("latent_image", "LATENT"),
            number("denoise", 1.0, 0.0, 1.0, step=0.01),
        ),
        ("LATENT",),
        _sample,
        description=SAYS + "paints a picture from the words and the seed, step by step.",
    ),
    Node(
        "VAEDecode",
        "VAE Decode",
        "model/latent",
        (link("samples", "LATENT"), link("vae", "VAE")),
        ("IMAGE",),
        _decode,
    ),
    Node(
        "VAEEncode",
        "VAE Encode",
        "model/latent",
        (link("pixels", "IMAGE"), link("vae", "VAE")),
        ("LATENT",),
        _encode,
    ),
    Node(
        "UpscaleModelLoader",
        "Load Upscale Model",
        "model/loaders",
        (combo("model_name", UPSCALERS),),
        ("UPSCALE_MODEL",),
        _upscaler,
        module="comfy_extras.nodes_upscale_model",
        modern=True,
    ),
    Node(
        "ImageUpscaleWithModel",
        "Upscale Image (using Model)",
        "image/upscaling",
        (link("upscale_model", "UPSCALE_MODEL"), image()),
        ("IMAGE",),
        _upscale,
        description=SAYS + "resamples; there is no model in it.",
        module="comfy_extras.nodes_upscale_model",
        modern=True,
    ),
)
