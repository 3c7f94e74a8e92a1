"""What a host says it can: the answer to /features and to the websocket's handshake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comfy_mcp.embedded.profiles import Profile

__all__ = ["MAX_UPLOAD", "server_features"]

MAX_UPLOAD = 100 * 1024 * 1024


def server_features(profile: Profile) -> dict[str, Any] | None:
    """The features; None for a version that knows no such thing."""
    if not profile.feature_flags:
        return None
    known: dict[str, Any] = {"supports_preview_metadata": True, "max_upload_size": MAX_UPLOAD}
    if not profile.since("0.28.0"):
        return known
    return known | {
        "supports_model_type_tags": True,
        "extension": {"manager": {"supports_v4": True}},
        "node_replacements": True,
        "assets": False,
    }
