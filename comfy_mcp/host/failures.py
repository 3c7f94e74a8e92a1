"""Foreign errors into ours, in one place: what happened between us and ComfyUI, and what to do."""

from __future__ import annotations

import asyncio
import os
import re
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
    WorkerDead,
)
from comfy_mcp.host.advice import advise
from comfy_mcp.host.answers import refused
from comfy_mcp.host.cleaning import cut, line, word
from comfy_mcp.host.problems import NO_CHOICES, Choices, problems_of, unlisted
from comfy_mcp.host.wire import NodeErrors, Refusal

__all__ = [
    "answer_lost",
    "not_comfyui",
    "problems_of",
    "reading",
    "refused",
    "rejected",
    "unlisted_in",
    "unreachable",
    "worker_dead",
]

DESKTOP_PORT = 8000
"""Where ComfyUI Desktop listens; its users look at 8188 in vain."""

MAX_SHOWN = 5
"""Reasons that are told in words: what is read at a glance."""

MAX_ADVICE = 3
MAX_TEXT = 2_000

_NODE = re.compile(r"Node ID '#(.{1,100})'")
_CLASS = re.compile(r"node (.{1,200}) does not exist")


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


def answer_lost(base: str, prompt_id: str, why: str) -> AnswerLost:
    """The job may exist, and nobody said so."""
    return AnswerLost(
        f"The request was sent to ComfyUI at {base}, but its answer was lost ({why}). Do not send"
        f" it again: ask get_job for {prompt_id}.",
        prompt_id=prompt_id,
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


def worker_dead(base: str) -> WorkerDead:
    """ComfyUI answers, but the thread that works on jobs is gone."""
    return WorkerDead(
        "ComfyUI's worker has died: it accepts jobs and works on none. Restart ComfyUI"
        f" (at {base})."
    )


def not_comfyui(base: str, path: str, status: int, why: str) -> NotComfyUI:
    """Something answers, but not as ComfyUI does."""
    return NotComfyUI(
        f"What answers at {base} is not ComfyUI, or not a healthy one: {path} gave HTTP {status},"
        f" {why}. Check COMFYUI_HOST (and its path prefix) and ComfyUI's own log."
    )


def rejected(status: int, body: bytes, choices: Choices = NO_CHOICES) -> HostRejected | None:
    """ComfyUI's refusal of a workflow, with nodes, inputs and reasons; None if it is not one.

    *choices* has what `unlisted_in` asks for.
    """
    refusal = _refusal(body)
    if refusal is None:
        return None
    error, nodes = refusal.error, _nodes(refusal)
    problems = problems_of(nodes, choices) or _of_extra(refusal)
    shown = [str(problem) for problem in problems[:MAX_SHOWN]]
    count = sum(len(node.errors) for node in nodes.values())
    more = f" (and {count - len(shown)} more)" if count > len(shown) else ""
    text = "; ".join(shown) or _in_its_words(refusal)
    return HostRejected(
        f"ComfyUI refused the workflow: {cut(text, MAX_TEXT).rstrip('. ')}{more}."
        + "".join(f" {advice}" for advice in _advice(refusal, problems)),
        kind=word(error.type),
        problems=problems,
        status=status,
    )


def unlisted_in(body: bytes) -> tuple[tuple[str, str], ...]:
    """Class and input of each value whose list a refusal left out because it was long."""
    refusal = _refusal(body)
    return () if refusal is None else unlisted(_nodes(refusal))


def _refusal(body: bytes) -> Refusal | None:
    try:
        return Refusal.model_validate_json(body)
    except ValidationError:
        return None


def _nodes(refusal: Refusal) -> dict[str, NodeErrors]:
    return refusal.node_errors if isinstance(refusal.node_errors, dict) else {}


def _advice(refusal: Refusal, problems: tuple[NodeProblem, ...]) -> tuple[str, ...]:
    """What to try about the first few reasons, each advice once."""
    asked = [(problem.kind, problem.reason) for problem in problems[:MAX_SHOWN]]
    asked = asked or [(refusal.error.type, _in_its_words(refusal))]
    found = (advise(kind, reason) for kind, reason in asked)
    return tuple(dict.fromkeys(text for text in found if text))[:MAX_ADVICE]


def _of_extra(refusal: Refusal) -> tuple[NodeProblem, ...]:
    """The one node that a refusal is about, though no node has errors."""
    error = refusal.error
    node_id, class_type = error.extra_info.get("node_id"), error.extra_info.get("class_type")
    if node_id is None:
        # Before 0.12 it is told in words only.
        found = _NODE.search(error.details)
        if error.type != "invalid_prompt" or found is None:
            return ()
        named = _CLASS.search(error.message)
        node_id, class_type = found[1], named[1] if named else None
    kind = word(class_type or "no class_type")
    return (NodeProblem(word(node_id), kind, None, word(error.type), line(error.message)),)


def _in_its_words(refusal: Refusal) -> str:
    """ComfyUI's message and what it adds to it."""
    message, details = line(refusal.error.message), line(refusal.error.details)
    return f"{message}: {details}" if details and details != message else message
