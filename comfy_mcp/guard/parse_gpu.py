"""The ``gpu`` block of a policy file, of a rule or of a grant."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from comfy_mcp.guard.parse_words import (
    LARGEST,
    LONGEST_WINDOW_S,
    globs,
    is_calendar,
    per_grant,
    window_ms,
)
from comfy_mcp.guard.policy import Globs, Gpu, GpuSeconds
from comfy_mcp.guard.vocabulary import GPU, GPU_MAXIMA, GPU_SECONDS, GPU_WORDS

if TYPE_CHECKING:
    from comfy_mcp.guard.node import Node

__all__ = ["gpu"]

_SCOPES = {"grant": True, "global": False}
_LEAST = {"queue_depth": 0}
_LONGEST_PREFIX = 200
_PREFIX = re.compile(r"(?:[A-Za-z0-9_.-]|\{grant\})+(?:/(?:[A-Za-z0-9_.-]|\{grant\})+)*/?")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def gpu(node: Node) -> Gpu:
    """A ``gpu`` block; keys at fault are left out."""
    parts = node.known(GPU)
    words = {key: parts[key].choice(allowed) for key, allowed in GPU_WORDS.items() if key in parts}
    lists = ("allow_node_classes", "deny_node_classes")
    classes = {key: globs(parts[key]) for key in lists if key in parts}
    return Gpu(
        where=node.where,
        most=_maxima(parts),
        max_in_flight=parts["max_in_flight"].whole(0, LARGEST)
        if "max_in_flight" in parts
        else None,
        max_seconds_per_job_ms=_job_ms(parts),
        gpu_seconds=_budgets(parts["gpu_seconds"]) if "gpu_seconds" in parts else (),
        allow_node_classes=classes.get("allow_node_classes"),
        deny_node_classes=classes.get("deny_node_classes"),
        allow_models=_models(parts["allow_models"]) if "allow_models" in parts else (),
        deny_models=_models(parts["deny_models"]) if "deny_models" in parts else (),
        output_prefix=_prefix(parts["output_prefix"]) if "output_prefix" in parts else None,
        api_nodes=words.get("api_nodes"),
        ownership=words.get("ownership"),
        queue_jump=words.get("queue_jump"),
        global_interrupt=words.get("global_interrupt"),
        undetermined=words.get("undetermined"),
    )


def _maxima(parts: dict[str, Node]) -> tuple[tuple[str, int | float], ...]:
    read = ((fact, _maximum(parts[key], fact)) for key, fact in GPU_MAXIMA.items() if key in parts)
    return tuple((fact, most) for fact, most in read if most is not None)


def _maximum(node: Node, fact: str) -> int | float | None:
    if fact != "megapixels":
        return node.whole(_LEAST.get(fact, 1), LARGEST)
    # Six decimals of a megapixel are one pixel, and this division rounds as that of the fact does.
    pixels = node.millionths(Decimal("0.000001"), LARGEST)
    return None if pixels is None else pixels / 1_000_000


def _job_ms(parts: dict[str, Node]) -> int | None:
    if "max_seconds_per_job" not in parts:
        return None
    return parts["max_seconds_per_job"].thousandths(Decimal("0.001"), LONGEST_WINDOW_S)


def _budgets(node: Node) -> tuple[GpuSeconds, ...]:
    read = (_budget(item) for item in node.items())
    return tuple(budget for budget in read if budget is not None)


def _budget(node: Node) -> GpuSeconds | None:
    parts = node.known(GPU_SECONDS)
    window = window_ms(parts["window"]) if "window" in parts else None
    most = parts["max"].millionths(Decimal(0), LARGEST) if "max" in parts else None
    own, calendar = per_grant(parts, _SCOPES), is_calendar(parts)
    node.lacks("window", "max")
    if window is None or most is None:
        return None
    return GpuSeconds(node.where, most, window, own, calendar)


def _models(node: Node) -> tuple[tuple[str, Globs], ...]:
    found: list[tuple[str, Globs]] = []
    for folder, patterns in node.members().items():
        if not folder:
            patterns.fault("an empty text is no model folder.", 'Name one, or "*" for all.')
        found.append((folder, globs(patterns)))
    return tuple(found)


def _prefix(node: Node) -> str | None:
    text = node.text(_LONGEST_PREFIX)
    if text is None:
        return None
    strange = [name for name in _PLACEHOLDER.findall(text) if name != "grant"]
    if strange:
        node.fault(f'there is no placeholder "{{{strange[0]}}}".', 'The only one is "{grant}".')
    elif ".." in text or _PREFIX.fullmatch(text) is None or "." in text.split("/"):
        node.fault(
            "this is no prefix below ComfyUI's output folder.",
            'Use letters, digits, _ . - and {grant}, and / between them: "agents/{grant}/".',
        )
    else:
        return text
    return None
