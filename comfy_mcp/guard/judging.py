"""Predicates: whether conditions hold, in the sense of the rule that they stand in.

What is missing or of another type never helps a caller: it fails a requirement, and a value of
another type matches a denial.
"""

from __future__ import annotations

from comfy_mcp.guard.case import Case
from comfy_mcp.guard.in_force import ESTIMATE, FOLDERS, Ask, Check, fact_of
from comfy_mcp.guard.lookup import MISSING, WRONG, Lack, values
from comfy_mcp.guard.policy import Condition

__all__ = ["asked", "failing", "matching", "ruled_out"]

_BESIDE = frozenset({ESTIMATE, "queue_depth"})


def failing(case: Case, check: Check) -> Condition | None:
    """The first condition of a requirement that does not hold; None if all do.

    One about something that nobody could measure is left to the step for what is undetermined.
    """
    beside = not check.facts.isdisjoint(_BESIDE)
    for condition in check.predicate.conditions:
        if not _required(case, condition) and not (beside and _unmeasured(case, condition)):
            return condition
    return None


def matching(case: Case, check: Check) -> bool:
    """All conditions of a denial hold, or cannot be told from holding."""
    for condition in check.predicate.conditions:  # noqa: SIM110 - a generator takes twice as long
        if not _matched(case, condition):
            return False
    return True


def ruled_out(case: Case, check: Check) -> bool:
    """Some condition that is determined does not hold: the others cannot matter."""
    return any(
        not _undetermined(case, condition) and not _matched(case, condition)
        for condition in check.predicate.conditions
    )


def asked(case: Case, ask: Ask) -> bool:
    """A person has to decide: no condition is known not to hold."""
    known = case.force.words.undetermined.value == "allow"
    return all(
        (not known and _undetermined(case, condition)) or _suspected(case, condition)
        for condition in ask.when
    )


def _undetermined(case: Case, condition: Condition) -> bool:
    fact = fact_of(condition.path)
    return fact in case.unknown or (fact == "models" and FOLDERS in case.unknown)


def _unmeasured(case: Case, condition: Condition) -> bool:
    fact = fact_of(condition.path)
    return fact in _BESIDE and fact in case.unknown and condition.op != "exists"


def _required(case: Case, condition: Condition) -> bool:
    found = values(case, condition.path)
    if condition.op == "exists":
        there = [_is_there(condition, value) for value in found]
        return bool(there) and all(there) if condition.value is True else not any(there)
    if len(found) == 1:
        return _says(condition, found[0]) is True
    return bool(found) and all(_says(condition, value) is True for value in found)


def _matched(case: Case, condition: Condition) -> bool:
    found = values(case, condition.path)
    if condition.op == "exists":
        return _exists_somewhere(condition, found)
    return any(_says(condition, value) not in {False, MISSING} for value in found)


def _suspected(case: Case, condition: Condition) -> bool:
    found = values(case, condition.path)
    if condition.op == "exists":
        return _exists_somewhere(condition, found)
    return not found or any(_says(condition, value) is not False for value in found)


def _exists_somewhere(condition: Condition, found: list[object]) -> bool:
    there = [_is_there(condition, value) for value in found]
    return any(there) if condition.value is True else not there or not all(there)


def _is_there(condition: Condition, value: object) -> bool:
    """Null is not there, nor is a list of the graph that has nothing in it."""
    if value is None or isinstance(value, Lack):
        return False
    return condition.path.space != "graph" or value not in ([], {})


def _says(condition: Condition, value: object) -> bool | Lack | None:
    """What the comparison says; null is as good as missing, since no policy can name it."""
    if value is None or value is MISSING:
        return MISSING
    return None if value is WRONG else condition.holds(value)
