"""Which inputs name model files, and from which of ComfyUI's model folders."""

from __future__ import annotations

import re

from comfy_mcp.workflow.nodes.literals import MAX_NAME

__all__ = ["MODELS", "PROMPTS", "SUFFIXES", "embeddings", "folder_named", "no_model", "tagged"]

SUFFIXES = (
    *(".ckpt", ".pt", ".pt2", ".bin", ".pth", ".safetensors", ".pkl", ".sft", ".gguf", ".onnx"),
    *(".engine", ".h5", ".msgpack", ".torchscript"),
)
"""How names of model files end."""

_CLIPS = {f"clip_name{number}": "text_encoders" for number in range(1, 5)}
_LORA = {"lora_name": "loras"}
_CHECKPOINT = {"ckpt_name": "checkpoints"}

MODELS: dict[str, dict[str, str]] = {
    "AudioEncoderLoader": {"audio_encoder_name": "audio_encoders"},
    "CLIPLoader": {"clip_name": "text_encoders"},
    "CLIPVisionLoader": {"clip_name": "clip_vision"},
    "CheckpointLoader": {**_CHECKPOINT, "config_name": "configs"},
    "CheckpointLoaderSimple": _CHECKPOINT,
    "ControlNetLoader": {"control_net_name": "controlnet"},
    "CreateHookLora": _LORA,
    "CreateHookLoraModelOnly": _LORA,
    "CreateHookModelAsLora": _CHECKPOINT,
    "CreateHookModelAsLoraModelOnly": _CHECKPOINT,
    "DiffControlNetLoader": {"control_net_name": "controlnet"},
    "DiffusersLoader": {"model_path": "diffusers"},
    "DualCLIPLoader": _CLIPS,
    "FrameInterpolationModelLoader": {"model_name": "frame_interpolation"},
    "GLIGENLoader": {"gligen_name": "gligen"},
    "HypernetworkLoader": {"hypernetwork_name": "hypernetworks"},
    "ImageOnlyCheckpointLoader": _CHECKPOINT,
    "LTXAVTextEncoderLoader": {"text_encoder": "text_encoders", **_CHECKPOINT},
    "LTXVAudioVAELoader": _CHECKPOINT,
    "LatentUpscaleModelLoader": {"model_name": "latent_upscale_models"},
    "LoadBackgroundRemovalModel": {"bg_removal_name": "background_removal"},
    "LoadDA3Model": {"model_name": "geometry_estimation"},
    "LoadMediaPipeFaceLandmarker": {"model_name": "detection"},
    "LoadMoGeModel": {"model_name": "geometry_estimation"},
    "LoraLoader": _LORA,
    "LoraLoaderBypass": _LORA,
    "LoraLoaderBypassModelOnly": _LORA,
    "LoraLoaderModelOnly": _LORA,
    "ModelPatchLoader": {"name": "model_patches"},
    "OpticalFlowLoader": {"model_name": "optical_flow"},
    "PhotoMakerLoader": {"photomaker_model_name": "photomaker"},
    "QuadrupleCLIPLoader": _CLIPS,
    "StyleModelLoader": {"style_model_name": "style_models"},
    "T2IAdapterLoader": {"t2i_adapter_name": "controlnet"},
    "TrainLoraNode": {"existing_lora": "loras"},
    "TripleCLIPLoader": _CLIPS,
    "UNETLoader": {"unet_name": "diffusion_models"},
    "UpscaleModelLoader": {"model_name": "upscale_models"},
    "VAELoader": {"vae_name": "vae"},
    "unCLIPCheckpointLoader": _CHECKPOINT,
}
"""The folder by class and input, of ComfyUI's own loaders."""

