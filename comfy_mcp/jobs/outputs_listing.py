"""What came of one caller's jobs: a page of outputs, newest first, from the journal alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from comfy_mcp.errors import JobNotFound, WorkflowError
from comfy_mcp.jobs.record import files_of
from comfy_mcp.outputs import Kind, kind_of, short, uri

if TYPE_CHECKING:
    from comfy_mcp.host import OutputFile
    from comfy_mcp.jobs.desk import Desk
    from comfy_mcp.store.protocol import JobRow

__all__ = ["ListedOutput", "OutputPage", "Sought", "listed_outputs"]

AT_ONCE = 50
"""Rows of the journal that are read together; each may hold 200,000 characters of texts."""

MOST_CHARACTERS = 18_000
"""Of a page, as JSON; what does not fit is behind the cursor."""

MOST_ROWS = 1_000
"""Rows that one call looks through; what is left over is behind the cursor."""

_Cursor = TypeAdapter(
    tuple[Annotated[int, Field(ge=0, lt=2**63)], Annotated[int, Field(ge=0, lt=2**31)]]
)
"""Number of a row of the journal, and how many of its outputs were looked at already."""


class ListedOutput(BaseModel):
    """One output in a line."""

    model_config = ConfigDict(frozen=True)

    uri: str
    kind: Kind
    filename: Annotated[str | None, Field(description="None: a text")] = None
    text: Annotated[str | None, Field(description="Its beginning")] = None
    temp: Annotated[bool | None, Field(description="Goes when ComfyUI restarts")] = None
    workflow: str
    prompt_id: str
    when: Annotated[str, Field(description="End of the job, UTC")]


class OutputPage(BaseModel):
    """Some outputs, newest job first."""

    model_config = ConfigDict(frozen=True)

    outputs: list[ListedOutput]
    next_cursor: Annotated[str | None, Field(description="More: ask again with it")] = None


@dataclass(frozen=True, slots=True)
class Sought:
    """Which outputs are wanted: what fits all of it; *query* is part of a name or text."""

    kind: Kind | None = None
    workflow: str | None = None
    query: str = ""
    prompt_id: str | None = None

    def fits(self, file: OutputFile) -> bool:
        """Whether an output is wanted, its job aside."""
        kind = "text" if file.text is not None else kind_of(file.filename)
        where = f"{file.subfolder}/{file.filename}" if file.text is None else file.text
        return self.kind in {None, kind} and self.query.casefold() in where.casefold()


@dataclass(frozen=True, slots=True)
class _Place:
    """Outputs from *number* on of the row *seq*, and older rows."""

    seq: int
    number: int

    def text(self) -> str:
        word = json.dumps([self.seq, self.number], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(word).decode().rstrip("=")


async def listed_outputs(
    jobs: Desk, grant: str, sought: Sought, *, limit: int, cursor: str | None
) -> OutputPage:
    """A page of what jobs of *grant* here put out.

    Raises:
        JobNotFound: the job that is named is not one of its jobs here.
        StateError: the journal cannot be read.
        WorkflowError: *cursor* is none.
    """
    page = _Page(sought, limit, None if cursor is None else _read(cursor))
    if sought.prompt_id is not None:
        return page.told(page.add((await _named(jobs, grant, sought.prompt_id),)))
    before = None if page.begin is None else page.begin.seq + 1
    for _ in range(0, MOST_ROWS, AT_ONCE):
        rows = await jobs.store.jobs(jobs.label, grant=grant, before=before, count=AT_ONCE)
        end = page.add(rows)
        if end is not None or len(rows) < AT_ONCE:
            return page.told(end)
        before = rows[-1].seq
    return page.told(None if before is None else _Place(before - 1, 0))


async def _named(jobs: Desk, grant: str, prompt_id: str) -> JobRow:
    row = await jobs.store.job(prompt_id)
    if row is None or row.grant != grant or row.host != jobs.label:
        raise JobNotFound(f"You have no job {prompt_id} on this ComfyUI. See list_jobs.")
    return row


class _Page:
    """A page as it fills, from *begin* on."""

    def __init__(self, sought: Sought, limit: int, begin: _Place | None) -> None:
        self.begin = begin
        self._sought = sought
        self._limit = limit
        self._found: list[ListedOutput] = []
        self._length = 0

    def add(self, rows: tuple[JobRow, ...]) -> _Place | None:
        """Take what is wanted of *rows*; where the next page begins once this one is full."""
        for row in rows:
            if self._sought.workflow not in {None, row.workflow}:
                continue
            for number, file in self._fitting(row):
                told = _told(row, number, file)
                length = len(told.model_dump_json(exclude_none=True)) + 1
                # The first one always has room, so that every page goes on.
                full = self._length + length > MOST_CHARACTERS and self._found
                if len(self._found) == self._limit or full:
                    return _Place(row.seq, number)
                self._found.append(told)
                self._length += length
        return None

    def told(self, end: _Place | None) -> OutputPage:
        """The page; *end* is where the next one begins."""
        return OutputPage(outputs=self._found, next_cursor=None if end is None else end.text())

    def _fitting(self, row: JobRow) -> Iterator[tuple[int, OutputFile]]:
        begun = self.begin is not None and self.begin.seq == row.seq
        first = self.begin.number if self.begin is not None and begun else 0
        for number, file in enumerate(files_of(row.result)):
            if number >= first and self._sought.fits(file):
                yield number, file


def _told(row: JobRow, number: int, file: OutputFile) -> ListedOutput:
    is_text = file.text is not None
    return ListedOutput(
        uri=uri(row.prompt_id, number),
        kind="text" if is_text else kind_of(file.filename),
        filename=None if is_text else file.filename,
        text=None if file.text is None else short(file.text),
        temp=True if file.type == "temp" and not is_text else None,
        workflow=row.workflow,
        prompt_id=row.prompt_id,
        when=datetime.fromtimestamp(row.changed_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
    )


def _read(text: str) -> _Place:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
        return _Place(*_Cursor.validate_json(raw))
    except (ValueError, RecursionError) as error:
        raise WorkflowError(
            "That is no cursor of list_outputs. Take next_cursor of the page before, or leave it"
            " out."
        ) from error
