"""A workflow's file into a value: what it says of itself, and its nodes in either format. Pure."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeGuard

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow import (
    MAX_BYTES,
    Graph,
    Manifest,
    check_targets,
    parse_graph,
    parse_manifest,
    shown,
)

if TYPE_CHECKING:
    from comfy_mcp.workflow.schema import Schemas

__all__ = ["Draft", "drafted", "parts_of", "read_draft", "read_json", "with_parameters"]

_MANIFEST_KEYS = {"title", "description", "parameters", "graph"}


@dataclass(frozen=True, slots=True)
class Draft:
    """A workflow as its file has it.

    Either *graph* or *editor* is there: nodes in API format, or what the editor saved, which takes
    the host's node information to be converted. *told*: the file itself says in *manifest* what its
    parameters are (there may be none); else they are what *graph* shows by itself, whose names
    stay when ComfyUI's word on types and ranges is added.
    """

    manifest: Manifest
    told: bool
    graph: Graph | None = None
    editor: dict[str, Any] | None = None


def read_draft(name: str, raw: bytes) -> Draft:
    """The workflow in the file *name* with the content *raw*, of which not too much was read.

    Raises:
        WorkflowError: it is too big, no JSON, or no workflow.
    """
    if len(raw) > MAX_BYTES:
        raise WorkflowError(f"it is bigger than {MAX_BYTES // 1024**2} MiB. Make it smaller.")
    return drafted(*parts_of(name, read_json(raw)))


def drafted(about: dict[str, Any], nodes: object) -> Draft:
    """A workflow of what is said *about* it and its *nodes*, in either format.

    Raises:
        WorkflowError: one of them cannot be used, or they do not fit together.
    """
    manifest, told = parse_manifest(about), "parameters" in about
    if _is_editors(nodes):
        return Draft(manifest, told, editor=nodes)
    graph = parse_graph(nodes)
    check_targets(manifest, graph)
    known = manifest if told else with_parameters(manifest, graph)
    return Draft(known, told, graph=graph)


def with_parameters(about: Manifest, graph: Graph, schemas: Schemas | None = None) -> Manifest:
    """*about* with the parameters that *graph* names by placeholders, or those that it shows.

    Raises:
        WorkflowError: a placeholder cannot be read.
    """
    # start-up stays light: the library is read for the first list of tools
    from comfy_mcp.workflow.infer import inferred  # noqa: PLC0415 - as above
    from comfy_mcp.workflow.placeholders import placeholders  # noqa: PLC0415 - as above

    named = placeholders(graph, schemas)
    found = named[1] if named is not None else inferred(graph, schemas)
    return about.model_copy(update={"parameters": found.parameters})


def parts_of(name: str, value: object) -> tuple[dict[str, Any], object]:
    """The manifest and the nodes of a file's *value*; a plain export is all nodes.

    Raises:
        WorkflowError: it is neither an export nor an object with a "graph".
    """
    if not _is_object(value) or _is_editors(value):
        return {"title": name}, value
    if all(_is_node(value.get(key)) for key in _MANIFEST_KEYS & value.keys()):
        return {"title": name}, value
    if "graph" not in value:
        raise WorkflowError('it has no "graph". Put the nodes of the API export there.')
    return {key: value[key] for key in value if key != "graph"}, value["graph"]


def read_json(raw: bytes) -> object:
    """*raw* as JSON, strictly: no key twice, no NaN.

    Raises:
        WorkflowError: it is none.
    """
    try:
        # utf-8-sig: some editors on Windows begin a file with a byte order mark.
        return json.loads(
            raw.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_constant
        )
    except (ValueError, RecursionError) as exc:
        raise WorkflowError(f"it is no JSON: {exc}. Export it again.") from exc


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_editors(value: object) -> TypeGuard[dict[str, Any]]:
    """As `workflow.ui` knows it, which is much to import for what is mostly none."""
    return _is_object(value) and isinstance(value.get("nodes"), list)


def _is_node(value: object) -> bool:
    return isinstance(value, dict) and "class_type" in value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, many in Counter(key for key, _ in pairs).items() if many > 1)
        raise ValueError(f'the key "{shown(twice)}" stands twice in one object')
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")
