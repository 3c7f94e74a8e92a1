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
    begin = None if cursor is None else _read(cursor)
    found: list[ListedOutput] = []
    if sought.prompt_id is not None:
        row = await _named(jobs, grant, sought.prompt_id)
        return _page((row,), sought, begin, found, limit, whole=True)
    before = None if begin is None else begin.seq + 1
    for read in range(AT_ONCE, MOST_ROWS + 1, AT_ONCE):
        rows = await jobs.store.jobs(jobs.label, grant=grant, before=before, count=AT_ONCE)
        whole, over = len(rows) < AT_ONCE, read + AT_ONCE > MOST_ROWS
        page = _page(rows, sought, begin, found, limit, whole=whole)
        if whole or over or len(found) == limit:
            return page
        before = rows[-1].seq
    raise AssertionError  # the last round returns


async def _named(jobs: Desk, grant: str, prompt_id: str) -> JobRow:
    row = await jobs.store.job(prompt_id)
    if row is None or row.grant != grant or row.host != jobs.label:
        raise JobNotFound(f"You have no job {prompt_id} on this ComfyUI. See list_jobs.")
    return row


def _page(
    rows: tuple[JobRow, ...],
    sought: Sought,
    begin: _Place | None,
    found: list[ListedOutput],
    limit: int,
    *,
    whole: bool,
) -> OutputPage:
    """Add to *found* what fits of *rows*; *whole*: there are no older rows."""
    for row in rows:
        if sought.workflow not in {None, row.workflow}:
            continue
        first = begin.number if begin is not None and begin.seq == row.seq else 0
        for number, file in _fitting(row, sought, first):
            if len(found) == limit:
                return OutputPage(outputs=found, next_cursor=_Place(row.seq, number).text())
            found.append(_told(row, number, file))
    more = None if whole else _Place(rows[-1].seq - 1, 0).text()
    return OutputPage(outputs=found, next_cursor=more)


def _fitting(row: JobRow, sought: Sought, first: int) -> Iterator[tuple[int, OutputFile]]:
    for number, file in enumerate(files_of(row.result)):
        if number >= first and sought.fits(file):
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
