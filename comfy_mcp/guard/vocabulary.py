"""Which keys the policy language has: those that this version supports, and those it does not."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["APPROVAL", "FILE", "GPU", "GPU_WORDS", "LIMIT", "RATE", "RULE", "Keys"]


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one kind of object: those supported *now*, and those only *later*."""

    now: frozenset[str]
    later: frozenset[str] = frozenset()


FILE = Keys(
    frozenset(
        (
            *("$schema", "version", "description", "default"),
            *("hide", "all_tools", "tools", "classes", "gpu"),
        )
    ),
    later=frozenset({"grants", "approvals", "denials"}),
)

RULE = Keys(
    frozenset({"action", "reason", "on_deny", "limits", "rate_limit", "require_approval"}),
    later=frozenset({"require", "deny_if", "gpu"}),
)

LIMIT = Keys(
    frozenset(
        (
            *("counter", "window", "max", "scope", "increment"),
            *("algorithm", "name", "reason", "on_deny"),
        )
    ),
    later=frozenset({"increment_from", "refund"}),
)

RATE = Keys(frozenset({"max", "window", "scope"}))

APPROVAL = Keys(frozenset({"reason"}), later=frozenset({"when", "channel", "expires", "max_uses"}))

GPU = Keys(
    frozenset({"ownership", "max_in_flight", "queue_jump", "global_interrupt"}),
    later=frozenset(
        (
            *("max_steps", "max_total_steps", "max_width", "max_height", "max_megapixels"),
            *("max_batch", "max_frames", "max_nodes", "max_workflow_bytes", "max_queue_depth"),
            *("max_seconds_per_job", "gpu_seconds", "allow_node_classes", "deny_node_classes"),
            *("allow_models", "deny_models", "output_prefix", "api_nodes", "undetermined"),
        )
    ),
)

GPU_WORDS = {
    "ownership": ("own", frozenset({"any"})),
    "queue_jump": ("deny", frozenset({"approve", "allow"})),
    "global_interrupt": ("deny", frozenset({"approve", "allow"})),
}
"""Keys of ``gpu`` with one supported word each, and the words they do not support yet."""
