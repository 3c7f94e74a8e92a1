"""Signing in with a link of the terminal, and out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import web

from comfy_mcp import __version__
from comfy_mcp.console.answers import Refusal, done, values
from comfy_mcp.console.keys import Keys, Tried
from comfy_mcp.console.parts import Parts, by
from comfy_mcp.console.routes import Ask, keys_of
from comfy_mcp.console.security import Headers, Place
from comfy_mcp.console.sessions import LIFE_S, Sessions

__all__ = ["Door"]

PRESS_ENTER = "Press Enter in the terminal where the console runs, and open the link it prints."

REFUSALS = {
    Tried.USED: "That link was used already.",
    Tried.USED_AGAIN: "That link was used already.",
    Tried.OLD: "That link is too old.",
    Tried.WRONG: "That is no link of this console.",
    Tried.TOO_MANY: "Too many wrong links were tried.",
}

STOLEN = (
    "WARNING: a sign-in link was opened a second time, and refused. If it was not you who opened it"
    " twice, somebody else can read this terminal or that browser's history: press Enter, open the"
    " new link, and sign everybody out on the page."
)
MANY = (
    "WARNING: many wrong sign-in links were tried; they were refused. Links from here work all the"
    " same."
)
FIRST = "The operator's console, for you only; the link works once, within 10 minutes:"
AGAIN = "For another browser, or when you are signed out:"
SIGNED_IN = "Somebody signed in with a link from here."


class Door:
    """Prints links on the operator's terminal (*say*), and turns each into one session."""

    def __init__(
        self,
        parts: Parts,
        place: Place,
        keys: Keys,
        sessions: Sessions,
        say: Callable[[str], None],
    ) -> None:
        self._parts = parts
        self._place = place
        self._keys = keys
        self._sessions = sessions
        self._to = say

    def offer(self, words: str = AGAIN) -> None:
        """Print a new link."""
        self._say(f"{words}\n  {self._place.link(self._keys.new())}")

    async def sign_in(self, ask: Ask) -> web.StreamResponse:
        """A key for a cookie and a token of the page, which is told nowhere else."""
        key: str = keys_of(ask.body, key=str).get("key", "")
        tried = self._keys.take(key)
        if tried is not Tried.GOOD:
            raise self._refusal(tried)
        # Whoever was signed in with this browser is so no more.
        headers = Headers(tuple(ask.request.headers.items()))
        for old in headers.cookies(self._place.cookie):
            self._sessions.end(old)
        token = self._sessions.begin()
        answer = values({"token": self._sessions.page_token(token)})
        self._set(answer, token, int(LIFE_S))
        self.offer(f"{SIGNED_IN} {AGAIN}")
        return answer

    async def session(self, _: Ask) -> web.StreamResponse:
        """What the page has to know of its session."""
        told: dict[str, Any] = {
            "user": by()["user"],
            "state": self._parts.settings.state.name,
            "place": self._parts.place,
            "version": __version__,
        }
        return values(told)

    async def sign_out(self, ask: Ask) -> web.StreamResponse:
        """This browser."""
        keys_of(ask.body)
        self._sessions.end(ask.token)
        return self._left()

    async def sign_out_all(self, ask: Ask) -> web.StreamResponse:
        """Every browser."""
        keys_of(ask.body)
        self._sessions.end_all()
        return self._left()

    def _say(self, words: str) -> None:
        # Without a terminal there is nobody to be told, and the page goes on.
        with suppress(OSError):
            self._to(words)

    def _left(self) -> web.StreamResponse:
        answer = done()
        self._set(answer, "", 0)
        return answer

    def _set(self, answer: web.Response, token: str, seconds: int) -> None:
        answer.set_cookie(
            self._place.cookie,
            token,
            max_age=seconds,
            path="/",
            httponly=True,
            samesite="Strict",
        )

    def _refusal(self, tried: Tried) -> Refusal:
        if tried is Tried.USED:
            self._say(STOLEN)
        if tried is Tried.TOO_MANY:
            wait = {"Retry-After": str(self._keys.wait_s)}
            return Refusal(429, REFUSALS[tried], PRESS_ENTER, wait)
        if tried is Tried.WRONG and self._keys.wait_s:
            self._say(MANY)
        return Refusal(403, REFUSALS[tried], PRESS_ENTER)
