"""One JSON value, one sequence of bytes, one digest."""

from __future__ import annotations

import hashlib
import json

from comfy_mcp.errors import WorkflowError

__all__ = ["canonical", "digest"]


def canonical(value: object) -> bytes:
    """*value* as UTF-8 JSON: keys sorted, no spaces; equal values give equal bytes.

    1 and 1.0 are different here, because ComfyUI is sent different bytes for them.

    Raises:
        WorkflowError: *value* is no JSON (NaN, Infinity, a set, lone surrogates, too deep ...).
    """
    try:
        text = json.dumps(
            value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
        )
        return text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as exc:
        raise WorkflowError(
            f"This is no JSON value: {exc}. Use only finite numbers, text, lists and objects."
        ) from exc


def digest(value: object) -> str:
    """What *value* is known by: "sha256:" and 64 hex digits of its canonical bytes.

    Raises:
        WorkflowError: *value* is no JSON.
    """
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()
