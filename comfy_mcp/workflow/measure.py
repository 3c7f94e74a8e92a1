"""Facts of a graph: what it will ask of the machine, before anything is sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from comfy_mcp.workflow.digest import canonical, digest
from comfy_mcp.workflow.evaluate import Evaluation, evaluate
from comfy_mcp.workflow.facts import Asked, Facts, Known, Unknown
from comfy_mcp.workflow.graph import Graph, as_link
from comfy_mcp.workflow.loads import models
from comfy_mcp.workflow.nodes import is_own
from comfy_mcp.workflow.nodes.flow import Opaque
from comfy_mcp.workflow.nodes.loading import PICTURE_FILES, picture_names
from comfy_mcp.workflow.nodes.strangers import picture_inputs
from comfy_mcp.workflow.numbers import NUMBERS, count
from comfy_mcp.workflow.reads import job_files
from comfy_mcp.workflow.saves import prefixes

__all__ = ["asked", "measure", "shape"]

_ABOUT_CLASSES = frozenset(("api_nodes", "models", "output_prefixes", *NUMBERS))
_ABOUT_PICTURES = frozenset(NUMBERS) - {"steps"}
_MOST_UNKNOWN = 100
_PACE = frozenset(("sampler_name", "scheduler", "weight_dtype", "upscale_method"))
"""Choices that change how long a job takes."""


def asked(graph: Graph, wanted: Collection[str]) -> Asked:
    """What the host must be asked to determine the *wanted* facts (names of `FACTS`).

    A graph of ComfyUI's own classes that loads no picture needs nothing.
    """
    wants = frozenset(wanted)
    classes = _unknown_classes(graph) if wants & _ABOUT_CLASSES else {}
    pictures = _pictures(graph) if wants & _ABOUT_PICTURES else ()
    return Asked(frozenset(classes), frozenset(pictures))


def measure(graph: Graph, known: Known) -> Facts:
    """Everything about *graph*; it never fails: what cannot be determined is said so."""
    done = evaluate(graph, known)
    numbers = count(done)
    loaded, no_models = models(done)
    saved, no_prefixes = prefixes(done)
    read, no_files = job_files(done)
    strangers = _unknown_classes(graph)
    partners, no_partners = _api_nodes(strangers, known)
    unknown = [
        *numbers.unknown,
        *(("models", each) for each in no_models),
        *(("output_prefixes", each) for each in no_prefixes),
        *(("job_files", each) for each in no_files),
        *(("api_nodes", each) for each in no_partners),
    ]
    return Facts(
        nodes=len(graph.nodes),
        bytes=len(canonical(graph.to_json())),
        megapixels=numbers.megapixels,
        **{name: most for name, most in numbers.largest.items() if name != "megapixels"},
        node_classes=_first_of_each(graph),
        unknown_classes=strangers,
        api_nodes=partners,
        models=loaded,
        output_prefixes=saved,
        job_files=read,
        where=numbers.where,
        undetermined=_gathered(unknown),
    )


def shape(graph: Graph, facts: Facts) -> str:
    """What jobs have in common that take about as long: a digest.

    Classes, sizes, steps, models and samplers count; seeds, words and names of nodes do not.
    """
    classes: dict[str, int] = {}
    paces: dict[str, int] = {}
    for node in graph.nodes.values():
        classes[node.class_type] = classes.get(node.class_type, 0) + 1
        for name in _PACE & node.inputs.keys():
            pace = f"{name}={node.inputs[name]}"
            paces[pace] = paces.get(pace, 0) + 1
    numbers = {name: getattr(facts, name) for name in NUMBERS}
    loaded = {folder: sorted({one.name for one in used}) for folder, used in facts.models.items()}
    return digest({"classes": classes, "paces": paces, "numbers": numbers, "models": loaded})


def _first_of_each(graph: Graph) -> dict[str, str]:
    first: dict[str, str] = {}
    for node in graph.nodes.values():
        first.setdefault(node.class_type, node.id)
    return first


def _unknown_classes(graph: Graph) -> dict[str, str]:
    return {name: node_id for name, node_id in _first_of_each(graph).items() if not is_own(name)}


def _pictures(graph: Graph) -> Iterable[str]:
    done: Evaluation | None = None
    for node in graph.nodes.values():
        own = PICTURE_FILES.get(node.class_type)
        for name in picture_inputs(node.inputs) if own is None else (own,):
            if own is None and is_own(node.class_type):
                continue
            if done is None and as_link(node.inputs.get(name)) is not None:
                done = evaluate(graph, Known())
            text = (done or Evaluation(graph, Known())).view(node).text(name)
            if not isinstance(text, Opaque):
                yield from picture_names(node.class_type, text)


def _api_nodes(strangers: dict[str, str], known: Known) -> tuple[dict[str, str], list[Unknown]]:
    partners: dict[str, str] = {}
    unknown: list[Unknown] = []
    for name, node_id in strangers.items():
        if name not in known.classes:
            why = "is of a class of which the host has said nothing; it might spend credits"
            unknown.append(Unknown(node_id, name, "", why))
        else:
            info = known.classes[name]
            if info is not None and info.api_node:
                partners[name] = node_id
    return partners, unknown


def _gathered(pairs: Iterable[tuple[str, Unknown]]) -> dict[str, tuple[Unknown, ...]]:
    """By fact, each once, and no more than anybody would read."""
    by_fact: dict[str, dict[Unknown, None]] = {}
    for name, unknown in pairs:
        some = by_fact.setdefault(name, {})
        if len(some) < _MOST_UNKNOWN:
            some[unknown] = None
    return {name: tuple(some) for name, some in by_fact.items()}
