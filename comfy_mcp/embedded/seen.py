"""What a host remembers of the requests that came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Seen"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that came in: *path* without the /api prefix, *body* parsed if it was JSON.

    *keyed*: a credential came along, in a header or in the query.
    """

    method: str
    path: str
    body: Any = None
    keyed: bool = False
