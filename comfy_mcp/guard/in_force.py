"""What is in force for one tool and one caller, as tables: values, and the paths they need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from comfy_mcp.guard.policy import Condition, Path, Predicate, Rule
from comfy_mcp.guard.question import AppliedLimit, Cap, Prefix
from comfy_mcp.guard.words import Words

__all__ = [
    "ESTIMATE",
    "FOLDERS",
    "SIZES",
    "Account",
    "Ask",
    "Check",
    "GraphRules",
    "InForce",
    "Models",
    "Names",
    "Need",
    "Number",
    "Source",
    "Takes",
    "fact_of",
    "model_folder",
]

SIZES = ("steps", "total_steps", "width", "height", "megapixels", "batch", "frames")
"""Facts that a node of an unknown class could change without showing it."""

ESTIMATE = "estimate"
"""How long a run of this shape took before; no fact of the graph, but needed like one."""

FOLDERS = "folders"
"""Which model folder each model comes from; undetermined for models of folder ``?``."""

_LEGACY = {"unet": "diffusion_models", "clip": "text_encoders"}


def model_folder(name: str) -> str:
    """The name that ComfyUI knows a model folder by today: some have two."""
    return _LEGACY.get(name, name)


def fact_of(path: Path) -> str | None:
    """The fact that has to be known to follow *path*; None if none has to be."""
    if path.space != "graph" or not path.steps or path.steps[0] == "front":
        return None
    return ESTIMATE if path.steps[0] == "estimated_seconds" else str(path.steps[0])


class Number(NamedTuple):
    """At most *most* of *fact*; *reason* is the policy's own text, added to ours."""

    fact: str
    most: float
    rule: str
    reason: str | None


class Names(NamedTuple):
    """A list of names and globs as a test."""

    fits: Callable[[str], bool]
    patterns: tuple[str, ...]
    rule: str
    reason: str | None


class Models(NamedTuple):
    """Names for one model folder, or for every folder: ``*``."""

    folder: str
    names: Names

    def concerns(self, folder: str) -> bool:
        """Models of *folder* have to be looked up here."""
        return self.folder in {"*", folder}


@dataclass(frozen=True, slots=True)
class Check:
    """A predicate with its rule, and what has to be known to judge it."""

    predicate: Predicate
    rule: Rule
    spaces: frozenset[str]
    facts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ask:
    """A person has to decide if all of *when* holds.

    *channel* and *lives_ms* are as in `Asking`; None: as `Policy.approvals` has it.
    """

    rule: str
    when: tuple[Condition, ...]
    reason: str | None
    spaces: frozenset[str]
    channel: str | None = None
    lives_ms: int | None = None


class Need(NamedTuple):
    """*fact* has to be determined because of *rule*; with *check*: unless that cannot hold."""

    fact: str
    rule: str
    check: Check | None = None


class Source(NamedTuple):
    """Where an amount is found; *rule* is the JSON Pointer of ``increment_from``."""

    rule: str
    path: Path


@dataclass(frozen=True, slots=True)
class Account:
    """One account with its smallest maximum: a call takes the limit's amount, or more."""

    limit: AppliedLimit
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Takes:
    """What a call takes, or has to fit into, once it is allowed."""

    accounts: tuple[Account, ...] = ()
    budgets: tuple[AppliedLimit, ...] = ()
    slots: tuple[Cap, ...] = ()
    job_ms: Cap | None = None


@dataclass(frozen=True, slots=True)
class GraphRules:
    """What ``gpu`` blocks say about numbers and names of a graph.

    *class_fault* answers which list forbids a node class, and whether it is one of allowed
    classes; *vouched* whether some list allows it by name, *any_class* that there is no list.
    """

    numbers: tuple[Number, ...]
    queue: Number | None
    any_class: bool
    class_fault: Callable[[str], tuple[Names, bool] | None]
    vouched: Callable[[str], bool]
    allow_models: tuple[Models, ...]
    deny_models: tuple[Models, ...]
    prefixes: tuple[Prefix, ...]


@dataclass(frozen=True, slots=True)
class InForce:
    """Everything that files and grants say about one tool, by one of its names, to one caller.

    *runs*: its calls have a graph. *unlisted* is the pointer of the default that denies, if one
    does, *hidden_by* that of a ``hide``, else empty; *listed_by* is what allows. All tuples are in
    an order that does not depend on that of files and rules. *wanted* are the facts to be measured.
    """

    called: str
    tool: str
    runs: bool
    hidden_by: str
    unlisted: str | None
    listed_by: str
    denying: Rule | None
    requires: tuple[Check, ...]
    denies: tuple[Check, ...]
    asks: tuple[Ask, ...]
    words: Words
    graph: GraphRules
    needs: tuple[Need, ...]
    takes: Takes
    wanted: frozenset[str]
