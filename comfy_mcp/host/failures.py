"""Foreign errors into ours, in one place: what happened between us and ComfyUI, and what to do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlsplit

import aiohttp
from pydantic import ValidationError

from comfy_mcp.errors import (
    AnswerLost,
    HostRejected,
    HostTimeout,
    HostUnreachable,
    NodeProblem,
    NotComfyUI,
)
from comfy_mcp.host.wire import NodeErrors, Refusal

__all__ = [
    "answer_lost",
    "ids_of_its_own",
    "lost_or_unreachable",
    "not_comfyui",
    "problems_of",
    "reading",
    "rejected",
    "unreachable",
]

DESKTOP_PORT = 8000
"""Where ComfyUI Desktop listens; its users look at 8188 in vain."""

_HINTS = {
    "empty_list": "this ComfyUI has no such model at all: put its file into the models folder",
    "value_not_in_list": "choose one of the values that this ComfyUI has",
    "missing_node_type": "this ComfyUI does not have that node: install its pack or use another",
    "prompt_no_outputs": "add an output node such as SaveImage or PreviewImage",
}


@contextmanager
def reading(base: str) -> Generator[None]:
    """Errors of a request that changes nothing."""
    try:
        yield
    except TimeoutError as error:
        raise HostTimeout(
            f"ComfyUI at {base} did not answer in time. It may be loading a model or be stuck:"
            " try again, then look at its own log."
        ) from error
    except aiohttp.ClientError as error:
        raise HostUnreachable(
            f"The connection to ComfyUI at {base} broke ({type(error).__name__}). Try again; if it"
            " stays so, look whether ComfyUI is still running."
        ) from error


@contextmanager
def lost_or_unreachable(base: str, prompt_id: str) -> Generator[None]:
    """Errors of a request that changes something: either it was never sent, or nobody knows."""
    try:
        yield
    except (TimeoutError, aiohttp.ClientError) as error:
        raise answer_lost(base, prompt_id, type(error).__name__) from error


def answer_lost(base: str, prompt_id: str, why: str) -> AnswerLost:
    """The job may exist, and nobody said so."""
    return AnswerLost(
        f"The request was sent to ComfyUI at {base}, but its answer was lost ({why}). Do not send"
        f" it again: ask get_job for {prompt_id}.",
        prompt_id=prompt_id,
    )


def ids_of_its_own(theirs: str | None) -> HostRejected:
    """ComfyUI gives jobs ids of its own; *theirs* is that of a job which it queued all the same."""
    done = (
        "Nothing was sent."
        if theirs is None
        else (
            "The job was taken out of the queue again, unless it had begun: then it runs on as"
            f" {theirs}."
        )
    )
    return HostRejected(
        "This ComfyUI is older than 0.3.45, or a fork, and gives jobs ids of its own, so that they"
        f" can be neither followed nor stopped safely: update ComfyUI. {done}",
        kind="ids_of_its_own",
        status=200,
    )


async def unreachable(
    base: str, error: aiohttp.ClientError, *, desktop_port: int = DESKTOP_PORT
) -> HostUnreachable:
    """Nobody listens there; looks whether ComfyUI Desktop's port answers instead."""
    reason = _reason(error)
    local = urlsplit(base)
    here = local.hostname in {"127.0.0.1", "localhost", "::1"} and local.port != desktop_port
    if here and await _answers("127.0.0.1", desktop_port):
        return HostUnreachable(
            f"No ComfyUI at {base} ({reason}), but something answers at port {desktop_port},"
            f" where ComfyUI Desktop listens: set COMFYUI_HOST=127.0.0.1:{desktop_port}."
        )
    port = " (that is port 80; ComfyUI's own is 8188)" if base.startswith("http:") else ""
    return HostUnreachable(
        f"No ComfyUI at {base} ({reason}). Start ComfyUI, or set COMFYUI_HOST to where it runs"
        f"{port if local.port is None else ''}."
    )


def _reason(error: aiohttp.ClientError) -> str:
    if isinstance(error, aiohttp.ClientSSLError):
        return "TLS failed: it does not speak https, or its certificate is not trusted"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "there is no such host name"
    number = error.os_error.errno if isinstance(error, aiohttp.ClientConnectorError) else None
    return os.strerror(number) if number and number > 0 else "no connection in time"


async def _answers(host: str, port: int, seconds: float = 1.0) -> bool:
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def not_comfyui(base: str, path: str, status: int, why: str) -> NotComfyUI:
    """Something answers, but not as ComfyUI does."""
    if status in {401, 403}:
        return NotComfyUI(
            f"{base} refused us with HTTP {status}. It wants credentials, or is a proxy that does:"
            " set COMFYUI_API_KEY or COMFYUI_HEADERS."
        )
    return NotComfyUI(
        f"What answers at {base} is not ComfyUI, or not a healthy one: {path} gave HTTP {status},"
        f" {why}. Check COMFYUI_HOST (and its path prefix) and ComfyUI's own log."
    )


def rejected(status: int, body: bytes) -> HostRejected | None:
    """ComfyUI's refusal of a workflow, with nodes, inputs and reasons; None if it is not one."""
    try:
        refusal = Refusal.model_validate_json(body)
    except ValidationError:
        return None
    errors = refusal.node_errors if isinstance(refusal.node_errors, dict) else {}
    problems = problems_of(errors) or _of_extra(refusal)
    shown = "; ".join(str(problem) for problem in problems[:5])
    more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""  # noqa: PLR2004 - what is read at a glance
    text = shown or " ".join(filter(None, (refusal.error.message, refusal.error.details)))
    kinds = [refusal.error.type, *(problem.kind for problem in problems)]
    kinds += ["empty_list"] if any("not in []" in problem.reason for problem in problems) else []
    hint = next((f" What to do: {text}." for kind, text in _HINTS.items() if kind in kinds), "")
    return HostRejected(
        f"ComfyUI refused the workflow: {text[:2_000].rstrip('. ')}{more}.{hint}",
        kind=refusal.error.type,
        problems=problems,
        status=status,
    )


def problems_of(errors: dict[str, NodeErrors]) -> tuple[NodeProblem, ...]:
    """ComfyUI's node_errors, one value a reason; texts cut, tracebacks left behind."""
    return tuple(
        NodeProblem(
            node_id=node_id,
            node_type=node.class_type,
            input_name=_input_name(fault.extra_info.get("input_name")),
            kind=fault.type,
            reason=f"{fault.message} ({fault.details})"[:400] if fault.details else fault.message,
        )
        for node_id, node in errors.items()
        for fault in node.errors
    )


def _of_extra(refusal: Refusal) -> tuple[NodeProblem, ...]:
    info = refusal.error.extra_info
    node_id = info.get("node_id")
    if node_id is None:
        return ()
    kind = str(info.get("class_type") or "")
    return (NodeProblem(str(node_id), kind, None, refusal.error.type, refusal.error.message),)


def _input_name(value: object) -> str | None:
    return value if isinstance(value, str) else None
