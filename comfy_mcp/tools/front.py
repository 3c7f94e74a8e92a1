"""The MCP server of this package: the SDK's, with its lists and calls under the guard.

What a caller may not know of answers exactly as what does not exist. Names of arguments are checked
here, since the SDK drops unknown ones in silence.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import anyio
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, CallToolResult, InputRequiredResult, TextContent
from mcp.types import ResourceTemplate as MCPResourceTemplate
from mcp.types import Tool as MCPTool
from pydantic import AnyUrl, ValidationError

from comfy_mcp.errors import ComfyMCPError
from comfy_mcp.guard.catalog import canonical
from comfy_mcp.outputs import parse_uri
from comfy_mcp.tools.adapt import caller_of, register
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.failure import ERROR, failure, faults_in, payload, told, words_of
from comfy_mcp.tools.look import read_output
from comfy_mcp.tools.run import library_in_words
from comfy_mcp.tools.schema import slim
from comfy_mcp.tools.table import TOOLS

__all__ = ["OUTPUT_TEMPLATE", "GuardedServer"]

OUTPUT_TEMPLATE = "comfy://jobs/{prompt_id}/outputs/{number}"


class GuardedServer(MCPServer[Any]):
    """Offers the tools of *app* to the caller named *grant*."""

    def __init__(self, app: App, grant: str, **options: Any) -> None:
        super().__init__(**options)
        self._app = app
        self._grant = grant
        for tool in TOOLS:
            register(self, app, tool, grant)

    async def list_tools(self) -> list[MCPTool]:
        """The tools that the policy shows, in as few bytes as say the same."""
        tools = [_slim(t) for t in await super().list_tools() if self._app.gate.listed(t.name)]
        return [await self._with_library(t) if t.name == "run_workflow" else t for t in tools]

    async def _with_library(self, tool: MCPTool) -> MCPTool:
        words = await anyio.to_thread.run_sync(library_in_words, self._app.library)
        return tool.model_copy(update={"description": f"{tool.description}\n\n{words}"})

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool by its name or an alias; unknown arguments are refused, not dropped."""
        tool = canonical(name)
        if self._app.gate.hidden(name):
            await self._app.gate.note_hidden(Caller(tool=name, grant=self._grant).call())
            return _unknown(name)
        try:
            caller = Caller(tool=name, grant=self._grant, args=arguments)
            await self._app.gate.screen(caller.call())
        except ComfyMCPError as error:
            return failure(error)
        fault = await self._argument_fault(tool, arguments)
        if fault is not None:
            return told(fault, ERROR, {"code": "invalid_args", "retryable": False})
        return await super().call_tool(tool, arguments, context)

    async def list_resource_templates(self) -> list[MCPResourceTemplate]:
        """The outputs of jobs, for callers that may look at them."""
        if not self._app.gate.listed("view_output"):
            return []
        return [
            MCPResourceTemplate(
                uri_template=OUTPUT_TEMPLATE,
                name="output",
                title="Output of a job",
                description="The whole file or text; the uris are in the outputs of get_job.",
            )
        ]

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[Any, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """An output, judged by the policy as view_output is."""
        try:
            if self._app.gate.hidden("view_output"):
                raise MCPError(code=INVALID_PARAMS, message=f"Unknown resource: {str(uri)[:200]}")
            caller = self._reader(context, str(uri))
            await self._app.gate.screen(caller.call())
            prompt_id, number = parse_uri(str(uri))
            content, mime_type = await read_output(self._app, caller, prompt_id, number)
        except ComfyMCPError as error:
            key, body = payload(error)
            raise MCPError(
                code=INVALID_PARAMS, message=words_of(error), data={key: body}
            ) from error
        return [ReadResourceContents(content=content, mime_type=mime_type)]

    def _reader(self, context: Context[Any, Any] | None, uri: str) -> Caller:
        args = {"uri": uri}
        if context is None:
            return Caller(tool="view_output", grant=self._grant, args=args)
        return caller_of(context, "view_output", self._grant, args)

    async def _argument_fault(self, name: str, arguments: dict[str, Any]) -> str | None:
        tool = self._tool_manager.get_tool(name)
        if tool is None:
            return None
        known = list(tool.parameters.get("properties", {}))
        strangers = [key for key in arguments if key not in known]
        if strangers:
            return _strangers(name, strangers, known)
        try:
            tool.fn_metadata.validate_arguments(arguments)
        except ValidationError as error:
            return f"The arguments of {name} cannot be used: {faults_in(error)}."
        return None


def _slim(tool: MCPTool) -> MCPTool:
    return tool.model_copy(
        update={
            "input_schema": slim(tool.input_schema),
            "output_schema": slim(tool.output_schema),
        }
    )


def _unknown(name: str) -> CallToolResult:
    """The SDK's own answer to a tool that does not exist, however long its name."""
    text = TextContent(type="text", text=f"Unknown tool: {name[:128]}")
    return CallToolResult(content=[text], is_error=True)


def _strangers(name: str, strangers: list[str], known: list[str]) -> str:
    words = [_stranger(key[:80], known) for key in strangers[:5]]
    return f"{name} has no argument {', '.join(words)}. It takes: {', '.join(known)}."


def _stranger(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    return f"{key!r} (did you mean {near[0]!r}?)" if near else repr(key)
