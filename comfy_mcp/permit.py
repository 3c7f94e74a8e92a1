"""What a call was allowed to do to the host, as a value: made by the guard, demanded by the host.

The guard and the host are neighbours and do not know each other; both know this file. A method of
the host that changes something takes a permit and refuses anything that the permit is not for.
"""

from __future__ import annotations

from collections.abc import Iterable

from comfy_mcp.errors import PermitError

__all__ = ["FreePermit", "StopPermit", "SubmitPermit", "UploadPermit"]


class SubmitPermit:
    """Leave to send one graph, known by *digest*, once, under one *prompt_id*.

    *front*: it may, and will, be put before what waits.
    """

    __slots__ = ("_spent", "decision_id", "digest", "front", "prompt_id")

    def __init__(
        self, *, decision_id: str, prompt_id: str, digest: str, front: bool = False
    ) -> None:
        self.decision_id = decision_id
        self.prompt_id = prompt_id
        self.digest = digest
        self.front = front
        self._spent = False

    def spend(self, *, prompt_id: str, digest: str, front: bool = False) -> None:
        """Use the permit up.

        Raises:
            PermitError: it is for another graph or job, or was used before.
        """
        if self._spent:
            raise PermitError(f"The permit of {self.decision_id} was used up; ask the guard again.")
        if (prompt_id, digest, front) != (self.prompt_id, self.digest, self.front):
            raise PermitError(f"The permit of {self.decision_id} is for another workflow or job.")
        self._spent = True

    def renew(self) -> None:
        """Allow the same graph to be sent again: call it only when ComfyUI provably has it not."""
        self._spent = False


class StopPermit:
    """Leave to stop certain jobs, often, until *deadline_ms* of a clock that only rises.

    A cancel can be accepted by ComfyUI and be lost, so it must be possible to send it again.
    """

    __slots__ = ("deadline_ms", "decision_id", "prompt_ids")

    def __init__(self, *, decision_id: str, prompt_ids: Iterable[str], deadline_ms: int) -> None:
        self.decision_id = decision_id
        self.prompt_ids = frozenset(prompt_ids)
        self.deadline_ms = deadline_ms

    def check(self, *, prompt_id: str, now_ms: float) -> None:
        """Say whether *prompt_id* may be stopped now; *now_ms* is of the same clock.

        Raises:
            PermitError: it is for another job, or its time is over.
        """
        if prompt_id not in self.prompt_ids:
            raise PermitError(f"The permit of {self.decision_id} is for another job.")
        if now_ms > self.deadline_ms:
            raise PermitError(
                f"The permit of {self.decision_id} is out of date; ask the guard again."
            )


class UploadPermit:
    """Leave to put one file, known by the *sha256* of its bytes, as *name* into ComfyUI's input."""

    __slots__ = ("decision_id", "name", "sha256")

    def __init__(self, *, decision_id: str, name: str, sha256: str) -> None:
        self.decision_id = decision_id
        self.name = name
        self.sha256 = sha256

    def check(self, *, name: str, sha256: str) -> None:
        """Say whether these bytes may be put there.

        Raises:
            PermitError: it is for another file or name.
        """
        if (name, sha256) != (self.name, self.sha256):
            raise PermitError(f"The permit of {self.decision_id} is for another file.")


class FreePermit:
    """Leave to ask ComfyUI once to unload models and give memory back."""

    __slots__ = ("_spent", "decision_id")

    def __init__(self, *, decision_id: str) -> None:
        self.decision_id = decision_id
        self._spent = False

    def spend(self) -> None:
        """Use the permit up.

        Raises:
            PermitError: it was used before.
        """
        if self._spent:
            raise PermitError(f"The permit of {self.decision_id} was used up; ask the guard again.")
        self._spent = True
