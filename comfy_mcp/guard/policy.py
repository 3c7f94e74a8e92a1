"""What a policy says, as frozen values: files of rules; nothing here reads, judges or warns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

__all__ = ["Action", "Gpu", "Hide", "Limit", "Place", "Policy", "PolicyFile", "Rule"]


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
class Limit:
    """At most *most* within *window_ms*; a call takes *amount* (both in millionths).

    *where* is its JSON Pointer; *calendar* means fixed windows aligned to UTC instead of a rolling
    one; *per_grant* false means that everybody shares the account.
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


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of ``tools``, ``classes`` or ``all_tools``.

    *match* is a tool's name, an alias, a glob, a class, or ``*``. *reason* is told to an agent that
    is refused because of this rule.
    """

    where: str
    place: Place
    match: str
    action: Action = Action.ALLOW
    reason: str | None = None
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class Hide:
    """One entry of ``hide``: tools that *match* do not exist as far as an agent can tell."""

    where: str
    match: str


@dataclass(frozen=True, slots=True)
class Gpu:
    """The ``gpu`` block; its other keys have only one value so far, which is always in force."""

    where: str
    max_in_flight: int | None = None


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One file; *where* is the JSON Pointer of its root: empty, or ``name#`` among several files.

    *lists* tells a file with an empty ``tools`` from one without: it has ``tools``, ``classes`` or
    ``all_tools``, however empty.
    """

    where: str = ""
    description: str = ""
    default_allow: bool = False
    hide: tuple[Hide, ...] = ()
    rules: tuple[Rule, ...] = ()
    gpu: Gpu | None = None
    lists: bool = False

    @property
    def only_hides(self) -> bool:
        """It hides something, lists nothing, and does not say that the rest is allowed."""
        return bool(self.hide) and not self.lists and not self.default_allow


@dataclass(frozen=True, slots=True)
class Policy:
    """All files together; their order has no meaning. Without a file everything is denied."""

    files: tuple[PolicyFile, ...] = ()

    @property
    def default_allow(self) -> bool:
        """Tools that no file lists may be called: only if every file says so."""
        return bool(self.files) and all(file.default_allow for file in self.files)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of all files."""
        return tuple(rule for file in self.files for rule in file.rules)

    @property
    def hides(self) -> tuple[Hide, ...]:
        """The hides of all files."""
        return tuple(hide for file in self.files for hide in file.hide)
