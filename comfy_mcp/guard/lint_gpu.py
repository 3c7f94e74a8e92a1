"""``gpu`` blocks that contradict each other, or that lack or waste something."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from comfy_mcp.errors import Fault
from comfy_mcp.guard.lint_reach import SUBMITTING, all_layers, blocks, callers, reached
from comfy_mcp.guard.policy import Gpu

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfy_mcp.guard.policy import Grant, Layer, Policy

__all__ = ["gpu_faults", "gpu_warnings"]


def gpu_faults(policy: Policy) -> Iterator[Fault]:
    """Two prefixes that no name of a file can begin with."""
    told: set[tuple[str, str]] = set()
    for grant, layers in callers(policy):
        for tool in sorted(SUBMITTING):
            for one, other in combinations(_prefixes(grant, layers, tool), 2):
                apart = not one[1].startswith(other[1]) and not other[1].startswith(one[1])
                if apart and (one[0], other[0]) not in told:
                    told.add((one[0], other[0]))
                    yield _apart(one, other)


def gpu_warnings(policy: Policy) -> Iterator[str]:
    """Budgets without a bound for one job, blocks without effect, lists that allow nothing."""
    told: dict[str, None] = {}
    for _, layers in callers(policy):
        for tool in sorted(SUBMITTING):
            told.update(dict.fromkeys(_unbounded(layers, tool)))
    yield from told
    for layer in all_layers(policy):
        yield from _without_effect(layer)
        for block in (layer.gpu, *(rule.gpu for rule in layer.rules)):
            if block is not None:
                yield from _allowing_nothing(block)


def _prefixes(grant: Grant | None, layers: tuple[Layer, ...], tool: str) -> list[tuple[str, str]]:
    """Pointer and text of each prefix in a call; the grant's id is filled in if it is known."""
    who = "{grant}" if grant is None else grant.id
    return sorted(
        (block.pointer("output_prefix"), block.output_prefix.replace("{grant}", who))
        for block in blocks(layers, tool)
        if block.output_prefix is not None
    )


def _apart(one: tuple[str, str], other: tuple[str, str]) -> Fault:
    return Fault(
        other[0],
        f'no file can be named to begin with "{other[1]}" and with "{one[1]}" ({one[0]}).',
        "Let one of the two begin with the other.",
    )


def _unbounded(layers: tuple[Layer, ...], tool: str) -> Iterator[str]:
    found = list(blocks(layers, tool))
    if any(block.max_seconds_per_job_ms is not None for block in found):
        return
    for block in found:
        if block.gpu_seconds:
            yield (
                f"{block.pointer('gpu_seconds')}: there is no max_seconds_per_job, so a job may run"
                " past the budget, and the first job of its kind reserves 300 s (or the whole"
                " budget, if that is less) until it has ended. Add max_seconds_per_job."
            )


def _without_effect(layer: Layer) -> Iterator[str]:
    """Blocks in rules for tools that start nothing: of those only two keys say something."""
    for rule in layer.rules:
        tools = reached(rule)
        if rule.gpu is None or not tools or tools & SUBMITTING:
            continue
        rest = replace(rule.gpu, ownership=None, global_interrupt=None)
        if rest != Gpu(rule.gpu.where):
            yield (
                f"{rule.gpu.where}: {rule.match} starts no job, so only ownership and"
                " global_interrupt have an effect here. Move the rest to run_workflow."
            )


def _allowing_nothing(block: Gpu) -> Iterator[str]:
    if block.allow_node_classes is not None and not block.allow_node_classes.patterns:
        yield (
            f"{block.allow_node_classes.where}: an empty list allows no node at all: every run will"
            " be denied. Name node classes, or remove it."
        )
    for folder, globs in block.allow_models:
        if not globs.patterns:
            what = "any model" if folder == "*" else f"a model of {folder}"
            yield f"{globs.where}: an empty list denies every run that loads {what}."
