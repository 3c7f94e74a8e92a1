"""Each workflow of the library as a tool of its own: ``run_poster(color, size)``.

Such a tool is another way to write ``run_workflow(workflow="poster", params=...)`` and nothing
more: the guard, the journal and the audit log see that call. What agents saved gets no tool: the
list of tools is the operator's.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
from mcp.types import Tool as MCPTool
from mcp.types import ToolAnnotations

from comfy_mcp.errors import WorkflowError
from comfy_mcp.guard.catalog import ALIASES
from comfy_mcp.guard.catalog import TOOLS as CLASSES
from comfy_mcp.shelf.parameters import json_schema
from comfy_mcp.workflow import Manifest, Parameter

if TYPE_CHECKING:
    from comfy_mcp.library import Library

__all__ = ["MOST_BYTES", "MOST_TOOLS", "OwnTool", "own_tools", "tools_of"]

MOST_TOOLS = 40
MOST_BYTES = 12_000
"""Of names, descriptions and input schemas together: a model reads all of it at every start."""

MOST_NAME = 60
"""Characters of a tool's name; some clients take 64 with a prefix of theirs."""

_MOST_WORDS = 240
_MOST_HINT = 100
_MOST_CHOICES = 12
_REFERENCE = "comfy://"


@dataclass(frozen=True, slots=True)
class OwnTool:
    """The tool *name*, which runs *workflow*; *schema* is that of its arguments."""

    name: str
    workflow: str
    manifest: Manifest
    schema: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def description(self) -> str:
        """What the model reads."""
        words = self.manifest.description or self.manifest.title
        return _cut(f"{words} (workflow {self.workflow})", _MOST_WORDS)

    @property
    def shown(self) -> MCPTool:
        """It as clients list it."""
        return MCPTool(
            name=self.name,
            title=self.manifest.title,
            description=self.description,
            input_schema=dict(self.schema),
            annotations=ToolAnnotations(
                title=self.manifest.title,
                read_only_hint=False,
                destructive_hint=False,
                idempotent_hint=False,
                open_world_hint=False,
            ),
        )

    def fault(self, arguments: Mapping[str, Any]) -> str | None:
        """What is wrong with *arguments*, in words; None if nothing is, as far as can be told."""
        known = self.manifest.names
        strangers = [_stranger(key, known) for key in arguments if key not in known]
        if strangers:
            takes = ", ".join(known) or "nothing"
            return f"{self.name} has no argument {', '.join(strangers[:5])}. It takes: {takes}."
        faults = [fault for one in self.manifest.parameters for fault in _faults(one, arguments)]
        if faults:
            return f"The arguments of {self.name} cannot be used: {'; '.join(faults[:5])}."
        return None


async def tools_of(library: Library) -> dict[str, OwnTool]:
    """The tools of *library* by name; a library that cannot be read has none."""
    return await anyio.to_thread.run_sync(own_tools, library)


def own_tools(library: Library) -> dict[str, OwnTool]:
    """The same, reading files: the first workflows by name, as many as may be shown."""
    try:
        names = library.names()
    except WorkflowError:
        # run_workflow's description says so.
        return {}
    found: dict[str, OwnTool] = {}
    size = 0
    for tool, name in _named(names):
        one = _tool(library, tool, name)
        if one is None:
            continue
        size += len(json.dumps([one.name, one.description, one.schema]))
        if len(found) == MOST_TOOLS or size > MOST_BYTES:
            break
        found[tool] = one
    return found


def _tool(library: Library, tool: str, name: str) -> OwnTool | None:
    """None: the file is broken, or only a ComfyUI can tell what it takes."""
    try:
        draft = library.draft(name)
    except WorkflowError:
        return None
    if draft.graph is None and not draft.told:
        return None
    return OwnTool(tool, name, draft.manifest, _short(json_schema(draft.manifest, None, None)))


def _named(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """A tool's name for each of *names*, no two the same, and none that another tool has."""
    taken = {*CLASSES, *ALIASES}
    # What needs no other spelling gets its name first, whatever else comes to be there.
    for name in sorted(names, key=lambda each: ("-" in each, each)):
        plain = f"run_{name.replace('-', '_')}"[:MOST_NAME]
        tool, number = plain, 2
        while tool in taken:
            tool = f"{plain[: MOST_NAME - 4]}_{number}"
            number += 1
        taken.add(tool)
        yield tool, name


def _short(schema: dict[str, Any]) -> dict[str, Any]:
    properties = {name: _short_property(one) for name, one in schema["properties"].items()}
    return {**schema, "properties": properties}


def _short_property(told: dict[str, Any]) -> dict[str, Any]:
    short = {**told, "description": _cut(told["description"], _MOST_HINT)}
    if len(short.get("enum", ())) > _MOST_CHOICES:
        short["examples"] = short.pop("enum")[:_MOST_CHOICES]
    if isinstance(short.get("default"), str) and len(short["default"]) > _MOST_HINT:
        del short["default"]
    return short


def _faults(parameter: Parameter, arguments: Mapping[str, Any]) -> Iterator[str]:
    if parameter.name not in arguments:
        if parameter.required:
            yield f"{parameter.name} must be given"
        return
    value = arguments[parameter.name]
    # What stands for something else is looked at by the run itself.
    if isinstance(value, str) and (value == "random" or value.startswith(_REFERENCE)):
        return
    problem = parameter.problem(value)
    if problem is not None:
        yield f"{parameter.name} {problem}"


def _stranger(key: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(key[:80], known, 1)
    return f"{key[:80]!r} (did you mean {near[0]!r}?)" if near else repr(key[:80])


def _cut(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 3]}..."
