"""Answers of the console: JSON or bytes, always with the headers that keep a browser strict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

__all__ = ["HEADERS", "Refusal", "data", "done", "refused", "values"]

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), clipboard-read=()",
    "Cache-Control": "no-store",
}
"""What every answer carries, errors and refusals included."""


class Refusal(Exception):
    """A request that is not answered: an HTTP *status*, what is wrong, and what to do about it."""

    def __init__(
        self, status: int, error: str, fix: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.fix = fix
        self.headers = dict(headers or {})


def values(content: Any, status: int = 200) -> web.Response:
    """*content* as JSON."""
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    # What others wrote may hold half of a character: it must not end in an error.
    return data(body.encode("utf-8", "replace"), "application/json; charset=utf-8", status)


def data(body: bytes, content_type: str, status: int = 200) -> web.Response:
    """*body* as it is."""
    headers = {**HEADERS, "Content-Type": content_type}
    return web.Response(status=status, body=body, headers=headers)


def done() -> web.Response:
    """It is done, and there is nothing to say."""
    return web.Response(status=204, headers=dict(HEADERS))


def refused(why: Refusal) -> web.Response:
    """*why* for a program and for a person; the connection ends, whatever else was on its way."""
    answer = values({"error": why.error, "fix": why.fix or None}, why.status)
    answer.headers.update(why.headers)
    answer.force_close()
    return answer
