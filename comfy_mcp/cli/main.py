"""The command line: which word starts what; 0 is fine, 1 a check found something, 2 misuse."""

from __future__ import annotations

import os
from collections.abc import Sequence

from comfy_mcp.settings import read

__all__ = ["run"]


def run(argv: Sequence[str]) -> int:
    """Run one command."""
    from comfy_mcp.server import serve  # noqa: PLC0415 - other commands do not need it

    serve(read(os.environ))
    return 0
