"""Which inputs name files that are read, and where nodes save."""

from __future__ import annotations

import re
from dataclasses import dataclass

from comfy_mcp.workflow.nodes.literals import MAX_NAME

__all__ = [
    "ANYWHERE",
    "BELOW",
    "FILES",
    "FROM_OUTPUTS",
    "SAVERS",
    "SAYS_WHERE",
    "SHOWS",
    "WRITES_ITSELF",
    "Marked",
    "is_file_name",
    "leaves",
    "marked",
    "split",
]

FILES: dict[str, tuple[str, ...]] = {
    "Load3D": ("model_file",),
    "Load3DAdvanced": ("model_file",),
    "Load3DAnimation": ("model_file",),
    "LoadAudio": ("audio",),
    "LoadImage": ("image",),
    "LoadImageDataSetFromFolder": ("folder",),
    "LoadImageMask": ("image",),
    "LoadImageOutput": ("image",),
    "LoadImageSetFromFolderNode": ("folder",),
    "LoadImageTextDataSetFromFolder": ("folder",),
    "LoadImageTextSetFromFolderNode": ("folder",),
    "LoadLatent": ("latent",),
    "LoadTrainingDataset": ("folder_name",),
    "LoadVideo": ("file",),
    "LoadVideoDataSetFromFolder": ("folder",),
    "LoadVideoTextDataSetFromFolder": ("folder",),
    "Painter": ("mask",),
    "RecordAudio": ("audio",),
    "WebcamCapture": ("image",),
}
"""Inputs of ComfyUI's own classes that name a file or a folder to read."""

FROM_OUTPUTS: dict[str, str] = {"LoadImageOutput": "image", "LoadTrainingDataset": "folder_name"}
"""Inputs whose plain names mean something that a job saved."""

_IMAGE, _AUDIO, _3D = "ComfyUI", "audio/ComfyUI", "3d/ComfyUI"
SAVERS: dict[str, dict[str, str]] = {
    **{
        name: {"filename_prefix": _IMAGE}
        for name in (
            *("SaveAnimatedPNG", "SaveAnimatedWEBP", "SaveImage", "SaveImageAdvanced"),
            *("SaveLatent", "SaveText", "SaveWEBM"),
        )
    },
    **{
        name: {"filename_prefix": _AUDIO}
        for name in ("SaveAudio", "SaveAudioAdvanced", "SaveAudioMP3", "SaveAudioOpus")
    },
    **{
        name: {"filename_prefix": _3D}
        for name in ("Save3DAdvanced", "SaveGLB", "SaveGaussianSplat", "SavePointCloud")
    },
    "CLIPSave": {"filename_prefix": "clip/ComfyUI"},
    "CheckpointSave": {"filename_prefix": "checkpoints/ComfyUI"},
    "ImageOnlyCheckpointSave": {"filename_prefix": "checkpoints/ComfyUI"},
    "LoraSave": {"filename_prefix": "loras/ComfyUI_extracted_lora"},
    "ModelSave": {"filename_prefix": "diffusion_models/ComfyUI"},
    "SaveImageDataSetToFolder": {"folder_name": "dataset"},
    "SaveImageTextDataSetToFolder": {"folder_name": "dataset"},
    "SaveLoRA": {"prefix": "loras/ComfyUI_trained_lora"},
    "SaveLoRANode": {"prefix": "loras/ComfyUI_trained_lora"},
    "SaveSVGNode": {"filename_prefix": "svg/ComfyUI"},
    "SaveTrainingDataset": {"folder_name": "training_dataset"},
    "SaveVideo": {"filename_prefix": "video/ComfyUI"},
    "VAESave": {"filename_prefix": "vae/ComfyUI_vae"},
}
"""The input that says where ComfyUI's own classes save, with what holds if it is left out."""

BELOW: dict[str, str] = {
    "SaveImageDataSetToFolder": "filename_prefix",
    "SaveImageTextDataSetToFolder": "filename_prefix",
}
"""Inputs that name files below the folder of the saver, and that ComfyUI does not look at."""

SHOWS: dict[str, str] = {
    "Preview3D": "model_file",
    "Preview3DAnimation": "model_file",
}
"""Inputs whose texts name a file in the output folder, which becomes an output of the job."""

WRITES_ITSELF: dict[str, tuple[str, str]] = {
    "Preview3D": ("model_file", "preview3d_"),
    "Preview3DAnimation": ("model_file", "preview3d_"),
}
"""Previews that save into the output folder if that input is linked, and how they name it."""

SAYS_WHERE = frozenset(
    (
        *("filename_prefix", "output_path", "save_path", "output_dir", "output_directory"),
        *("output_folder", "save_dir", "save_directory", "save_folder", "file_prefix"),
    )
)
"""Inputs of other classes that can only mean where to save."""

ANYWHERE = frozenset(("folder", "path", "directory", "file_path", "folder_path", "subfolder"))
"""Inputs of other classes that mean where to save, or where to read."""

_NEARLY = re.compile(r"\[\s*(output|temp)\s*\]\s*\Z", re.IGNORECASE)
_TAIL = 40
_EXACTLY = {"[output]": ("output", 9), "[temp]": ("temp", 7)}
_NAMES = frozenset(("image", "video", "audio", "file", "mask", "latent", "path", "filename"))


@dataclass(frozen=True, slots=True)
class Marked:
    """A file that a job made: *folder* is output or temp. No *filename*: nobody's."""

    folder: str
    subfolder: str
    filename: str


def marked(text: str) -> Marked | None:
    """What ``name [output]`` and ``name [temp]`` mean to ComfyUI, which cuts 9 and 7 characters.

    Something that only looks like it has no filename: whatever reads it might be laxer.
    """
    for mark, (folder, cut) in _EXACTLY.items():
        if text.endswith(mark):
            return Marked(folder, *split(text[:-cut]))
    near = _NEARLY.search(text[-_TAIL:]) if "]" in text[-_TAIL:] else None
    return None if near is None else Marked(near[1].lower(), "", "")


def split(name: str) -> tuple[str, str]:
    """Subfolder and file name on any system; both empty if it leaves its folder or names none."""
    if leaves(name):
        return "", ""
    parts = [part for part in re.split(r"[/\\]", name) if part not in {"", "."}]
    if not parts or name.endswith(("/", "\\")):
        return "", ""
    return "/".join(parts[:-1]), parts[-1]


def leaves(name: str) -> bool:
    """Whether *name* may lead out of the folder that it is looked up in."""
    if len(name) > MAX_NAME:
        return True
    parts = re.split(r"[/\\]", name)
    return ".." in parts or (len(parts) > 1 and not parts[0]) or ":" in parts[0] or "\0" in name


def is_file_name(input_name: str) -> bool:
    """Whether an input of a class that is not known here is named for a file to read."""
    return input_name in _NAMES or input_name.endswith(("_path", "_file"))
