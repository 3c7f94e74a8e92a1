"""What became of a job: a table of moves, the journal, followers (*manager*), and *stop*."""

from __future__ import annotations

from comfy_mcp.jobs.job import Job, JobFailure, Progress, Timings
from comfy_mcp.jobs.table import MOVES, ends, may_move

__all__ = ["MOVES", "Job", "JobFailure", "Progress", "Timings", "ends", "may_move"]
