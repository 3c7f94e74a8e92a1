"""Workflows by their whole names, before anybody judges a call.

An agent may say ``poster`` for what it saved itself. What a policy says of ``poster`` is meant of a
workflow of the library, so that name must not reach a rule: the argument is rewritten to
``saved/poster`` first, and everything behind sees only that.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from comfy_mcp.tools.app import App

__all__ = ["NAMED", "with_whole_names"]

NAMED: Mapping[str, str] = MappingProxyType(
    {
        "run_workflow": "workflow",
        "run_sweep": "workflow",
        "validate_workflow": "workflow",
        "edit_workflow": "workflow",
        "list_outputs": "workflow",
        "describe_workflow": "name",
        "delete_workflow": "name",
    }
)
"""Tools that take a workflow by name, and their argument for it."""


async def with_whole_names(
    app: App, tool: str, grant: str, arguments: dict[str, Any]
) -> dict[str, Any]:
    """*arguments* of *tool*, a plain name that means a saved workflow of *grant* written out.

    Raises:
        WorkflowError: a folder of the library cannot be read.
        StateError: the folder of saved workflows cannot be used.
    """
    key = NAMED.get(tool, "")
    name = arguments.get(key)
    if not isinstance(name, str):
        return arguments
    return {**arguments, key: await app.shelf.known_as(name, grant)}