_L = ("clip_l", "t5xxl")
PROMPTS: dict[str, tuple[str, ...]] = {
    "CLIPTextEncode": ("text",),
    "CLIPTextEncodeControlnet": ("text",),
    "CLIPTextEncodeFlux": _L,
    "CLIPTextEncodeHiDream": (*_L, "clip_g", "llama"),
    "CLIPTextEncodeHunyuanDiT": ("bert", "mt5xl"),
    "CLIPTextEncodeKandinsky5": ("clip_l", "qwen25_7b"),
    "CLIPTextEncodeLumina2": ("user_prompt",),
    "CLIPTextEncodePixArtAlpha": ("text",),
    "CLIPTextEncodeSD3": (*_L, "clip_g"),
    "CLIPTextEncodeSDXL": ("text_g", "text_l"),
    "CLIPTextEncodeSDXLRefiner": ("text",),
    "GLIGENTextBoxApply": ("text",),
    "MakeTrainingDataset": ("texts",),
    "MiniMaxH3ImageToVideo": ("prompt",),
    "MiniMaxH3ReferenceToVideo": ("prompt",),
    "MiniMaxMusic3TextEncode": ("caption", "lyrics"),
    "PhotoMakerEncode": ("text",),
    "TextEncodeAceStepAudio": ("tags", "lyrics"),
    "TextEncodeAceStepAudio1.5": ("tags", "lyrics"),
    "TextEncodeBooguEdit": ("prompt", "negative_prompt"),
    "TextEncodeHunyuanVideo_ImageToVideo": ("prompt",),
    "TextEncodeJoyImageEdit": ("prompt",),
    "TextEncodeMageFlowEdit": ("prompt", "negative_prompt"),
    "TextEncodeQwenImageEdit": ("prompt",),
    "TextEncodeQwenImageEditPlus": ("prompt",),
    "TextEncodeZImageOmni": ("prompt",),
    "TextGenerate": ("prompt",),
    "TextGenerateLTX2Prompt": ("prompt",),
}
"""Inputs whose text a text encoder reads, which loads the embeddings that it names."""

_NAMED: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), folder)
    for pattern, folder in (
        (r"(base_|refiner_)?(ckpt|checkpoint)(_name|_path)?(_?\d+)?", "checkpoints"),
        (r"lora(_name)?(_?\d+)?|lora_\d+_name|lora_name_\w+", "loras"),
        (r"vae(_name|_model)?(_?\d+)?", "vae"),
        (r"(unet|diffusion_model)(_name)?(_?\d+)?", "diffusion_models"),
        (r"clip_vision(_name|_model)?", "clip_vision"),
        (r"(clip|text_encoder)(_name|_model)?(_?\d+)?", "text_encoders"),
        (r"(control_?net|cnet)(_name|_model)?(_?\d+)?", "controlnet"),
        (r"upscale_model(_name)?(_?\d+)?|upscaler(_name)?", "upscale_models"),
        (r"style_model(_name)?", "style_models"),
        (r"gligen(_name)?", "gligen"),
        (r"hypernetwork(_name)?", "hypernetworks"),
        (r"embedding(_name)?", "embeddings"),
        (r"ip_?adapter(_file|_name|_model)?", "ipadapter"),
    )
)
_NONE = frozenset({"", "none", "[none]", "baked vae", "auto", "disabled", "default"})
_MAX_NONE = 32
_EMBEDDING = re.compile(r"embedding:((?:\\[()]|[^\s<\[()])+)")
_WEIGHT = re.compile(r":[-+]?(?:\d*+\.)?\d++\Z")
_TAG = re.compile(r"<lora:([^:<>]+)")


def folder_named(input_name: str) -> str | None:
    """The folder that the input's name tells, of a class that is not known here."""
    for pattern, folder in _NAMED:
        if pattern.fullmatch(input_name.lower()):
            return folder
    return None


def no_model(text: str) -> bool:
    """Whether *text* is a way to say that no model is wanted."""
    return len(text) <= _MAX_NONE and text.strip().lower() in _NONE


def embeddings(text: str) -> list[str]:
    """The embeddings that a prompt names: ``embedding:name``, or ``(embedding:name:1.2)``."""
    if "embedding:" not in text:
        return []
    found: list[str] = []
    for match in _EMBEDDING.finditer(text):
        name = match[1].rstrip(",") or match[1]
        if text[match.end() : match.end() + 1] == ")" and len(name) <= MAX_NAME:
            name = _WEIGHT.sub("", name)
        found.append(name.replace("\\(", "(").replace("\\)", ")"))
    return list(dict.fromkeys(found))


def tagged(text: str) -> list[str]:
    """Names in tags such as ``<lora:name:0.8>``, which some custom classes load."""
    return [match[1].strip() for match in _TAG.finditer(text)] if "<lora:" in text else []
