"""What a stopped job was said to be, what ComfyUI did with it, and where the two disagree; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["REFUSED", "Report", "Trial", "faults", "report"]

REFUSED = "refused"
"""How an answer begins that is a refusal; its code or kind follows after a colon."""

STOPPED = ("interrupted",)
"""What a cancelled job did, if it did anything."""

TRUE_OF: Mapping[str, frozenset[tuple[str, ...]]] = {
    "completed": frozenset({("success",)}),
    "failed": frozenset({("error",)}),
    "cancelled": frozenset({(), STOPPED}),
}
"""For each final status all that ComfyUI may have done with the job: once, or never."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One job. *told*: each stop's answer (an outcome, or ``refused:why``), in no order.

    *status* is what get_job says at last. *must*: the status that this job has to end with,
    "" for any final one. *refusals*: why a stop of it may be refused. *refuse* is the answer to
    somebody who may not stop it, "" where nobody tried.
    """

    mark: str
    status: str
    told: tuple[str, ...] = ()
    must: str = ""
    refusals: frozenset[str] = frozenset()
    refuse: str = ""


def faults(trial: Trial, did: tuple[str, ...]) -> list[str]:
    """What is not true of a job that *did* that in ComfyUI: each entry of it, how it ended."""
    true = TRUE_OF.get(trial.status)
    found: list[str] = []
    if true is None:
        found.append(f"is {trial.status} in the end")
    elif did not in true:
        found.append(f"is told as {trial.status}, but in ComfyUI: {_words(did)}")
    if trial.must and trial.status != trial.must:
        found.append(f"had to be {trial.must} and is {trial.status}")
    found += [wrong for told in trial.told if (wrong := _untrue(told, trial, did))]
    if trial.refuse and not trial.refuse.startswith(REFUSED):
        found.append(f"somebody else stopped it: {trial.refuse}")
    return found


def _untrue(told: str, trial: Trial, did: tuple[str, ...]) -> str:
    match told.partition(":"):
        case ("cancelled", _, _) if did not in TRUE_OF["cancelled"]:
            return f"a stop said cancelled, but in ComfyUI: {_words(did)}"
        case ("already_finished", _, _) if not did and "cancelled" not in trial.told:
            return "a stop said already_finished, but it never ran and nobody cancelled it"
        case ("cancelled" | "already_finished", _, _):
            return ""
        case (word, _, why) if word == REFUSED and why in trial.refusals:
            return ""
        case _:
            return f"a stop said {told}"


def _words(did: tuple[str, ...]) -> str:
    return " and ".join(did) or "nothing"


@dataclass(frozen=True, slots=True)
class Report:
    """One race: how many, what came out, and everything that was wrong."""

    name: str
    count: int
    outcomes: Mapping[str, int]
    violations: tuple[str, ...]

    def line(self) -> str:
        """All of it in one line; the violations are listed by their number only."""
        told = ", ".join(f"{word} {count}" for word, count in sorted(self.outcomes.items()))
        return f"{self.name}  {self.count}: {told}; violations {len(self.violations)}"


def report(
    name: str,
    count: int,
    trials: Iterable[Trial],
    did: Mapping[str, tuple[str, ...]],
    *,
    left: int,
) -> Report:
    """Judge all jobs of *count* rounds by what each mark *did*; *left* are in the queue still."""
    outcomes: Counter[str] = Counter()
    violations = [f"{left} jobs were left in ComfyUI's queue"] if left else []
    for trial in trials:
        done = did.get(trial.mark, ())
        wrong = faults(trial, done)
        violations += [f"{trial.mark} {fault} (told {trial.told})" for fault in wrong]
        outcomes.update(_counted(trial, done))
    return Report(name, count, dict(outcomes), tuple(violations))


def _counted(trial: Trial, did: tuple[str, ...]) -> list[str]:
    """How one job is counted: what was said of it, and what it did."""
    if not trial.told:
        if trial.refuse:
            return [f"stranger {trial.refuse} [{_words(did)}]"]
        return [f"behind {trial.status}"]
    words = ["+".join(sorted(trial.told)) + f" [{_words(did)}]"]
    return [*words, f"stranger {trial.refuse}"] if trial.refuse else words
