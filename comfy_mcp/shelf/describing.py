"""What a workflow takes and gives, and what this ComfyUI lacks for it, in a short answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import anyio
from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import HostError, WorkflowError
from comfy_mcp.library import Draft, Source, source_of
from comfy_mcp.shelf.found import Found, classes_in, made
from comfy_mcp.shelf.parameters import fitting, folder_of
from comfy_mcp.workflow import Graph, Manifest, Node, Parameter, nearest

if TYPE_CHECKING:
    from comfy_mcp.host.client import ComfyHost
    from comfy_mcp.shelf.shelf import Shelf
    from comfy_mcp.workflow.schema import InputSpec, Schemas

__all__ = ["Described", "MissingChoice", "MissingNode", "OutputNode", "described"]

MOST_MISSING = 20
MOST_NOTES = 10
MOST_OUTPUTS = 20
MOST_VALUE = 200
PLACEHOLDER = "PARAM_"
MOST_WORDS = 1_000
NO_OUTPUT = "No node puts anything out, so ComfyUI refuses it. Add SaveImage or the like."
ANY = {"description": "NODE_ID.input: any other value that stands in a node"}
"""As JSON Schema: what a workflow of the caller's own takes besides its parameters."""

MOST_CHARS = 9_000
"""Of the parameters: the whole stays below 20,000."""


class MissingNode(BaseModel):
    """A node class that this ComfyUI does not have."""

    model_config = ConfigDict(frozen=True)

    class_type: str
    near: str | None = None


class MissingChoice(BaseModel):
    """What a node cannot choose here: mostly a model that is not there."""

    model_config = ConfigDict(frozen=True)

    value: str
    folder: Annotated[str | None, Field(description="Of models")] = None
    node: Annotated[str, Field(description="node id.input")]
    parameter: Annotated[str | None, Field(description="Set it to what is there")] = None
    near: str | None = None


class OutputNode(BaseModel):
    """A node that makes outputs."""

    model_config = ConfigDict(frozen=True)

    node_id: str
    class_type: str


class Described(BaseModel):
    """One workflow."""

    model_config = ConfigDict(frozen=True)

    name: str
    source: Source
    title: str
    description: str | None = None
    parameters: Annotated[dict[str, Any] | None, Field(description="JSON Schema of params")] = None
    nodes: int
    outputs: list[OutputNode] = []
    runnable: Annotated[bool | None, Field(description="Nothing is missing; not: allowed")] = None
    missing_nodes: list[MissingNode] = []
    missing_choices: list[MissingChoice] = []
    notes: list[str] = []


async def described(shelf: Shelf, name: str, host: ComfyHost, grant: str) -> Described:
    """The workflow *name* as *grant* can run it on *host*.

    Raises:
        WorkflowError: there is none of that name, or its file is broken.
        HostError: ComfyUI keeps it, and does not answer.
        StateError: the folder of saved workflows cannot be used.
    """
    draft = await shelf.draft(name, host, grant=grant)
    classes = await anyio.to_thread.run_sync(_classes, draft)
    try:
        schemas = await host.schemas(classes)
        every = await host.nodes() if classes - schemas.keys() else schemas
    except HostError as error:
        return await anyio.to_thread.run_sync(_offline, name, draft, error)
    return await anyio.to_thread.run_sync(_online, name, draft, schemas, tuple(every))


def _classes(draft: Draft) -> frozenset[str]:
    if draft.graph is None:
        return classes_in(draft)
    return frozenset(node.class_type for node in draft.graph.nodes.values())


def _offline(name: str, draft: Draft, error: HostError) -> Described:
    """What can be said without ComfyUI."""
    note = f"ComfyUI does not answer, so choices and what is missing are not known: {error}"
    return _about(name, draft, _told(draft), len(_nodes(draft)), notes=[note])


def _told(draft: Draft) -> dict[str, Any] | None:
    """The parameters as far as the file alone shows them."""
    if draft.graph is None and not draft.told:
        return None
    return fitting(draft.manifest, None, None, MOST_CHARS)


def _online(name: str, draft: Draft, schemas: Schemas, every: Sequence[str]) -> Described:
    try:
        found = made(name, draft, schemas, every)
    except WorkflowError as error:
        # What is muted may be missing: only where it cannot be converted do missing nodes matter.
        lacking = list(_missing_nodes(_classes(draft) - schemas.keys(), every))
        if not lacking:
            raise
        nodes = len(_nodes(draft))
        return _about(name, draft, _told(draft), nodes, notes=[str(error)], missing_nodes=lacking)
    manifest = found.manifest or draft.manifest
    used = frozenset(node.class_type for node in found.graph.nodes.values())
    lacking = list(_missing_nodes(used - schemas.keys(), every))
    choices = list(_missing_choices(found, manifest, schemas, told=draft.told))
    outputs = list(_outputs(found.graph, schemas))
    idle = () if outputs or lacking else (NO_OUTPUT,)
    return _about(
        name,
        draft,
        fitting(manifest, found.graph, schemas, MOST_CHARS),
        len(found.graph.nodes),
        notes=[*idle, *found.notes],
        outputs=outputs,
        missing_nodes=lacking,
        missing_choices=choices,
        runnable=bool(outputs) and not lacking and not choices,
    )


