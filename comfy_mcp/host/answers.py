"""What an answer other than 200 means: one table by what the host calls it, then by its status.

Comfy Cloud and its like answer ``{"code", "message"}`` or ``{"error": {"type", "message"}}``;
proxies answer with pages. Rows that name a word stand before those that know a status only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from comfy_mcp.errors import (
    HostBusy,
    HostError,
    HostRejected,
    HostTimeout,
    HostUnreachable,
    NotComfyUI,
)
from comfy_mcp.host.cleaning import line, word

__all__ = ["ANSWERS", "Answer", "refused"]

MAX_WORDS = 300
MAX_BODY = 100_000
"""Bytes of a body that are read for its words."""


@dataclass(frozen=True, slots=True)
class Answer:
    """*text* says what happened and what to do; *words* are a code or an error's type.

    *kind* is what a refusal is called.
    """

    error: type[HostError]
    text: str
    words: frozenset[str] = frozenset()
    statuses: frozenset[int] = frozenset()
    kind: str = ""


def _row(
    error: type[HostError],
    text: str,
    *,
    words: Iterable[str] = (),
    statuses: Iterable[int] = (),
    kind: str = "",
) -> Answer:
    return Answer(error, text, frozenset(words), frozenset(statuses), kind)


_GAVE = "{path} gave HTTP {status}, with {type}"
_NOTHING_DONE = "so nothing was done"

ANSWERS: tuple[Answer, ...] = (
    _row(
        HostRejected,
        f"The account at {{base}} has no credits left (HTTP {{status}}), {_NOTHING_DONE}. Its"
        f" owner has"
        " to add some.",
        words=["PAYMENT_REQUIRED", "INSUFFICIENT_CREDITS"],
        statuses=[402],
        kind="payment_required",
    ),
    _row(
        HostBusy,
        f"The queue of {{base}} is full for this account (HTTP {{status}}), {_NOTHING_DONE}. Run it"
        " again when one of your jobs has ended.",
        words=["QUEUE_LIMIT", "QUEUE_FULL"],
        kind="queue_limit",
    ),
    _row(
        HostRejected,
        f"{{base}} allows no partner nodes for this account (HTTP {{status}}), {_NOTHING_DONE}."
        f" Use a"
        " workflow without them, or tell the owner.",
        words=["PARTNER_NODE_DISABLED"],
        kind="partner_node_disabled",
    ),
    _row(
        HostBusy,
        f"{{base}} is asked too often (HTTP {{status}}), {_NOTHING_DONE}. Wait a minute, then try"
        " again.",
        words=["RATE_LIMITED", "RATE_LIMIT_EXCEEDED"],
        statuses=[429],
        kind="rate_limited",
    ),
    _row(
        NotComfyUI,
        "{base} refused us with HTTP {status}. It wants credentials, or is a proxy that does: set"
        " COMFYUI_API_KEY or COMFYUI_HEADERS.",
        words=["UNAUTHORIZED", "FORBIDDEN"],
        statuses=[401, 403, 407],
    ),
    _row(
        HostRejected,
        "The workflow is larger than ComfyUI accepts (HTTP {status}). Make it smaller, or start"
        " ComfyUI with a higher --max-upload-size.",
        statuses=[413],
        kind="too_large",
    ),
    _row(
        HostTimeout,
        f"Something between us and ComfyUI at {{base}} gave up waiting for it: {_GAVE}. Try again,"
        f" then"
        " look at ComfyUI's own log.",
        statuses=[408, 504, 522, 524],
    ),
    _row(
        HostUnreachable,
        f"Something answers at {{base}}, but ComfyUI behind it does not: {_GAVE}. Try again in a"
        f" minute;"
        " if it stays so, look whether ComfyUI is running.",
        words=["SERVICE_UNAVAILABLE"],
        statuses=[502, 503, 520, 521, 523, 530],
    ),
    _row(
        NotComfyUI,
        f"{{base}} sends us elsewhere: {_GAVE}. It wants a login (set COMFYUI_HEADERS), or"
        " COMFYUI_HOST must be the address it sends to.",
        statuses=[301, 302, 303, 307, 308],
    ),
    _row(
        NotComfyUI,
        f"ComfyUI at {{base}} broke down over this request: {_GAVE}. ComfyUI's own log says why;"
        f" try"
        " something simpler meanwhile.",
        statuses=[500],
    ),
)
"""The first row that has the word counts, else the first that has the status."""

_ODD = Answer(
    NotComfyUI,
    f"What answers at {{base}} is not ComfyUI, or not a healthy one: {_GAVE} where ComfyUI's JSON"
    f" was"
    " expected. Check COMFYUI_HOST (and its path prefix) and ComfyUI's own log.",
)
_SAID_NO = Answer(HostRejected, "ComfyUI at {base} refused this (HTTP {status}).")
_NO = frozenset({400, 404, 409, 422})
"""Statuses with which a host says no to what was asked, if it says why."""


def refused(base: str, path: str, status: int, kind: str, body: bytes) -> HostError:
    """The error for an answer that is not what was asked for; *kind* is its content type."""
    names, says = _read(body)
    row = _found(names, status) or (_SAID_NO if says and status in _NO else _ODD)
    told = row.text.format(
        base=base, path=path, status=status, type=word(kind or "no content type")
    )
    if says and row is not _ODD:
        told += f" It says: {says}"
    if issubclass(row.error, HostRejected):
        return row.error(told, kind=row.kind or next(iter(names), ""), status=status)
    return row.error(told)


def _found(names: tuple[str, ...], status: int) -> Answer | None:
    def first(fits: Callable[[Answer], bool]) -> Answer | None:
        return next((row for row in ANSWERS if fits(row)), None)

    upper = {name.upper() for name in names}
    return first(lambda row: bool(row.words & upper)) or first(lambda row: status in row.statuses)


def _read(body: bytes) -> tuple[tuple[str, ...], str]:
    """What a JSON body calls the error, and its message; nothing for a page."""
    try:
        content: object = json.loads(body) if len(body) <= MAX_BODY else None
    except (ValueError, RecursionError):
        return (), ""
    if not isinstance(content, dict):
        return (), ""
    outer = cast("dict[str, Any]", content)
    error: object = outer.get("error")
    inner = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    names = (inner.get("type"), inner.get("code"), outer.get("code"), outer.get("type"))
    texts: tuple[object, ...] = (inner.get("message"), outer.get("message"), outer.get("error"))
    said = next((text for text in texts if isinstance(text, str) and text), "")
    return tuple(word(one) for one in names if isinstance(one, str)), line(said, MAX_WORDS)
