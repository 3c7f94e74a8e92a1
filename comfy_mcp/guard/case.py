"""A question with all that answering it takes: who asks, what is in force, what is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from comfy_mcp.guard.callers import Caller, caller_of
from comfy_mcp.guard.catalog import canonical
from comfy_mcp.guard.compiling import in_force
from comfy_mcp.guard.in_force import ESTIMATE, FOLDERS, SIZES, InForce
from comfy_mcp.guard.policy import Policy
from comfy_mcp.guard.question import Question, Run
from comfy_mcp.workflow.facts import Facts, Unknown

__all__ = ["Case", "Culprit"]

Culprit = Unknown | str
"""What a fact could not be determined from: an input of a node, or a clause for people."""


@dataclass(frozen=True)
class Case:
    """One question to one policy; what is worked out on the way is worked out once."""

    policy: Policy
    question: Question

    @cached_property
    def caller(self) -> Caller:
        """Who asks."""
        return caller_of(self.policy, self.question.identity, self.question.at_ms)

    @cached_property
    def tool(self) -> str:
        """The canonical name."""
        return canonical(self.question.tool)

    @cached_property
    def force(self) -> InForce:
        """What is in force; only for a tool that exists and a caller that is known."""
        return in_force(self.policy, self.question.tool, self.caller)

    @cached_property
    def run(self) -> Run | None:
        """The run, if the tool has one and nothing more will be known about it."""
        return self.question.run if self.question.final and self.force.runs else None

    @cached_property
    def found(self) -> dict[str, list[object]]:
        """What was found at paths that were looked up before: rules like to ask for the same."""
        return {}

    def knows(self, spaces: frozenset[str]) -> bool:
        """All that is to be found in *spaces* is known by now, as there or as missing."""
        question = self.question
        if question.final:
            return True
        return (
            not spaces & {"graph", "job"}
            and (question.args is not None or "args" not in spaces)
            and (bool(question.at) or "time" not in spaces)
        )

    @cached_property
    def unknown(self) -> Mapping[str, Culprit]:
        """Facts that could not be determined, and the first thing that they would depend on."""
        if self.run is None:
            return {}
        facts = self.run.facts
        found: dict[str, Culprit] = {
            fact: (causes[0] if causes else "it cannot be foreseen")
            for fact, causes in facts.undetermined.items()
        }
        stranger = self._stranger(facts)
        if stranger is not None:
            for fact in SIZES:
                found.setdefault(fact, stranger)
        if "?" in facts.models:
            found[FOLDERS] = "nobody here knows which folder some of its models come from"
        if self.run.queue_depth is None:
            found["queue_depth"] = "ComfyUI did not say how many jobs it has"
        if self.run.estimate_ms is None:
            found[ESTIMATE] = "no run like it has been measured yet"
        return found

    def _stranger(self, facts: Facts) -> Unknown | None:
        """The first node of a custom class that no list of allowed classes vouches for."""
        for name, node in facts.unknown_classes.items():
            if not self.force.graph.vouched(name):
                return Unknown(node, name, "", "")
        return None
