"""What the operator sees and decides, the same for terminal and page."""

from __future__ import annotations

__all__: list[str] = []
