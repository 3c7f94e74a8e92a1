"""Which keys the policy language has: those that this version supports, and those it does not."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "APPROVAL",
    "APPROVALS",
    "CHANNELS",
    "CONDITION",
    "DENIALS",
    "FILE",
    "GPU",
    "GPU_MAXIMA",
    "GPU_SECONDS",
    "GPU_WORDS",
    "GRANT",
    "LIMIT",
    "MATCH",
    "PREDICATE",
    "RATE",
    "RULE",
    "Keys",
]


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one kind of object: those supported *now*, and those only *later*."""

    now: frozenset[str]
    later: frozenset[str] = frozenset()


FILE = Keys(
    frozenset(
        (
            *("$schema", "version", "description", "default", "hide", "all_tools", "tools"),
            *("classes", "gpu", "grants", "denials", "approvals"),
        )
    )
)

RULE = Keys(
    frozenset(
        (
            *("action", "reason", "on_deny", "require", "deny_if", "limits", "rate_limit"),
            *("require_approval", "gpu"),
        )
    )
)

PREDICATE = Keys(frozenset({"name", "conditions", "reason", "on_deny"}))

CONDITION = Keys(frozenset({"name", "path", "op", "value"}))

LIMIT = Keys(
    frozenset(
        (
            *("counter", "window", "max", "scope", "increment", "increment_from"),
            *("algorithm", "refund", "name", "reason", "on_deny"),
        )
    )
)

RATE = Keys(frozenset({"max", "window", "scope"}))

APPROVAL = Keys(frozenset({"reason", "when", "channel", "expires", "max_uses"}))

APPROVALS = Keys(frozenset({"channel", "expires", "max_pending", "wait_s", "webhook"}))

CHANNELS = frozenset({"operator", "elicitation", "any"})
"""Who may answer: a person at the operator's tools, the client's user, or whoever is there."""

GPU_MAXIMA = {
    "max_steps": "steps",
    "max_total_steps": "total_steps",
    "max_width": "width",
    "max_height": "height",
    "max_megapixels": "megapixels",
    "max_batch": "batch",
    "max_frames": "frames",
    "max_nodes": "nodes",
    "max_workflow_bytes": "bytes",
    "max_queue_depth": "queue_depth",
}
"""Keys of ``gpu`` that limit one fact, and the fact's name."""

_WORDS = frozenset({"deny", "approve", "allow"})

GPU_WORDS = {
    "ownership": frozenset({"own", "any"}),
    "api_nodes": _WORDS,
    "queue_jump": _WORDS,
    "global_interrupt": _WORDS,
    "undetermined": _WORDS,
}
"""Keys of ``gpu`` that are one of a few words."""

GPU = Keys(
    frozenset(
        (
            *GPU_MAXIMA,
            *GPU_WORDS,
            *("max_in_flight", "max_seconds_per_job", "gpu_seconds", "output_prefix"),
            *("allow_node_classes", "deny_node_classes", "allow_models", "deny_models"),
        )
    )
)

GPU_SECONDS = Keys(frozenset({"window", "max", "scope", "algorithm"}))

GRANT = Keys(
    frozenset(
        (
            *("match", "description", "expires_at", "revoked", "default", "hide", "all_tools"),
            *("tools", "gpu", "tags"),
        )
    )
)

MATCH = Keys(
    frozenset({"stdio"}),
    later=frozenset({"token_sha256", "issuer", "subject", "client_id", "scope"}),
)

DENIALS = Keys(frozenset({"max", "window", "cooldown"}))
