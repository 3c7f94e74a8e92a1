"""One answer for all who ask at about the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from comfy_mcp.errors import HostError

__all__ = ["Recent"]

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Told(Generic[Value]):
    value: Value | HostError
    began: float
    epoch: int


class Recent(Generic[Value]):
    """Asks *ask*, and hands the answer to everybody for whom it is new enough.

    *clock*: seconds that only rise. *epoch*: an answer of another epoch is never handed out.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[Value]],
        clock: Callable[[], float],
        epoch: Callable[[], int],
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._epoch = epoch
        self._told: _Told[Value] | None = None
        self._asking = asyncio.Lock()

    def lately(self, seconds: float) -> Value | None:
        """What was answered to a question of the last *seconds*, if there was one."""
        told = self._told
        if told is None or not self._counts(told, self._clock() - seconds):
            return None
        return None if isinstance(told.value, HostError) else told.value

    async def get(self, seconds: float = 0.0) -> Value:
        """An answer to a question that was asked at most *seconds* before this call.

        Raises:
            HostError: there is none; whoever waited for the same answer gets the same error.
        """
        wanted = self._clock() - seconds
        async with self._asking:
            told = self._told
            if told is None or not self._counts(told, wanted):
                told = self._told = await self._anew()
        if isinstance(told.value, HostError):
            raise told.value
        return told.value

    async def _anew(self) -> _Told[Value]:
        began, epoch = self._clock(), self._epoch()
        try:
            return _Told(await self._ask(), began, epoch)
        except HostError as error:
            return _Told(error, began, self._epoch())

    def _counts(self, told: _Told[Value], wanted: float) -> bool:
        return told.began >= wanted and told.epoch == self._epoch()
