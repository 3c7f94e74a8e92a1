"""``python -m comfy_mcp`` and the console script."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit status."""
    from comfy_mcp.cli import run  # noqa: PLC0415 - nothing is imported that is not used

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
