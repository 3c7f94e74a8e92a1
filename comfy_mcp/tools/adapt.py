"""A tool's value into the function that the MCP SDK registers."""

from __future__ import annotations

import base64
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any

from mcp.server.mcpserver import Context, Elicit, ElicitationResult, MCPServer, Resolve
from mcp.types import CallToolResult, ImageContent, ResourceLink, TextContent, ToolAnnotations
from pydantic import BaseModel

from comfy_mcp.errors import ComfyMCPError
from comfy_mcp.guard.catalog import ToolClass
from comfy_mcp.tools.app import App, Caller, Say
from comfy_mcp.tools.client_roots import ROOTS, declared, folders_of
from comfy_mcp.tools.eliciting import Confirm, ask, heard
from comfy_mcp.tools.failure import failure, let_go
from comfy_mcp.tools.look import Shown
from comfy_mcp.tools.source import settled_early
from comfy_mcp.tools.table import Tool

__all__ = ["caller_of", "register"]

RUNS = frozenset({"run_workflow", "run_sweep"})
"""What is judged as a whole once it is known what will be sent."""

LEAST = 0.001
"""Percent by which progress grows when nothing but its words has changed."""


def register(server: MCPServer[Any], app: App, tool: Tool, identity: str) -> None:
    """Offer *tool* on *server* to the caller named *identity*."""
    server.add_tool(
        _function(app, tool, identity),
        name=tool.name,
        title=tool.title,
        description=inspect.getdoc(tool.handler),
        annotations=_hints(tool),
        structured_output=tool.structured,
    )


def caller_of(
    ctx: Context[Any, Any] | None,
    app: App,
    tool: str,
    identity: str,
    args: Mapping[str, Any] | None = None,
) -> Caller:
    """Who calls: the identity is the operator's word, the client's name its own claim."""
    grant = app.gate.grant(identity)
    if ctx is None:
        return Caller(tool=tool, identity=identity, grant=grant, args=args)
    params = ctx.session.client_params
    client = params.client_info.name[:80] if params and params.client_info else None
    return Caller(
        tool=tool,
        identity=identity,
        grant=grant,
        client=client,
        args=args,
        say=_say(ctx),
    )


def _function(app: App, tool: Tool, identity: str) -> Callable[..., Awaitable[Any]]:
    """A function with the handler's signature, less the app and the caller.

    Plus arguments that no client sees: the context, what the client was asked if it was, and its
    folders where they count.
    """
    handler = inspect.signature(tool.handler, eval_str=True)
    taken = [one for name, one in handler.parameters.items() if name not in {"app", "caller"}]
    parameters = [*taken, *declared(app, tool.name), _hidden("ctx", Context)]
    returned = handler.return_annotation if tool.structured else CallToolResult

    async def attempt(caller: Caller) -> CallToolResult:
        try:
            # Now that defaults are filled in: before anything is read for the call.
            await app.gate.screen(_screened(tool, caller).call(), checked=True)
            result = await tool.handler(app, caller, **(caller.args or {}))
        except ComfyMCPError as error:
            answer = failure(error)
            let_go(error)
            return answer
        return _blocks(result) if isinstance(result, Shown) else _structured(result)

    def who(ctx: Context[Any, Any], arguments: dict[str, Any]) -> Caller:
        folders = folders_of(arguments.pop(ROOTS, None))
        return replace(caller_of(ctx, app, tool.name, identity, arguments), roots=folders)

    async def asking(**arguments: Any) -> Any:
        ctx = arguments.pop("ctx")
        return await ask(app, ctx, who(ctx, arguments), attempt)

    async def call(**arguments: Any) -> Any:
        answer = arguments.pop("answer")
        return await heard(app, who(arguments.pop("ctx"), arguments), answer, attempt)

    resolved = Annotated[ElicitationResult[Confirm], Resolve(asking)]
    _sign(asking, "asking", parameters, Confirm | Elicit[Confirm])
    _sign(call, tool.name, [*parameters, _hidden("answer", resolved)], returned)
    return call


def _screened(tool: Tool, caller: Caller) -> Caller:
    """The caller, without arguments that do not say yet what rules about them are to look at."""
    early = tool.name not in RUNS or settled_early(caller.args or {})
    return caller if early else replace(caller, args=None)


def _hidden(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)


def _sign(
    function: Callable[..., Any], name: str, parameters: list[inspect.Parameter], returned: Any
) -> None:
    """Give *function* a signature; the SDK reads it for names and defaults, and annotations."""
    given = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    function.__name__ = name
    function.__signature__ = inspect.Signature(given, return_annotation=returned)  # type: ignore[attr-defined]  # read by inspect
    function.__annotations__ = {one.name: one.annotation for one in given} | {"return": returned}


def _hints(tool: Tool) -> ToolAnnotations:
    return ToolAnnotations(
        title=tool.title,
        read_only_hint=tool.kind is ToolClass.READ,
        destructive_hint=tool.kind is ToolClass.DESTRUCTIVE,
        idempotent_hint=tool.repeatable,
        open_world_hint=False,
    )


def _say(ctx: Context[Any, Any]) -> Say:
    """Progress that only grows, as the protocol demands, also where only the words are new."""
    last, said = -LEAST, ""

    async def say(percent: float, words: str) -> None:
        nonlocal last, said
        if percent > last or words != said:
            last, said = round(max(percent, last + LEAST), 3), words
            await ctx.report_progress(last, 100, words)

    return say


def _structured(result: BaseModel) -> CallToolResult:
    """The result without what is not known: nulls tell a model nothing and cost it context."""
    content = result.model_dump(mode="json", exclude_none=True)
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=content)


def _blocks(shown: Shown) -> CallToolResult:
    """A picture for the eye, links for the files, a line of JSON for the model.

    No structured content: several clients show nothing else once it is there.
    """
    content: list[Any] = [TextContent(type="text", text=shown.words)]
    content += [
        ResourceLink(
            type="resource_link",
            uri=link.output.uri,
            name=link.output.filename or f"text of node {link.output.node_id}",
            mime_type=link.output.mime_type,
            size=link.size,
        )
        for link in shown.links
    ]
    if shown.picture is not None:
        data = base64.b64encode(shown.picture.jpeg).decode()
        content.insert(0, ImageContent(type="image", data=data, mime_type="image/jpeg"))
    return CallToolResult(content=content)
