"""What is found at a path of a policy: in the arguments, the facts, the caller and the time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Final, Literal, cast

from comfy_mcp.guard.case import Case
from comfy_mcp.guard.in_force import model_folder
from comfy_mcp.guard.policy import Path
from comfy_mcp.guard.question import Run
from comfy_mcp.workflow.facts import Facts, JobFile

__all__ = ["MISSING", "WRONG", "Lack", "values"]


class Lack(Enum):
    """Why there is no value."""

    MISSING = "missing"
    WRONG = "wrong type"


MISSING: Final[Literal[Lack.MISSING]] = Lack.MISSING
"""The path ends before: there is no such member or item, or only null."""

WRONG: Final[Literal[Lack.WRONG]] = Lack.WRONG
"""The path goes on where something else is than a list or an object."""


def values(case: Case, path: Path) -> list[object]:
    """All that *path* leads to, with a `Lack` for each way that ends before.

    One thing, unless the path has ``[*]``: then one for each item, so maybe none.
    """
    found = case.found.get(path.text)
    if found is None:
        found = case.found[path.text] = _values(case, path)
    return found


def _values(case: Case, path: Path) -> list[object]:
    if path.space == "graph":
        return _in_graph(case.run, path.steps)
    return _follow(_root(case, path.space), path.steps)


def _root(case: Case, space: str) -> object:
    question = case.question
    if space == "args":
        return question.args if question.args is not None else {}
    if space == "time":
        return question.at
    if space == "job":
        return {"owner": question.owner}
    if space != "grant":
        return {}
    tags = sorted({tag for grant in case.caller.grants for tag in grant.tags})
    return {"id": case.caller.id, "tags": tags, "transport": question.transport}


def _follow(root: object, steps: Iterable[str | int | None]) -> list[object]:
    found = [root]
    for step in steps:
        found = [below for value in found for below in _below(value, step)]
    return found


def _below(value: object, step: str | int | None) -> Sequence[object]:
    if value is None or isinstance(value, Lack):
        return (value or MISSING,)
    if isinstance(step, str) and isinstance(value, Mapping):
        return (cast("Mapping[object, object]", value).get(step, MISSING),)
    if isinstance(step, str) or not isinstance(value, list | tuple):
        return (WRONG,)
    items = cast("Sequence[object]", value)
    # A slice, so that an index past the end finds nothing instead of failing.
    return items if step is None else (items[step : step + 1] or (MISSING,))


def _in_graph(run: Run | None, steps: tuple[str | int | None, ...]) -> list[object]:
    if run is None or not steps:
        return [MISSING]
    name, rest = steps[0], steps[1:]
    if name == "models" and rest:
        models = run.facts.models.get(model_folder(str(rest[0])), ())
        return _follow([model.name for model in models], rest[1:])
    return _follow(_fact(run, str(name)), rest)


def _fact(run: Run, name: str) -> object:
    facts = run.facts
    if name in _LISTS:
        return _LISTS[name](facts)
    if name in _BESIDE:
        return _BESIDE[name](run)
    return getattr(facts, name) if name in _NUMBERS else MISSING


def _file(file: JobFile) -> str:
    return f"{file.subfolder}/{file.filename} [{file.type}]".lstrip("/")


def _models(facts: Facts) -> dict[str, list[str]]:
    return {folder: [one.name for one in models] for folder, models in facts.models.items()}


_NUMBERS = frozenset(
    (
        *("steps", "total_steps", "width", "height", "megapixels", "batch", "frames"),
        *("nodes", "bytes"),
    )
)
_LISTS: Mapping[str, Callable[[Facts], object]] = {
    "node_classes": lambda facts: list(facts.node_classes),
    "unknown_classes": lambda facts: list(facts.unknown_classes),
    "api_nodes": lambda facts: list(facts.api_nodes),
    "output_prefixes": lambda facts: [prefix.value for prefix in facts.output_prefixes],
    "job_files": lambda facts: [_file(file) for file in facts.job_files],
    "models": _models,
}
_BESIDE: Mapping[str, Callable[[Run], object]] = {
    "queue_depth": lambda run: MISSING if run.queue_depth is None else run.queue_depth,
    "estimated_seconds": lambda run: MISSING if run.estimate_ms is None else run.estimate_ms / 1000,
    "front": lambda run: run.front,
}
