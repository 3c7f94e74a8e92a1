"""What ComfyUI's node classes do to values, sizes and steps: tables and small rules, no I/O.

Numbers are upper bounds. A latent is as large as the node that made it says; a VAE that enlarges by
another factor than the latent was made for is not seen. Custom classes are read off the names of
their inputs only: whether one of them makes a list, a loop or a file is not seen.
"""

from __future__ import annotations

from comfy_mcp.workflow.nodes import (
    batching,
    loading,
    passing,
    popular,
    resizing,
    sampling,
    texts,
    values,
    videos,
)
from comfy_mcp.workflow.nodes.names import PLAIN
from comfy_mcp.workflow.nodes.view import Rule

__all__ = ["OWN_RULES", "POPULAR_RULES", "is_own"]

OWN_RULES: dict[str, Rule] = {
    **passing.RULES,
    **resizing.RULES,
    **batching.RULES,
    **videos.RULES,
    **loading.RULES,
    **sampling.RULES,
    **values.RULES,
    **texts.RULES,
}
"""What ComfyUI's own classes give, by name; `PLAIN` ones give nothing that counts."""

POPULAR_RULES = popular.RULES
"""The same of custom classes that are known by name only."""

_OWN = PLAIN | frozenset(OWN_RULES)


def is_own(class_type: str) -> bool:
    """Whether this is one of ComfyUI's own classes, as far as is known here."""
    return class_type in _OWN
