"""What nodes and inputs are told to be for, as /object_info of a ComfyUI tells it; in our words."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ALIASES", "DESCRIPTIONS", "TOOLTIPS"]

TOOLTIPS: Mapping[str, str] = MappingProxyType(
    {
        "model": "What denoises.",
        "seed": "Another number gives another picture; the same gives the same.",
        "steps": "How many times noise is taken away; more take longer.",
        "cfg": "How closely the prompt is followed; too much burns the picture.",
        "sampler_name": "How noise is taken away.",
        "scheduler": "How much noise is taken away at each step.",
        "positive": "What is to be seen.",
        "negative": "What is not to be seen.",
        "latent_image": "Where sampling begins.",
        "denoise": "How much is made anew: 1 is all, less keeps some of what was there.",
        "ckpt_name": "A file of the folder checkpoints.",
        "vae_name": "A file of the folder vae.",
        "lora_name": "A file of the folder loras.",
        "model_name": "A file of the folder upscale_models.",
        "strength_model": "How much of it the model gets.",
        "strength_clip": "How much of it the text encoder gets.",
        "text": "Words that become a conditioning.",
        "clip": "What reads the text.",
        "vae": "What turns latents into pictures and back.",
        "filename_prefix": "How the name of the file begins; what is before a slash is a folder.",
        "image": "A picture, or a batch of them.",
        "images": "Pictures, each of which becomes a file.",
        "mask": "White is what is meant.",
        "width": "Pixels.",
        "height": "Pixels.",
        "batch_size": "How many at once.",
        "upscale_method": "How pixels between pixels are found.",
        "crop": "What happens if the shape is another.",
        "scale_by": "2 is twice as wide and high.",
        "blur_radius": "Pixels around each that are mixed into it.",
        "sigma": "How flat the mixing is.",
        "blend_factor": "0 is all of the first picture, 1 all of the second.",
    }
)
"""By the input's name, where the node says nothing itself."""

DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "LoadImage": "Reads a picture from the input folder.",
        "LoadImageMask": "Reads one channel of a picture as a mask.",
        "ImageBlur": "Makes a picture soft.",
        "ImageSharpen": "Makes edges clearer.",
        "ImageBlend": "Lays one picture over another.",
        "ImageScale": "Makes a picture so wide and so high.",
        "ImageScaleBy": "Makes a picture larger or smaller.",
        "ImageCrop": "Cuts a part out of a picture.",
        "ImageInvert": "Turns light into dark.",
        "EmptyImage": "A picture in one colour.",
        "VAEDecode": "Turns latents into pictures.",
        "VAEEncode": "Turns pictures into latents.",
        "LatentUpscale": "Makes latents so wide and so high.",
        "StringConcatenate": "Puts two texts together.",
        "SaveAnimatedWEBP": "Saves pictures as one moving one.",
        "SaveAnimatedPNG": "Saves pictures as one moving one.",
    }
)
"""By class, where the node says nothing itself."""

ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "LoadImage": ("open image", "import picture", "input image"),
        "SaveImage": ("export image", "write image", "output"),
        "KSampler": ("generate", "denoise", "txt2img", "img2img"),
        "CLIPTextEncode": ("prompt", "text prompt"),
        "CheckpointLoaderSimple": ("load model", "ckpt"),
        "LoraLoader": ("load lora",),
        "ImageBlur": ("gaussian blur", "soften"),
        "ImageScale": ("resize image",),
        "ImageScaleBy": ("resize image", "enlarge"),
        "ImageUpscaleWithModel": ("super resolution", "enlarge"),
        "ImageBlend": ("overlay", "mix images"),
        "EmptyLatentImage": ("size", "resolution"),
    }
)
"""By class: other words that people look for it by."""
