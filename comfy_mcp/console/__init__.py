"""The operator's console: one page on this machine, for the person in charge.

It shows and follows, and it hands decisions to the state; it never submits or stops a job.
"""

from __future__ import annotations

__all__: list[str] = []
