"""What a policy says, as frozen values: files of rules; nothing here reads, judges or warns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cached_property

from comfy_mcp.guard.approvals import Approvals, ApprovalsInForce, together

__all__ = [
    "Action",
    "Approval",
    "Approvals",
    "Condition",
    "Denials",
    "Globs",
    "Gpu",
    "GpuSeconds",
    "Grant",
    "Hide",
    "Layer",
    "Limit",
    "Path",
    "Place",
    "Policy",
    "PolicyFile",
    "Predicate",
    "Rule",
]


class Action(StrEnum):
    """What a rule says about a call it matches, limits aside."""

    ALLOW = "allow"
    DENY = "deny"
    APPROVAL = "require_approval"


class Place(IntEnum):
    """Which part of a file a rule stands in, the most specific first."""

    TOOL = 0
    CLASS = 1
    ALL = 2


@dataclass(frozen=True, slots=True)
class Path:
    """A path into what is judged: *space* (``args``, ``graph``, ...) and the *steps* after it.

    A step is a member's name, an index, or None for ``[*]``: every item. *text* is as written.
    ``gpu.x`` is read as ``graph.x``.
    """

    text: str
    space: str
    steps: tuple[str | int | None, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison. *holds* is total: it takes any JSON value and says whether it compares.

    It answers None for a value of the wrong type. *op* ``exists`` is judged without *holds*:
    *value* says whether the path has to be there (null counts as absent). *value* is what was
    written: numbers are int or Decimal.
    """

    where: str
    path: Path
    op: str
    value: object = field(hash=False)
    holds: Callable[[object], bool | None] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Predicate:
    """Conditions that hold together; none at all always holds."""

    where: str
    conditions: tuple[Condition, ...] = ()
    name: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """At most *most* within *window_ms*; a call takes *amount* (both in millionths).

    *where* is its JSON Pointer; *calendar* means fixed windows aligned to UTC instead of a rolling
    one; *per_grant* false means that everybody shares the account. With *amount_from* a call takes
    the number found there instead. *refund* is never, not_accepted or failed.
    """

    where: str
    counter: str
    amount: int
    most: int
    window_ms: int
    calendar: bool = False
    per_grant: bool = True
    name: str | None = None
    reason: str | None = None
    amount_from: Path | None = None
    refund: str = "never"


@dataclass(frozen=True, slots=True)
class Approval:
    """A person has to decide if all conditions of *when* hold (none: always).

    *reason* is the rule's, unless the approval has one of its own. *channel* and *expires_ms* None:
    as `Policy.approvals` has it.
    """

    where: str
    when: tuple[Condition, ...] = ()
    reason: str | None = None
    channel: str | None = None
    expires_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Globs:
    """Names and globs; *matches* is case-sensitive, a pattern always matches its own text."""

    where: str
    patterns: tuple[str, ...]
    matches: Callable[[str], bool] = field(compare=False)


@dataclass(frozen=True, slots=True)
class GpuSeconds:
    """At most *most* (millionths of a second) of GPU time within *window_ms*."""

    where: str
    most: int
    window_ms: int
    per_grant: bool = True
    calendar: bool = False


