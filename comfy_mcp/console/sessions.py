"""Who is signed in: random tokens of which only hashes are kept, bounded in number and in time."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable

__all__ = ["LIFE_S", "MOST", "Session", "Sessions"]

LIFE_S = 12 * 3600.0
MOST = 20
"""Sessions at a time; one more ends the oldest."""

LONGEST = 200
"""Characters of a token that are looked at."""


class Session:
    """One sign-in, until *ends* by the clock it was made with, or until it is *over* before."""

    def __init__(self, ends: float) -> None:
        self.ends = ends
        self.over = False
        self.bells: set[asyncio.Event] = set()
        """Rung when it is over."""


class Sessions:
    """All sign-ins of one console; *clock* is in seconds and never runs backwards."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._open: dict[bytes, Session] = {}

    def begin(self) -> str:
        """Sign somebody in; the token, which is kept nowhere here."""
        self._forget()
        while len(self._open) >= MOST:
            self._end(next(iter(self._open)))
        token = secrets.token_urlsafe(32)
        self._open[_hash(token)] = Session(self._clock() + LIFE_S)
        return token

    def find(self, token: str) -> Session | None:
        """The session that *token* is for, if it has not ended."""
        self._forget()
        if not 0 < len(token) <= LONGEST:
            return None
        # Looked up by its hash: how long that takes says nothing about the token.
        return self._open.get(_hash(token))

    def lasts(self, session: Session) -> bool:
        """Whether *session* goes on."""
        return not session.over and self._clock() < session.ends

    def page_token(self, token: str) -> str:
        """What a page of the session with *token* has to say with every request, 256 bits.

        The page is told once, when it signs in; whoever sees the cookie cannot work it out.
        """
        told = token.encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, told, hashlib.sha256).hexdigest()

    def is_page(self, token: str, said: str) -> bool:
        """Whether *said* is the page token of *token*; how long it takes says nothing."""
        given = said.encode("utf-8", "replace")
        return hmac.compare_digest(given, self.page_token(token).encode())

    def end(self, token: str) -> None:
        """Sign this one out."""
        self._end(_hash(token))

    def end_all(self) -> None:
        """Sign everybody out."""
        for known in list(self._open):
            self._end(known)

    def _forget(self) -> None:
        now = self._clock()
        for known in [known for known, one in self._open.items() if one.ends <= now]:
            self._end(known)

    def _end(self, known: bytes) -> None:
        session = self._open.pop(known, None)
        if session is not None:
            session.over = True
            for bell in session.bells:
                bell.set()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
