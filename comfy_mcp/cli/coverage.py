"""Which rules of a policy its tests never met: pure."""

from __future__ import annotations

from collections.abc import Iterator

from comfy_mcp.guard.policy import Gpu, Layer, Policy, Rule

__all__ = ["pointers", "untouched"]


def untouched(policy: Policy, touched: frozenset[str]) -> tuple[str, ...]:
    """Pointers of what neither refused a call of the tests nor took part in one.

    *touched* has pointers, ``grant ID`` and ``code CODE``, as the tests' calls met them.
    """
    return tuple(where for where in pointers(policy) if not _met(policy, where, touched))


def pointers(policy: Policy) -> tuple[str, ...]:
    """Everything in *policy* that can decide something or be taken from, each once, in order."""
    found: list[str] = []
    for file in policy.files:
        found += _of_layer(file.layer)
        for grant in file.grants or ():
            found.append(grant.where)
            found += _of_layer(grant.layer)
        if file.denials is not None:
            found.append(file.denials.where)
    return tuple(dict.fromkeys(found))


def _met(policy: Policy, where: str, touched: frozenset[str]) -> bool:
    grants = {grant.where: grant.id for grant in policy.grants}
    if where in grants:
        return f"grant {grants[where]}" in touched
    if any(file.denials is not None and file.denials.where == where for file in policy.files):
        return "code cooldown" in touched
    return any(one == where or one.startswith(f"{where}/") for one in touched)


def _of_layer(layer: Layer) -> Iterator[str]:
    for hide in layer.hide:
        yield hide.where
    for rule in layer.rules:
        yield from _of_rule(rule)
    if layer.gpu is not None:
        yield from _of_gpu(layer.gpu)


def _of_rule(rule: Rule) -> Iterator[str]:
    parts = [limit.where for limit in rule.limits]
    parts += [predicate.where for predicate in (*rule.require, *rule.deny_if)]
    if rule.approval is not None:
        parts.append(rule.approval.where)
    if rule.gpu is not None:
        parts += _of_gpu(rule.gpu)
    # A rule without parts says yes or no by itself; one with parts is met where they are.
    yield from parts or [rule.where]


def _of_gpu(gpu: Gpu) -> Iterator[str]:
    for name, _ in gpu.most:
        yield gpu.pointer("max_workflow_bytes" if name == "bytes" else f"max_{name}")
    for key in ("max_in_flight", "allow_node_classes", "deny_node_classes", "output_prefix"):
        if getattr(gpu, key) is not None:
            yield gpu.pointer(key)
    for key in ("api_nodes", "ownership", "queue_jump", "global_interrupt", "undetermined"):
        # A word that lets everything pass refuses nothing, so no call can meet it.
        if getattr(gpu, key) not in {None, "allow", "any"}:
            yield gpu.pointer(key)
    if gpu.max_seconds_per_job_ms is not None:
        yield gpu.pointer("max_seconds_per_job")
    yield from (budget.where for budget in gpu.gpu_seconds)
    yield from (globs.where for _, globs in (*gpu.allow_models, *gpu.deny_models))