@dataclass(frozen=True, slots=True)
class Gpu:
    """A ``gpu`` block; None is a key that is not there.

    *most* has the numeric limits on facts by the fact's name: steps, total_steps, width, height,
    megapixels, batch, frames, nodes, bytes and queue_depth (of keys ``max_*``; ``bytes`` is
    ``max_workflow_bytes``). Models map a folder, or ``*``, to globs.
    """

    where: str
    most: tuple[tuple[str, int | float], ...] = ()
    max_in_flight: int | None = None
    max_seconds_per_job_ms: int | None = None
    gpu_seconds: tuple[GpuSeconds, ...] = ()
    allow_node_classes: Globs | None = None
    deny_node_classes: Globs | None = None
    allow_models: tuple[tuple[str, Globs], ...] = ()
    deny_models: tuple[tuple[str, Globs], ...] = ()
    output_prefix: str | None = None
    api_nodes: str | None = None
    ownership: str | None = None
    queue_jump: str | None = None
    global_interrupt: str | None = None
    undetermined: str | None = None

    def pointer(self, key: str) -> str:
        """The JSON Pointer of one of its keys."""
        return f"{self.where}/{key}"

    @property
    def asks(self) -> bool:
        """One of its words is ``approve``."""
        words = (self.api_nodes, self.queue_jump, self.global_interrupt, self.undetermined)
        return "approve" in words


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of ``tools``, ``classes`` or ``all_tools``.

    *match* is a tool's name, an alias, a glob, a class, or ``*``. *reason* is told to an agent that
    is refused because of this rule. *approval* is there whenever the rule asks for a person, in
    whichever words; *action* says so only if it asks for every call.
    """

    where: str
    place: Place
    match: str
    action: Action = Action.ALLOW
    reason: str | None = None
    limits: tuple[Limit, ...] = ()
    require: tuple[Predicate, ...] = ()
    deny_if: tuple[Predicate, ...] = ()
    approval: Approval | None = None
    gpu: Gpu | None = None

    @property
    def asks(self) -> bool:
        """It asks a person about some calls."""
        by_action = self.approval is not None or self.action is Action.APPROVAL
        return by_action or (self.gpu is not None and self.gpu.asks)


@dataclass(frozen=True, slots=True)
class Hide:
    """One entry of ``hide``: tools that *match* do not exist as far as an agent can tell."""

    where: str
    match: str


@dataclass(frozen=True, slots=True)
class Layer:
    """Rules that hold together. A grant's layer only narrows what the files' layers allow."""

    where: str = ""
    default_allow: bool = False
    hide: tuple[Hide, ...] = ()
    rules: tuple[Rule, ...] = ()
    gpu: Gpu | None = None

    @property
    def asks(self) -> bool:
        """It asks a person about some calls."""
        return any(rule.asks for rule in self.rules) or (self.gpu is not None and self.gpu.asks)


@dataclass(frozen=True, slots=True)
class Grant:
    """A caller that the policy knows. *stdio* is the name it calls itself by on stdio.

    *expires_ms* is milliseconds since the epoch. *layer* holds for this caller alone;
    *says_default* tells a default that was written from one that follows from the rest.
    """

    where: str
    id: str
    stdio: str
    layer: Layer
    expires_ms: int | None = None
    revoked: bool = False
    tags: tuple[str, ...] = ()
    description: str = ""
    says_default: bool = False


@dataclass(frozen=True, slots=True)
class Denials:
    """After *most* refusals within *window_ms* everything is refused for *cooldown_ms*."""

    where: str
    most: int
    window_ms: int
    cooldown_ms: int


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One file; *where* is the JSON Pointer of its root: empty, or ``name#`` among several files.

    *lists* tells a file with an empty ``tools`` from one without: it has ``tools``, ``classes`` or
    ``all_tools``, however empty. *grants* None means that the file names none.
    """

    where: str = ""
    description: str = ""
    layer: Layer = Layer()
    lists: bool = False
    grants: tuple[Grant, ...] | None = None
    denials: Denials | None = None
    approvals: Approvals | None = None

    @property
    def only_hides(self) -> bool:
        """It hides something, lists nothing, and does not say that the rest is allowed."""
        return bool(self.layer.hide) and not self.lists and not self.layer.default_allow

    @property
    def asks(self) -> bool:
        """It asks a person about some calls, of whomever."""
        return self.layer.asks or any(grant.layer.asks for grant in self.grants or ())


@dataclass(frozen=True)
class Policy:
    """All files together; their order has no meaning. Without a file everything is denied."""

    files: tuple[PolicyFile, ...] = ()

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of the files, without those of grants."""
        return tuple(file.layer for file in self.files)

    @cached_property
    def default_allow(self) -> bool:
        """Tools that no file lists may be called: only if every file says so."""
        return bool(self.files) and all(layer.default_allow for layer in self.layers)

    @cached_property
    def grants(self) -> tuple[Grant, ...]:
        """The grants of all files; the same id may stand in several."""
        return tuple(grant for file in self.files for grant in file.grants or ())

    @cached_property
    def approvals(self) -> ApprovalsInForce:
        """How people are asked, by the strictest of what the files say."""
        return together((file.approvals, file.asks) for file in self.files)

    @cached_property
    def webhooks(self) -> tuple[str, ...]:
        """Where all files want requests to be told, each once, in alphabetical order."""
        said = (file.approvals for file in self.files if file.approvals is not None)
        return tuple(sorted({one.webhook for one in said if one.webhook is not None}))

    @cached_property
    def knows_grants(self) -> bool:
        """Some file names grants, so that a caller who is not among them may do nothing."""
        return any(file.grants is not None for file in self.files)
