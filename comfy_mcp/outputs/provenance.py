"""How an output came to be, in few words: from what is kept of its job, or stands in the file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.outputs.texts import piece

__all__ = ["Provenance", "Source", "models_in", "of_graph", "of_origin", "seeds_in", "with_graph"]

Source = Literal["journal", "comfyui", "file"]

FACTS = 7_500
"""Characters of all that is told, the graph aside, as JSON."""

LENGTHS = (600, 250, 100, 40, 10)
"""Characters of one value that are told: the first of these that keeps to `FACTS`."""

MOST = 40
"""Values, seeds, models and classes that are told, of each kind."""

NAME = 80
"""Characters of a name."""

WHOLE = 12_000
"""Characters of a graph, as JSON, that is handed out as it is; longer ones in pieces."""

_SEEDS = frozenset({"seed", "noise_seed"})

_WEIGHTS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".onnx", ".sft")


class Provenance(BaseModel):
    """How an output was made; what is not known is left out."""

    model_config = ConfigDict(frozen=True)

    uri: str
    filename: str | None = None
    node_id: str
    prompt_id: str
    source: Annotated[
        Source | None,
        Field(description="Who says so: journal (certain), comfyui, or the file itself"),
    ] = None
    workflow: str | None = None
    repeats: Annotated[str | None, Field(description="prompt_id of the run it repeats")] = None
    params: Annotated[dict[str, Any] | None, Field(description="As given")] = None
    values: Annotated[dict[str, Any] | None, Field(description="All parameters as run")] = None
    drawn: Annotated[list[str] | None, Field(description="Left to chance")] = None
    changed: Annotated[list[str] | None, Field(description="By a person")] = None
    seeds: Annotated[dict[str, int] | None, Field(description="By node.input")] = None
    models: dict[str, list[str]] | None = None
    node_classes: dict[str, int] | None = None
    host: Annotated[dict[str, str] | None, Field(description="ComfyUI version and address")] = None
    submitted: str | None = None
    ended: str | None = None
    running_s: Annotated[float | None, Field(description="Time on the GPU")] = None
    graph: Annotated[dict[str, Any] | None, Field(description="For run_workflow")] = None
    graph_text: Annotated[str | None, Field(description="A piece of a long graph's JSON")] = None
    next_cursor: int | None = None
    note: str | None = None


def of_origin(known: Provenance, origin: Mapping[str, Any]) -> Provenance:
    """*known* with what the journal keeps of the job's origin, each value as short as has to be."""
    for longest in LENGTHS:
        told = _of_origin(known, origin, longest)
        if len(told.model_dump_json(exclude_none=True)) <= FACTS:
            return told
    return known.model_copy(update={"source": "journal", "note": "All of it is too long."})


def _of_origin(known: Provenance, origin: Mapping[str, Any], longest: int) -> Provenance:
    left_out = origin.get("left_out")
    found = {
        "source": "journal",
        "workflow": origin.get("workflow"),
        "repeats": origin.get("again") or None,
        "params": _values(origin.get("params"), longest),
        "values": _values(origin.get("values"), longest),
        "drawn": _words(origin.get("drawn"), longest),
        "changed": _words(origin.get("changed"), longest),
        "models": _models(origin.get("models")),
        "host": _host(origin.get("host")),
        "note": "It was too long to be kept whole." if left_out else None,
    }
    told = of_graph(known.model_copy(update=found), origin.get("graph"))
    return told if longest > LENGTHS[-1] else told.model_copy(update={"node_classes": None})


def of_graph(known: Provenance, graph: object) -> Provenance:
    """*known* with what a graph in API format says by itself."""
    nodes = _nodes(graph)
    if not nodes:
        return known
    classes = Counter(str(node.get("class_type"))[:NAME] for node in nodes.values())
    found: dict[str, Any] = {
        "seeds": seeds_in(nodes) or None,
        "node_classes": dict(classes.most_common(MOST)),
    }
    if known.models is None:
        found["models"] = models_in(nodes) or None
    return known.model_copy(update=found)


def with_graph(known: Provenance, graph: object, cursor: int) -> Provenance:
    """*known* with the graph itself, or the piece of it from the character *cursor* on."""
    nodes = _nodes(graph)
    if not nodes:
        return known
    # The classes are in the graph.
    known = known.model_copy(update={"node_classes": None})
    text = json.dumps(nodes, ensure_ascii=False, separators=(",", ":"))
    if cursor == 0 and len(text) <= WHOLE:
        return known.model_copy(update={"graph": nodes})
    part = piece(text, cursor, WHOLE)
    return known.model_copy(
        update={"graph_text": part["text"], "next_cursor": part.get("next_cursor")}
    )


def seeds_in(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """What stands under the names of seeds, by node and input."""
    found = (
        (f"{node_id[:NAME]}.{name}", value)
        for node_id, name, value in _inputs(nodes)
        if name in _SEEDS and isinstance(value, int) and not isinstance(value, bool)
    )
    return dict(islice(found, MOST))


def models_in(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """What looks like a file of weights, by the input's name: all that a graph says by itself."""
    found: dict[str, list[str]] = {}
    for _, name, value in _inputs(nodes):
        if isinstance(value, str) and value.lower().endswith(_WEIGHTS):
            told = value[:NAME]
            if told not in found.setdefault(name[:NAME], []):
                found[name[:NAME]].append(told)
    return _models(found) or {}


def _inputs(nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, object]]:
    for node_id, node in nodes.items():
        inputs = node.get("inputs")
        if isinstance(inputs, Mapping):
            for name, value in cast("Mapping[str, object]", inputs).items():
                yield node_id, name, value


def _nodes(graph: object) -> dict[str, dict[str, Any]]:
    if not isinstance(graph, Mapping):
        return {}
    nodes = cast("Mapping[str, object]", graph)
    return {
        node_id: cast("dict[str, Any]", node)
        for node_id, node in nodes.items()
        if isinstance(node, dict)
    }


def _values(given: object, longest: int) -> dict[str, Any] | None:
    """The first values of *given*, each short."""
    if not isinstance(given, Mapping) or not given:
        return None
    pairs = list(cast("Mapping[str, object]", given).items())[:MOST]
    return {name[:NAME]: _short(value, longest) for name, value in pairs}


def _short(value: object, longest: int) -> object:
    if isinstance(value, bool | int | float) or value is None:
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) > longest:
        return text[:longest] + "…"
    return value


def _words(given: object, longest: int) -> list[str] | None:
    words = cast("list[object]", given) if isinstance(given, list) else []
    return [str(word)[:longest] for word in words[:MOST]] or None


def _models(given: object) -> dict[str, list[str]] | None:
    if not isinstance(given, Mapping):
        return None
    left = MOST
    found: dict[str, list[str]] = {}
    for folder, names in cast("Mapping[str, object]", given).items():
        told = _words(names, NAME) or []
        if told[:left]:
            found[folder[:NAME]] = told[:left]
        left = max(0, left - len(told))
    return found or None


def _host(given: object) -> dict[str, str] | None:
    if not isinstance(given, Mapping):
        return None
    known = cast("Mapping[str, object]", given)
    return {name: str(value)[:NAME] for name, value in known.items() if value} or None