def _about(
    name: str,
    draft: Draft,
    parameters: dict[str, Any] | None,
    nodes: int,
    *,
    notes: Sequence[str] = (),
    outputs: Sequence[OutputNode] = (),
    missing_nodes: Sequence[MissingNode] = (),
    missing_choices: Sequence[MissingChoice] = (),
    runnable: bool | None = None,
) -> Described:
    split = source_of(name)
    source = split[0] if split else Source.LIBRARY
    if parameters is not None and source is Source.SAVED:
        parameters = {**parameters, "additionalProperties": ANY}
    return Described(
        name=name,
        source=source,
        title=draft.manifest.title,
        description=_cut(draft.manifest.description, MOST_WORDS) or None,
        parameters=parameters,
        nodes=nodes,
        outputs=list(outputs[:MOST_OUTPUTS]),
        runnable=False if missing_nodes else runnable,
        missing_nodes=list(missing_nodes[:MOST_MISSING]),
        missing_choices=list(missing_choices[:MOST_MISSING]),
        notes=[
            *(_cut(note, MOST_VALUE) for note in notes[:MOST_NOTES]),
            *_rest("missing_nodes", missing_nodes),
            *_rest("missing_choices", missing_choices),
        ],
    )


def _rest(what: str, found: Sequence[object]) -> list[str]:
    rest = len(found) - MOST_MISSING
    return [f"{rest} more {what} are not shown."] if rest > 0 else []


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _nodes(draft: Draft) -> Sequence[object]:
    return tuple(draft.graph.nodes) if draft.graph else (draft.editor or {}).get("nodes", ())


def _outputs(graph: Graph, schemas: Schemas) -> Iterator[OutputNode]:
    for node in graph.nodes.values():
        schema = schemas.get(node.class_type)
        if schema is not None and schema.output_node:
            yield OutputNode(node_id=node.id, class_type=node.class_type)


def _missing_nodes(classes: Iterable[str], every: Sequence[str]) -> Iterator[MissingNode]:
    for number, name in enumerate(sorted(classes)):
        # Near names take long to find among thousands, and what is not shown needs none.
        near = nearest(name, every) if number < MOST_MISSING else None
        yield MissingNode(class_type=_cut(name, MOST_VALUE), near=near)


def _missing_choices(
    found: Found, manifest: Manifest, schemas: Schemas, *, told: bool
) -> Iterator[MissingChoice]:
    """What nodes are to choose and cannot, unless a parameter has to be given for it anyway.

    Not *told*: what has to be given only because this host lacks what the graph has is missing.
    """
    filled = {(each.node, each.input): one for one in manifest.parameters for each in one.fills}
    seen: set[tuple[str, str, str]] = set()
    for node in found.graph.nodes.values():
        for spec in _active(node, schemas):
            parameter = filled.get((node.id, spec.name))
            kept = parameter is None or (parameter.required and not told)
            value = node.inputs.get(spec.name) if parameter is None or kept else parameter.default
            if not isinstance(value, str) or not _lacks(node, spec, value):
                continue
            key = (node.class_type, spec.name, value)
            if key not in seen:
                seen.add(key)
                yield _missing(node, spec, value, parameter, told=len(seen))


def _missing(
    node: Node, spec: InputSpec, value: str, parameter: Parameter | None, told: int
) -> MissingChoice:
    choices = [each for each in spec.choices or () if isinstance(each, str)]
    return MissingChoice(
        value=_cut(value, MOST_VALUE),
        folder=folder_of(node.class_type, spec.name),
        node=_cut(f"{node.id}.{spec.name}", MOST_VALUE),
        parameter=None if parameter is None else parameter.name,
        near=nearest(value, choices) if told <= MOST_MISSING else None,
    )


def _lacks(node: Node, spec: InputSpec, value: str) -> bool:
    """Whether the host would refuse *value*, as far as its choices say so."""
    from comfy_mcp.workflow.checking_own import own_checks  # noqa: PLC0415 - start-up stays light

    if spec.choices is None or value in spec.choices or "remote" in spec.options:
        return False
    if value.startswith(PLACEHOLDER):
        return False
    own = own_checks(node.class_type)
    if own.file == spec.name:
        # Of files it lists only those directly in its input folder, and takes others, too.
        return value not in own.empty and "/" not in value and not value.endswith("]")
    return not own.passes(spec.name)


def _active(node: Node, schemas: Schemas) -> Iterable[InputSpec]:
    schema = schemas.get(node.class_type)
    return () if schema is None else schema.active(node.inputs)
