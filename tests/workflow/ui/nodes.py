"""What a host tells of the node classes that the tests here draw."""

from __future__ import annotations

from typing import Any

from comfy_mcp.workflow.schema import read_schemas

__all__ = ["OBJECT_INFO", "SCHEMAS"]

SAMPLERS = ["euler", "heun"]
SCHEDULERS = ["simple", "karras"]
BIG = 2**64 - 1


def _class(name: str, title: str, required: dict[str, Any], *output: str, **more: Any) -> Any:
    told = {"required": required} | more.pop("also", {})
    return {
        "name": name,
        "display_name": title,
        "input": told,
        "input_order": {group: list(specs) for group, specs in told.items()},
        "output": list(output),
        "output_name": list(output),
        "output_is_list": [False for _ in output],
        "output_node": False,
        "category": "tests",
        "python_module": "nodes",
        "description": "",
    } | more


def _match(name: str, allowed: str) -> list[Any]:
    return ["COMFY_MATCHTYPE_V3", {"template": {"template_id": name, "allowed_types": allowed}}]


def _number(default: float, kind: str = "INT") -> list[Any]:
    return [kind, {"default": default, "min": 0, "max": BIG}]


_SEED = ["INT", {"default": 0, "min": 0, "max": BIG, "control_after_generate": True}]
_CROP = ["COMBO", {"default": "center", "options": ["disabled", "center"]}]
_RESIZE = [
    {"key": "to size", "inputs": {"required": {"width": _number(512), "crop": _CROP}}},
    {"key": "by factor", "inputs": {"required": {"factor": _number(1, "FLOAT")}}},
    {"key": "like", "inputs": {"required": {"match": ["IMAGE", {}]}}},
]

_CLASSES = [
    _class(
        "CheckpointLoaderSimple",
        "Load Checkpoint",
        {"ckpt_name": [["a.safetensors"]]},
        "MODEL",
        "CLIP",
        "VAE",
    ),
    _class(
        "CLIPTextEncode",
        "CLIP Text Encode",
        {"text": ["STRING", {"multiline": True, "dynamicPrompts": True}], "clip": ["CLIP"]},
        "CONDITIONING",
    ),
    _class(
        "KSampler",
        "KSampler",
        {
            "model": ["MODEL"],
            "seed": _SEED,
            "steps": _number(20),
            "cfg": _number(8.0, "FLOAT"),
            "sampler_name": [SAMPLERS],
            "scheduler": [SCHEDULERS],
            "positive": ["CONDITIONING"],
            "negative": ["CONDITIONING"],
            "latent_image": ["LATENT"],
            "denoise": _number(1.0, "FLOAT"),
        },
        "LATENT",
    ),
    _class(
        "EmptyLatentImage",
        "Empty Latent",
        {"width": _number(512), "height": _number(512), "batch_size": _number(1)},
        "LATENT",
    ),
    _class("VAEDecode", "VAE Decode", {"samples": ["LATENT"], "vae": ["VAE"]}, "IMAGE"),
    _class(
        "EmptyImage",
        "Empty Image",
        {
            "width": _number(512),
            "height": _number(512),
            "batch_size": _number(1),
            "color": _number(0),
        },
        "IMAGE",
    ),
    _class(
        "LoadImage",
        "Load Image",
        {"image": [["a.png", "b.png"], {"image_upload": True}]},
        "IMAGE",
        "MASK",
    ),
    _class(
        "ImageScale",
        "Upscale Image",
        {
            "image": ["IMAGE"],
            "upscale_method": [["nearest-exact", "area"]],
            "width": _number(512),
            "height": _number(512),
            "crop": [["disabled", "center"]],
        },
        "IMAGE",
    ),
    _class(
        "ImageBlend",
        "Blend Images",
        {
            "image1": ["IMAGE"],
            "image2": ["IMAGE"],
            "blend_factor": _number(0.5, "FLOAT"),
            "blend_mode": ["COMBO", {"options": ["normal", "multiply"]}],
        },
        "IMAGE",
    ),
    _class("ImageInvert", "Invert", {"image": ["IMAGE"]}, "IMAGE"),
    _class("MaskToImage", "Mask to Image", {"mask": ["MASK"]}, "IMAGE"),
    _class(
        "LoraLoader",
        "Load LoRA",
        {
            "model": ["MODEL"],
            "clip": ["CLIP"],
            "lora_name": [["l.safetensors"]],
            "strength_model": _number(1.0, "FLOAT"),
            "strength_clip": _number(1.0, "FLOAT"),
        },
        "MODEL",
        "CLIP",
    ),
    _class(
        "SaveImage",
        "Save Image",
        {"images": ["IMAGE"], "filename_prefix": ["STRING", {"default": "ComfyUI"}]},
        output_node=True,
    ),
    _class("PreviewAny", "Preview", {"source": ["*", {}]}, "STRING", output_node=True),
    _class("PrimitiveInt", "Int", {"value": ["INT", {"control_after_generate": "fixed"}]}, "INT"),
    _class("PrimitiveString", "Text", {"value": ["STRING", {}]}, "STRING"),
    _class(
        "SaveText",
        "Save Text",
        {
            "text": ["STRING", {"forceInput": True}],
            "filename_prefix": ["STRING", {"default": "ComfyUI"}],
            "format": ["COMBO", {"default": "txt", "options": ["txt", "md"]}],
        },
        "STRING",
        output_node=True,
    ),
    _class(
        "ResizeImageMaskNode",
        "Resize",
        {
            "input": _match("input_type", "IMAGE,MASK"),
            "resize_type": ["COMFY_DYNAMICCOMBO_V3", {"options": _RESIZE}],
            "scale_method": ["COMBO", {"default": "area", "options": ["nearest-exact", "area"]}],
        },
        "COMFY_MATCHTYPE_V3",
    ),
    _class(
        "BatchImagesNode",
        "Batch Images",
        {
            "images": [
                "COMFY_AUTOGROW_V3",
                {
                    "template": {
                        "input": {"required": {"image": ["IMAGE", {}]}},
                        "prefix": "image",
                        "min": 1,
                        "max": 50,
                    }
                },
            ]
        },
        "IMAGE",
    ),
    _class(
        "ImageCropV2",
        "Crop",
        {
            "image": ["IMAGE"],
            "crop_region": [
                "BOUNDING_BOX",
                {"default": {"x": 0, "y": 0, "width": 64, "height": 64}, "socketless": True},
            ],
            "after": _number(7),
        },
        "IMAGE",
    ),
    _class(
        "Load3D",
        "Load 3D",
        {
            "model_file": ["COMBO", {"options": ["none"]}],
            "image": ["LOAD_3D", {}],
            "width": _number(1024),
            "height": _number(1024),
        },
        "IMAGE",
        "MASK",
    ),
    _class("CustomCombo", "Custom Combo", {"choice": ["COMBO", {"options": []}]}, "STRING", "INT"),
    _class(
        "ImageCompare",
        "Compare",
        {"compare_view": ["IMAGECOMPARE", {"socketless": True}]},
        also={"optional": {"image_a": ["IMAGE"], "image_b": ["IMAGE"]}},
        output_node=True,
    ),
    _class(
        "DrawPoints",
        "Points",
        {"points": ["STRING", {"default": "[]"}], "colors": ["COLORS", {"default": []}]},
        "STRING",
        output_node=True,
    ),
]

OBJECT_INFO: dict[str, Any] = {each["name"]: each for each in _CLASSES}

SCHEMAS = read_schemas(OBJECT_INFO)
