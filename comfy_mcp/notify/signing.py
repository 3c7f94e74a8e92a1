"""The signature of a notification: so that its receiver can tell ours from anybody else's."""

from __future__ import annotations

import hashlib
import hmac

__all__ = ["headers"]


def headers(key: bytes, now_ms: int, body: bytes) -> dict[str, str]:
    """The headers of a request with *body* at *now_ms*.

    The signature covers the time in whole seconds, a full stop and the body, so that a receiver
    can refuse what is old.
    """
    at = str(now_ms // 1000)
    signature = hmac.new(key, at.encode("ascii") + b"." + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "User-Agent": "comfy-mcp-guard",
        "X-Comfy-Guard-Time": at,
        "X-Comfy-Guard-Signature": f"sha256={signature}",
    }
