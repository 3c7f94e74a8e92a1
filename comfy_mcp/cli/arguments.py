"""Arguments of a call that nobody makes, as the server would see them: checked, defaults filled in.

Imports every tool: only for commands that judge calls.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from comfy_mcp.errors import ConfigError, Fault
from comfy_mcp.guard.catalog import canonical
from comfy_mcp.tools.table import TOOLS

__all__ = ["complete", "nearest"]

_NOT_ARGUMENTS = frozenset({"app", "caller"})

_NEEDED = frozenset({("run_workflow", "workflow"), ("run_sweep", "workflow")})
"""What may only be left out where a running server knows it: from an approval, or a former job."""


def complete(tool: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """*given* with the defaults of *tool*, a name or an alias; unchanged for an unknown tool.

    Raises:
        ConfigError: an argument is unknown, missing or cannot be used; it has a fault for each.
    """
    parameters = _parameters(canonical(tool))
    if parameters is None:
        return dict(given)
    filled: dict[str, Any] = {}
    faults = list(_strangers(given, parameters))
    for name, parameter in parameters.items():
        optional = (canonical(tool), name) not in _NEEDED
        if name not in given and optional and parameter.default is not inspect.Parameter.empty:
            filled[name] = parameter.default
            continue
        if name not in given:
            faults.append(Fault(f"/{name}", "it is missing."))
            continue
        try:
            filled[name] = _adapter(parameter).validate_python(given[name])
        except ValidationError as error:
            faults.append(Fault(f"/{name}", "; ".join(one["msg"] for one in error.errors())))
    if faults:
        raise ConfigError(f"The arguments of {tool} cannot be used.", tuple(faults))
    return filled


def nearest(name: str, known: Mapping[str, Any] | list[str]) -> str:
    """A fix for a name that is not among the *known* ones."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f'Did you mean "{close[0]}"?' if close else f"There are: {', '.join(known)}."


def _parameters(tool: str) -> dict[str, inspect.Parameter] | None:
    handlers = {one.name: one.handler for one in TOOLS}
    if tool not in handlers:
        return None
    signature = inspect.signature(handlers[tool], eval_str=True)
    return {
        name: parameter
        for name, parameter in signature.parameters.items()
        if name not in _NOT_ARGUMENTS
    }


def _strangers(given: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Fault]:
    for name in given:
        if name not in known:
            fix = nearest(name, known) if known else "It takes no arguments."
            yield Fault(f"/{name}", "there is no such argument.", fix)


def _adapter(parameter: inspect.Parameter) -> TypeAdapter[Any]:
    return TypeAdapter(parameter.annotation)
