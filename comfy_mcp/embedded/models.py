"""The invented models of the demo, by folder; their names say what they are."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CHECKPOINTS", "FOLDERS", "LORAS", "UPSCALERS", "VAES"]

CHECKPOINTS = ("embedded-demo.safetensors", "embedded-demo-dusk.safetensors")
LORAS = ("embedded-demo-golden-hour.safetensors",)
VAES = ("embedded-demo-vae.safetensors",)
UPSCALERS = ("embedded-demo-2x.pth",)

FOLDERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "checkpoints": CHECKPOINTS,
        "configs": (),
        "loras": LORAS,
        "vae": VAES,
        "text_encoders": (),
        "diffusion_models": (),
        "clip_vision": (),
        "style_models": (),
        "embeddings": (),
        "diffusers": (),
        "vae_approx": (),
        "controlnet": (),
        "gligen": (),
        "upscale_models": UPSCALERS,
        "custom_nodes": (),
        "hypernetworks": (),
        "photomaker": (),
        "classifiers": (),
        "model_patches": (),
        "audio_encoders": (),
    }
)
