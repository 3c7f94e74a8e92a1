"""One-time keys of sign-in links: of those that are out only hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import deque
from collections.abc import Callable
from enum import StrEnum

__all__ = ["LIFE_S", "Keys", "Tried"]

LIFE_S = 600.0
LIVE = 5
"""Keys that are good at a time; one more makes the oldest of them useless."""

REMEMBERED = 50
"""Keys of which it is still known that they were used or are too old."""

WRONG = 10
WINDOW_S = 60.0
"""So many wrong keys in so many seconds, and further wrong ones are told to wait.

A good one is taken even then: nobody guesses 256 bits, and nobody may keep the operator out by
trying.
"""

LONGEST = 200


class Tried(StrEnum):
    """What became of a key that somebody came with."""

    GOOD = "good"
    USED = "used"
    """For the first time since it was used."""
    USED_AGAIN = "used again"
    OLD = "old"
    WRONG = "wrong"
    TOO_MANY = "too many"


class Keys:
    """Makes keys and takes each once; *clock* is in seconds and never runs backwards."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._live: dict[bytes, float] = {}
        self._gone: dict[bytes, Tried] = {}
        self._wrong: deque[float] = deque()

    def new(self) -> str:
        """A key that is good once, for ten minutes."""
        self._age()
        while len(self._live) >= LIVE:
            self._retire(next(iter(self._live)), Tried.OLD)
        key = secrets.token_urlsafe(32)
        self._live[_hash(key)] = self._clock() + LIFE_S
        return key

    def take(self, key: str) -> Tried:
        """Use *key* up."""
        self._age()
        given = _hash(key[:LONGEST])
        if known := _known(self._live, given):
            self._retire(known, Tried.USED)
            return Tried.GOOD
        if known := _known(self._gone, given):
            tried = self._gone[known]
            if tried is Tried.USED:
                self._gone[known] = Tried.USED_AGAIN
            return tried
        if len(self._wrong) >= WRONG:
            return Tried.TOO_MANY
        self._wrong.append(self._clock())
        return Tried.WRONG

    @property
    def wait_s(self) -> int:
        """Whole seconds until another wrong key is answered as such; 0 if it would be now."""
        self._age()
        if len(self._wrong) < WRONG:
            return 0
        return max(1, -int(-(self._wrong[0] + WINDOW_S - self._clock()) // 1))

    def _age(self) -> None:
        now = self._clock()
        for known in [known for known, ends in self._live.items() if ends <= now]:
            self._retire(known, Tried.OLD)
        while self._wrong and self._wrong[0] <= now - WINDOW_S:
            self._wrong.popleft()

    def _retire(self, known: bytes, why: Tried) -> None:
        del self._live[known]
        self._gone[known] = why
        while len(self._gone) > REMEMBERED:
            del self._gone[next(iter(self._gone))]


def _known(some: dict[bytes, float] | dict[bytes, Tried], given: bytes) -> bytes | None:
    """The one of *some* that equals *given*; all are compared, however early one does."""
    found = [known for known in some if hmac.compare_digest(known, given)]
    return found[0] if found else None


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
