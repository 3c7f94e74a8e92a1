"""Which requests an edit of the policy has made void: a yes to them would let nothing through."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from comfy_mcp.errors import ConfigError
from comfy_mcp.guard.loading import load
from comfy_mcp.oversight.judging import named_policies
from comfy_mcp.store.asked import APPROVED, CALL, PENDING, ApprovalRow

__all__ = ["VOID", "Revisions"]

VOID = "void: the policy was edited; the agent's next call asks anew"

Stamp = tuple[tuple[int, int, int], ...]


class Revisions:
    """The revisions of policy files, read again only when a file has changed."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, ...], tuple[Stamp, str | None]] = {}

    def void(self, rows: Iterable[ApprovalRow]) -> frozenset[str]:
        """The ids of those *rows* that are void. Reads files: call it on a thread.

        A request that does not name its policy, or whose files cannot be read or used, is not
        called void: nobody knows, and the server goes on with the last good policy.
        """
        found: set[str] = set()
        looked: dict[tuple[Path, ...], str | None] = {}
        for row in rows:
            if row.kind != CALL or row.status not in {PENDING, APPROVED}:
                continue
            try:
                files = named_policies(row)
            except ConfigError:
                continue
            if files not in looked:
                looked[files] = self._revision(files)
            if looked[files] not in {None, row.policy}:
                found.add(row.approval_id)
        return frozenset(found)

    def _revision(self, files: tuple[Path, ...]) -> str | None:
        try:
            stats = [file.stat() for file in files]
        except (OSError, ValueError):
            return None
        stamp = tuple((one.st_ino, one.st_size, one.st_mtime_ns) for one in stats)
        if files in self._known and self._known[files][0] == stamp:
            return self._known[files][1]
        try:
            revision = load(files).revision
        except ConfigError:
            revision = None
        self._known[files] = (stamp, revision)
        return revision
