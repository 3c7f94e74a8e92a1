"""The MCP server of this package: the SDK's, with its lists and calls under the guard.

What a caller may not know of answers exactly as what does not exist. Names of arguments are checked
here, since the SDK drops unknown ones in silence.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from functools import partial
from typing import Any

import anyio
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer, RequestStateSecurity
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolResult,
    Completion,
    CompletionArgument,
    CompletionContext,
    GetPromptResult,
    InputRequiredResult,
    PromptReference,
    ResourceTemplateReference,
    TextContent,
)
from mcp.types import Prompt as MCPPrompt
from mcp.types import ResourceTemplate as MCPResourceTemplate
from mcp.types import Tool as MCPTool
from pydantic import AnyUrl, ValidationError

from comfy_mcp.errors import ComfyMCPError, WorkflowError
from comfy_mcp.guard.catalog import TOOLS as CLASSES
from comfy_mcp.guard.catalog import canonical
from comfy_mcp.outputs import parse_uri
from comfy_mcp.tools.adapt import caller_of, register
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.completing import Completer
from comfy_mcp.tools.eliciting import ASK_SECONDS, within
from comfy_mcp.tools.eras import Eras
from comfy_mcp.tools.failure import ERROR, failure, payload, told, words_of
from comfy_mcp.tools.faults import faults_in
from comfy_mcp.tools.look import read_output
from comfy_mcp.tools.naming import with_whole_names
from comfy_mcp.tools.own_tools import OwnTool, tools_of
from comfy_mcp.tools.prompts import prompt, shown
from comfy_mcp.tools.run import library_in_words
from comfy_mcp.tools.schema import slim
from comfy_mcp.tools.table import TOOLS

__all__ = ["OUTPUT_TEMPLATE", "GuardedServer"]

RUN = "run_workflow"

ANOTHER = (
    "approval_id stands for exactly what was asked under it, and these arguments say something"
    " else, so nothing was run: give the id alone, or leave it out to ask anew."
)

UNSAID: dict[str, object] = {
    "workflow": None,
    "from_prompt_id": None,
    "params": {},
    "front": False,
}
"""What its arguments about the run itself are by default."""

OUTPUT_TEMPLATE = "comfy://jobs/{prompt_id}/outputs/{number}"


class GuardedServer(MCPServer[Any]):
    """Offers the tools of *app* to the caller that the transport calls *identity*.

    A client may take *ask_seconds* to answer a question for its user.
    """

    def __init__(
        self, app: App, identity: str, *, ask_seconds: float = ASK_SECONDS, **options: Any
    ) -> None:
        self._eras = Eras()
        super().__init__(
            middleware=[self._eras],
            subscriptions=self._eras.bus,
            request_state_security=RequestStateSecurity.ephemeral(ttl=ask_seconds),
            **options,
        )
        self._ask_seconds = ask_seconds
        self._app = app
        self._identity = identity
        for tool in TOOLS:
            register(self, app, tool, identity)
        self._shown = self._names()
        self._library: str | None = None
        self._own: list[MCPTool] | None = None
        self._completer = Completer(app, identity)
        self.completion()(self._complete)  # type: ignore[no-untyped-call]  # the SDK tells no types

    async def list_tools(self) -> list[MCPTool]:
        """The tools that the policy shows, in as few bytes as say the same."""
        await self._app.gate.refresh()
        shown = self._names()
        tools = [_slim(tool) for tool in await super().list_tools() if tool.name in shown]
        listed = [await self._with_library(t) if t.name == RUN else t for t in tools]
        own = await self._own_shown(shown)
        # As with the library's words: what was shown first is what later looks are compared with.
        self._own = own if self._own is None else self._own
        return [*listed, *own]

    async def tell_changes(self) -> None:
        """Tell all clients if the caller's list of tools is not what it was at the last look.

        Policy, time (a grant ends) and library (it is part of a description) can change it.
        """
        names = self._names()
        library = await self._words() if RUN in names else self._library
        own = await self._own_shown(names)
        changed = names != self._shown or library != (self._library or library)
        changed = changed or own != (own if self._own is None else self._own)
        self._shown, self._library, self._own = names, library, own
        if changed:
            await self._eras.tools_changed()

    def _names(self) -> tuple[str, ...]:
        gate = self._app.gate
        return tuple(tool.name for tool in TOOLS if gate.listed(self._identity, tool.name))

    async def _own_tools(self, names: Collection[str]) -> dict[str, OwnTool]:
        """The library's workflows as tools, where that is wanted and *names* has run_workflow."""
        if RUN not in names or not self._app.settings.workflow_tools:
            return {}
        return await tools_of(self._app.library)

    async def _own_shown(self, names: Collection[str]) -> list[MCPTool]:
        return [one.shown for one in (await self._own_tools(names)).values()]

    async def _words(self) -> str:
        return await anyio.to_thread.run_sync(library_in_words, self._app.library)

    async def _with_library(self, tool: MCPTool) -> MCPTool:
        words = await self._words()
        # What was shown first is what later looks are compared with.
        self._library = self._library or words
        return tool.model_copy(update={"description": f"{tool.description}\n\n{words}"})

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool by its name or an alias; unknown arguments are refused, not dropped."""
        gate = self._app.gate
        await gate.refresh()
        tool = canonical(name)
        own = None if tool in CLASSES else (await self._own_tools(self._names())).get(name)
        if own is not None:
            return await self._call_own(own, arguments, context)
        caller = caller_of(context, self._app, name, self._identity, arguments)
        if gate.hidden(self._identity, name):
            await gate.note_hidden(caller.call())
            return _unknown(name)
        try:
            await gate.screen(caller.call())
            arguments = await with_whole_names(self._app, tool, caller.grant, arguments)
            arguments = await self._approved(caller, tool, arguments)
        except ComfyMCPError as error:
            return failure(error)
        fault = await self._argument_fault(tool, arguments)
        if fault is not None:
            return told(fault, ERROR, {"code": "invalid_args", "retryable": False})
        call = partial(super().call_tool, tool, arguments, context)
        return await within(self._ask_seconds, call)

    async def _call_own(
        self, own: OwnTool, arguments: dict[str, Any], context: Context[Any, Any] | None
    ) -> CallToolResult | InputRequiredResult:
        """A workflow's own tool is run_workflow under another name, for the policy, too."""
        run = {"workflow": own.workflow, "params": arguments}
        caller = caller_of(context, self._app, RUN, self._identity, run)
        try:
            await self._app.gate.screen(caller.call())
        except ComfyMCPError as error:
            return failure(error)
        fault = own.fault(arguments)
        if fault is not None:
            return told(fault, ERROR, {"code": "invalid_args", "retryable": False})
        return await self.call_tool(RUN, run, context)

    async def _approved(
        self, caller: Caller, tool: str, arguments: dict[str, Any]
    ) -> dict[str, Any]:
        """*arguments*, or those of the call that a person was asked about, if only its id is given.

        What a client fills in by itself says nothing: there are those that send every default.

        Raises:
            Refused: there is no such request of this caller, or it is over.
            WorkflowError: what is given beside the id is not what was asked under it.
        """
        named = arguments.get("approval_id")
        if tool != RUN or not isinstance(named, str):
            return arguments
        asked = await self._app.gate.approved_args(caller.call(), named)
        own = {key: value for key, value in arguments.items() if not _is_unsaid(key, value)}
        if any(key in asked and own[key] != asked[key] for key in own):
            raise WorkflowError(ANOTHER)
        return {**asked, **own}

    async def list_resource_templates(self) -> list[MCPResourceTemplate]:
        """The outputs of jobs, for callers that may look at them."""
        await self._app.gate.refresh()
        if not self._app.gate.listed(self._identity, "view_output"):
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
        gate = self._app.gate
        await gate.refresh()
        args = {"uri": str(uri)}
        caller = caller_of(context, self._app, "view_output", self._identity, args)
        if gate.hidden(self._identity, "view_output"):
            await gate.note_hidden(caller.call())
            raise MCPError(code=INVALID_PARAMS, message=f"Unknown resource: {str(uri)[:200]}")
        try:
            await gate.screen(caller.call())
            prompt_id, number = parse_uri(str(uri))
            content, mime_type = await read_output(self._app, caller, prompt_id, number)
        except ComfyMCPError as error:
            key, body = payload(error)
            raise MCPError(
                code=INVALID_PARAMS, message=words_of(error), data={key: body}
            ) from error
        return [ReadResourceContents(content=content, mime_type=mime_type)]

    async def list_prompts(self) -> list[MCPPrompt]:
        """The prompts about tools that the policy shows."""
        await self._app.gate.refresh()
        return shown(self._has)

    async def get_prompt(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
        context: Context[Any, Any] | None = None,  # noqa: ARG002 - the SDK's signature
    ) -> GetPromptResult:
        """A prompt that names only tools that the policy shows."""
        await self._app.gate.refresh()
        return prompt(self._has, name, arguments)

    def _has(self, tool: str) -> bool:
        return self._app.gate.listed(self._identity, tool)

    async def _complete(
        self,
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion:
        known = (context.arguments if context else None) or {}
        return await self._completer.complete(ref, argument.name, argument.value, known)

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


def _is_unsaid(key: str, value: object) -> bool:
    """Whether an argument of a run says what it says when it is left out."""
    return key in UNSAID and type(value) is type(UNSAID[key]) and value == UNSAID[key]


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
