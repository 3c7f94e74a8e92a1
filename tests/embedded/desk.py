"""What the embedded host's tests share: graphs, and single nodes run without a host."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded import PROFILES
from comfy_mcp.embedded.nodes import catalogue
from comfy_mcp.embedded.nodes.base import Context, Interrupted
from comfy_mcp.embedded.paths import Folders

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

__all__ = ["Bench", "txt2img"]


class Bench:
    """Runs single nodes; *steps* is what they told of their progress."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folders = Folders.below(folder)
        self.steps: list[tuple[int, int, Image | None]] = []
        self.stop_at: int | None = None

    def run(self, name: str, **inputs: Any) -> tuple[Any, ...]:
        """The outputs of a node."""
        return self.result(name, **inputs).values

    def result(self, name: str, **inputs: Any) -> Any:
        """The outputs of a node, and what it shows."""
        extra = {"workflow": {"id": "wf"}}
        prompt = {"1": {"class_type": name}}
        context = Context("1", prompt, extra, self.folders, "abcde", self.step, lambda: None)
        return catalogue(PROFILES["0.33"])[name].run(context, inputs)

    def step(self, done: int, total: int, preview: Image | None) -> None:
        """One step of progress."""
        if self.stop_at == done:
            raise Interrupted
        self.steps.append((done, total, preview))


def txt2img(prompt: str = "a boat on the sea at sunset", **changes: Any) -> dict[str, Any]:
    """A diffusion workflow, small; *changes* are inputs of the sampler."""
    sampler: dict[str, Any] = {
        "model": ["1", 0],
        "seed": time.monotonic_ns(),
        "steps": 4,
        "cfg": 7.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "positive": ["2", 0],
        "negative": ["3", 0],
        "latent_image": ["4", 0],
        "denoise": 1.0,
    }
    return {
        "1": {
            "class_type": "CheckpointLoaderSimple",
            "inputs": {"ckpt_name": "embedded-demo.safetensors"},
        },
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": prompt, "clip": ["1", 1]}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "birds", "clip": ["1", 1]}},
        "4": {
            "class_type": "EmptyLatentImage",
            "inputs": {"width": 96, "height": 64, "batch_size": 1},
        },
        "5": {"class_type": "KSampler", "inputs": sampler | changes},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {
            "class_type": "SaveImage",
            "inputs": {"images": ["6", 0], "filename_prefix": "painted"},
        },
    }
