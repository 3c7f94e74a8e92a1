"""A few node classes to look among, as ComfyUI tells them."""

from __future__ import annotations

from typing import Any

from comfy_mcp.knowledge.index import Index, build
from comfy_mcp.workflow.schema import NodeSchema, read_schemas

__all__ = ["INDEX", "NODES", "node", "schema"]


def node(
    inputs: dict[str, Any] | None = None,
    outputs: tuple[str, ...] = (),
    *,
    optional: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """What /object_info says of a class."""
    return {
        "input": {"required": inputs or {}, "optional": optional or {}},
        "output": list(outputs),
        "output_name": list(outputs),
        "python_module": "nodes",
        "category": "",
        "display_name": "",
        "description": "",
        **more,
    }


NUMBER = ["INT", {"default": 20, "min": 1, "max": 100, "step": 1}]

NODES: dict[str, dict[str, Any]] = {
    "KSampler": node(
        {
            "model": ["MODEL", {}],
            "steps": NUMBER,
            "positive": ["CONDITIONING", {}],
            "latent_image": ["LATENT", {}],
        },
        ("LATENT",),
        category="sampling",
        search_aliases=["txt2img", "denoise"],
    ),
    "KSamplerAdvanced": node({"model": ["MODEL", {}]}, ("LATENT",), category="sampling"),
    "CLIPTextEncode": node(
        {"text": ["STRING", {"multiline": True}], "clip": ["CLIP", {}]},
        ("CONDITIONING",),
        category="conditioning",
        display_name="CLIP Text Encode (Prompt)",
    ),
    "VAEDecode": node(
        {"samples": ["LATENT", {}], "vae": ["VAE", {}]}, ("IMAGE",), category="latent"
    ),
    "VAEDecodeTiled": node(
        {"samples": ["LATENT", {}], "vae": ["VAE", {}], "tile_size": NUMBER, "overlap": NUMBER},
        ("IMAGE",),
        category="latent",
    ),
    "LoadImage": node(
        {"image": [["a.png", "b.png"], {"image_upload": True}]},
        ("IMAGE", "MASK"),
        category="image",
        display_name="Load Image",
    ),
    "ImageBlur": node(
        {"image": ["IMAGE", {}], "blur_radius": NUMBER},
        ("IMAGE",),
        category="image/filters",
        description="Softens with a gaussian.",
    ),
    "ImageSharpenOld": node(
        {"image": ["IMAGE", {}]}, ("IMAGE",), category="image/filters", deprecated=True
    ),
    "ImageSharpen": node({"image": ["IMAGE", {}]}, ("IMAGE",), category="image/filters"),
    "CloudSharpen": node(
        {"image": ["IMAGE", {}]},
        ("IMAGE",),
        category="api node/image",
        display_name="Image Sharpen",
        python_module="comfy_api_nodes.cloud",
        api_node=True,
    ),
    "MaskToImage": node({"mask": ["MASK", {}]}, ("IMAGE",), category="mask"),
    "CompositeInto": node(
        {"mask": ["MASK", {}], "image": ["IMAGE", {}]}, ("IMAGE",), category="mask"
    ),
    "PreviewAny": node({"source": ["*", {}]}, (), category="utils", output_node=True),
    "SaveImage": node(
        {"images": ["IMAGE", {}], "filename_prefix": ["STRING", {"default": "x"}]},
        (),
        category="image",
        output_node=True,
    ),
}


def schema(name: str, info: dict[str, Any] | None = None) -> NodeSchema:
    """A class, one of NODES or another."""
    return read_schemas({name: info or NODES[name]})[name]


INDEX: Index = build(read_schemas(NODES))
