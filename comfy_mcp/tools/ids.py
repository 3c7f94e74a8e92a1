"""The argument that names a job."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

__all__ = ["PromptId"]

PromptId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""ComfyUI's prompt_id: a UUID; older versions also know other short words."""
