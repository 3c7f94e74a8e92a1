"""What to try when a job failed, for the errors people meet most."""

from __future__ import annotations

import re

from comfy_mcp.host import NodeFailure

__all__ = ["clean", "hint"]

_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[/\\][\w.\-+@ ]+){2,}")

_HINTS = (
    (
        re.compile(r"out of memory|OutOfMemory|CUDA error|MPS backend", re.IGNORECASE),
        "The GPU ran out of memory: use a smaller width and height, batch or number of frames.",
    ),
    (
        re.compile(r"outside the output folder", re.IGNORECASE),
        "Use a filename_prefix without '..' and without a leading slash.",
    ),
    (
        re.compile(r"No such file|FileNotFound|not found|Invalid image file", re.IGNORECASE),
        "A file or model is missing on the ComfyUI host: check its name.",
    ),
    (
        re.compile(
            r"size mismatch|shapes? cannot be multiplied|expected .* channels", re.IGNORECASE
        ),
        "The models do not fit together: use a checkpoint, VAE, LoRA or ControlNet of one family.",
    ),
)


def clean(text: str) -> str:
    """A message without the host's paths, cut to what is worth reading."""
    return _PATH.sub(lambda match: "…/" + re.split(r"[/\\]", match[0])[-1], text)[:800]


def hint(failure: NodeFailure) -> str | None:
    """What to try, if the error is a known one."""
    text = f"{failure.type}: {failure.message}"
    return next((advice for pattern, advice in _HINTS if pattern.search(text)), None)
