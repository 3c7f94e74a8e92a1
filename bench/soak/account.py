"""What a soak has to come to: each job once, everywhere; memory that does not grow; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["TOLERANCE_KIB", "Books", "Sample", "grown", "unaccounted"]

TOLERANCE_KIB = 2.0
"""How much resident memory a job may leave, per job, after the first quarter of the run.

What the server kept of a job for ever would be some kilobytes: its graph, its outputs, its place in
the followers' tables. What grows anyway, and ends, is pydantic's cache of short strings (1.4 MB
after 16,000 ids), SQLite's page cache (2 MB) and the allocator's arenas: a run of 2000 sees 0.7 KiB
a job of it, one of 8000 half as much.
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """Resident memory, open descriptors and seconds of CPU of the server after so many jobs."""

    jobs: int
    kib: int
    descriptors: int
    cpu: float = 0.0

    def line(self) -> str:
        """As it is printed."""
        memory = f"{self.kib / 1024:6.1f} MiB"
        return f"after {self.jobs:5} jobs: {memory}, {self.descriptors} open, {self.cpu:.1f} s CPU"


@dataclass(frozen=True, slots=True)
class Books:
    """Who says what: *told* is what callers got, *journal* and *history* are status by id.

    *files* are the numbers in the names of all files that the jobs made: a job that ran twice
    leaves a file too many, though the history has one entry for both.
    """

    told: Mapping[str, str]
    journal: Mapping[str, str]
    history: Mapping[str, str]
    files: Sequence[int] = field(default_factory=tuple[int, ...])


def unaccounted(books: Books, jobs: int) -> list[str]:
    """What does not agree, in words."""
    wrong = [f"{jobs} jobs were run, but {len(books.told)} ids were told"]
    wrong = wrong if len(books.told) != jobs else []
    for name, book, done in (
        ("callers", books.told, "completed"),
        ("the journal", books.journal, "completed"),
        ("ComfyUI's history", books.history, "success"),
    ):
        missing, foreign = books.told.keys() - book.keys(), book.keys() - books.told.keys()
        odd = {key: word for key, word in book.items() if word != done}
        wrong += [
            f"{name}: {what}"
            for what, so in (
                (f"{len(missing)} jobs are missing, e.g. {min(missing, default='')}", missing),
                (f"{len(foreign)} jobs nobody was told of", foreign),
                (f"{len(odd)} jobs not {done}, e.g. {next(iter(odd.items()), '')}", odd),
            )
            if so
        ]
    if sorted(books.files) != list(range(1, jobs + 1)):
        wrong.append(f"{len(books.files)} files for {jobs} jobs, numbered up to {_last(books)}")
    return wrong


def grown(samples: Sequence[Sample]) -> float:
    """KiB of memory per job from the first sample with jobs, when it is warm, to the last."""
    warm = [sample for sample in samples if sample.jobs]
    if len(warm) < 2 or warm[0].jobs == warm[-1].jobs:  # noqa: PLR2004 - two make a line
        return 0.0
    return (warm[-1].kib - warm[0].kib) / (warm[-1].jobs - warm[0].jobs)


def _last(books: Books) -> int:
    return max(books.files, default=0)
