"""The tables about a graph: what all ``gpu`` blocks in force say about numbers and names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from comfy_mcp.guard.in_force import GraphRules, Models, Names, Number, model_folder
from comfy_mcp.guard.names import denies_class, denies_model
from comfy_mcp.guard.policy import Globs, Gpu, Layer, Rule
from comfy_mcp.guard.question import Prefix
from comfy_mcp.guard.vocabulary import GPU_MAXIMA

__all__ = ["Block", "blocks_of", "graph_rules"]

_MANY = 4096
_KEYS = {fact: key for key, fact in GPU_MAXIMA.items()}
_ORDER = tuple(_KEYS)


class Block(NamedTuple):
    """A ``gpu`` block, and what its rule, if it stands in one, tells those it refuses."""

    gpu: Gpu
    reason: str | None


def blocks_of(layers: Iterable[Layer], rules: Iterable[Rule]) -> tuple[Block, ...]:
    """The blocks of *layers* themselves and those of *rules*, by pointer."""
    found = [Block(layer.gpu, None) for layer in layers if layer.gpu is not None]
    found += [Block(rule.gpu, rule.reason) for rule in rules if rule.gpu is not None]
    return tuple(sorted(found, key=lambda block: block.gpu.where))


def graph_rules(blocks: Iterable[Block]) -> GraphRules:
    """All that *blocks* say about graphs; every one of it holds."""
    found = tuple(blocks)
    numbers = _numbers(found)
    allowed = _class_lists(found, "allow_node_classes", lambda globs: globs.matches)
    denied = _class_lists(found, "deny_node_classes", denies_class)
    return GraphRules(
        numbers=tuple(number for number in numbers if number.fact != "queue_depth"),
        queue=next((number for number in numbers if number.fact == "queue_depth"), None),
        any_class=not allowed and not denied,
        class_fault=_class_fault(allowed, denied),
        vouched=lambda name: any(names.fits(name) for names in allowed),
        allow_models=_models(found, "allow_models", lambda globs: globs.matches),
        deny_models=_models(found, "deny_models", denies_model),
        prefixes=_prefixes(found),
    )


def _numbers(blocks: tuple[Block, ...]) -> list[Number]:
    """The smallest maximum of a fact first."""
    found = [
        Number(fact, most, block.gpu.pointer(_KEYS[fact]), block.reason)
        for block in blocks
        for fact, most in block.gpu.most
    ]
    return sorted(found, key=lambda one: (_ORDER.index(one.fact), one.most, one.rule))


def _class_lists(
    blocks: tuple[Block, ...], key: str, test: Callable[[Globs], Callable[[str], bool]]
) -> tuple[Names, ...]:
    found: list[Names] = []
    for block in blocks:
        globs: Globs | None = getattr(block.gpu, key)
        if globs is not None:
            found.append(Names(test(globs), globs.patterns, globs.where, block.reason))
    return tuple(found)


def _class_fault(
    allowed: tuple[Names, ...], denied: tuple[Names, ...]
) -> Callable[[str], tuple[Names, bool] | None]:
    """Remembers its answers: a graph has few classes, and the next one has the same."""

    @lru_cache(maxsize=_MANY)
    def fault(name: str) -> tuple[Names, bool] | None:
        for names in denied:
            if names.fits(name):
                return names, False
        return next(((names, True) for names in allowed if not names.fits(name)), None)

    return fault


def _models(
    blocks: tuple[Block, ...], key: str, test: Callable[[Globs], Callable[[str], bool]]
) -> tuple[Models, ...]:
    found: list[Models] = []
    for block in blocks:
        entries: tuple[tuple[str, Globs], ...] = getattr(block.gpu, key)
        for folder, globs in entries:
            names = Names(test(globs), globs.patterns, globs.where, block.reason)
            found.append(Models(model_folder(folder), names))
    return tuple(found)


def _prefixes(blocks: tuple[Block, ...]) -> tuple[Prefix, ...]:
    """As written; the longest first."""
    found = [
        Prefix(block.gpu.pointer("output_prefix"), block.gpu.output_prefix)
        for block in blocks
        if block.gpu.output_prefix
    ]
    return tuple(sorted(found, key=lambda prefix: (-len(prefix.text), prefix.rule)))
