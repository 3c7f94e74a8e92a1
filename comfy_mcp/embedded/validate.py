"""Whether a prompt can run: ComfyUI's checks, in ComfyUI's words."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.cache import LINK_LENGTH
from comfy_mcp.embedded.inputs import checked_value
from comfy_mcp.embedded.refusals import (
    bad_link,
    custom,
    cycle,
    error,
    mismatch,
    missing_input,
    no_class,
    raised,
    unknown_class,
)
from comfy_mcp.embedded.values import as_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from comfy_mcp.embedded.nodes.base import Folders, Input, Node
    from comfy_mcp.embedded.profiles import Profile

__all__ = ["Verdict", "validate"]

Errors = list[dict[str, Any]]
# What a malformed graph makes Python raise; ComfyUI reports each by its Python name.
MALFORMED = (KeyError, IndexError, TypeError, AttributeError, ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The *outputs* that can run, the *error* if there is none, and what is wrong by node."""

    outputs: list[str]
    error: dict[str, Any] | None
    node_errors: dict[str, Any]


def validate(
    prompt: dict[str, Any],
    targets: Sequence[str] | None,
    catalogue: Mapping[str, Node],
    folders: Folders,
    profile: Profile,
) -> Verdict:
    """Judge *prompt*; values that can be converted are, in place."""
    outputs: list[str] = []
    for node_id, node in prompt.items():
        if "class_type" not in node:
            return Verdict([], no_class(node_id, node, profile), {})
        known = catalogue.get(node["class_type"])
        if known is None:
            return Verdict([], unknown_class(node_id, node, profile), {})
        if known.output_node and (targets is None or node_id in targets):
            outputs.append(node_id)
    if not outputs:
        return Verdict([], error("prompt_no_outputs", "Prompt has no outputs", ""), {})
    return _Check(prompt, catalogue, folders, profile).all(outputs)


@dataclass(slots=True)
class _Check:
    """One walk over a prompt; *seen* is what was found so far, by node."""

    prompt: dict[str, Any]
    catalogue: Mapping[str, Node]
    folders: Folders
    profile: Profile
    seen: dict[str, tuple[bool, Errors]] = field(default_factory=dict[str, tuple[bool, Errors]])
    path: list[str] = field(default_factory=list[str])

    def all(self, outputs: list[str]) -> Verdict:
        good: list[str] = []
        node_errors: dict[str, Any] = {}
        told: list[str] = []
        for output in outputs:
            fine, errors = self.output(output)
            if fine:
                good.append(output)
                continue
            told += [f"{each['message']}: {each['details']}" for each in errors]
            self.gather(output, node_errors)
        if good:
            return Verdict(good, None, node_errors)
        message = "Prompt outputs failed validation"
        details = "\n".join(told)
        return Verdict([], error("prompt_outputs_failed_validation", message, details), node_errors)

    def output(self, output: str) -> tuple[bool, Errors]:
        try:
            return self.node(output)
        except MALFORMED as exception:
            self.path.clear()
            self.seen[output] = (
                False,
                [raised(exception, traceback.format_tb(exception.__traceback__))],
            )
            return self.seen[output]

    def gather(self, output: str, node_errors: dict[str, Any]) -> None:
        for node_id, (fine, errors) in self.seen.items():
            if fine or not errors:
                continue
            entry = node_errors.setdefault(
                node_id,
                {
                    "errors": errors,
                    "dependent_outputs": [],
                    "class_type": self.prompt[node_id]["class_type"],
                },
            )
            entry["dependent_outputs"].append(output)

    def node(self, node_id: str) -> tuple[bool, Errors]:
        if node_id in self.seen:
            return self.seen[node_id]
        if node_id in self.path:
            return self.cycle(node_id)
        inputs = self.prompt[node_id]["inputs"]
        node = self.catalogue[self.prompt[node_id]["class_type"]]
        errors: Errors = []
        upstream: list[bool] = []
        for each in node.inputs:  # no comprehension: its frame would shorten the deepest chain
            upstream.append(self.input(node_id, each, inputs, node, errors))  # noqa: PERF401 - see above
        if node.check is not None and (wrong := node.check(self.folders, inputs)) is not None:
            errors.append(custom(*wrong))
        _, before = self.seen.get(node_id, (True, []))
        found = before + [each for each in errors if each not in before]
        self.seen[node_id] = (all(upstream) and not found, found)
        return self.seen[node_id]

    def input(
        self, node_id: str, spec: Input, inputs: dict[str, Any], node: Node, errors: Errors
    ) -> bool:
        """Check one input, adding to *errors*; False: something upstream is wrong."""
        if spec.name not in inputs:
            if spec.required:
                errors.append(missing_input(spec.name))
            return True
        value = as_list(inputs[spec.name])
        if value is not None:
            return self.link(node_id, spec, value, errors)
        wrong = checked_value(spec, inputs, self.folders, unchecked=spec.name in node.unchecked)
        if wrong is not None:
            errors.append(wrong)
        return True

    def link(self, node_id: str, spec: Input, value: list[Any], errors: Errors) -> bool:
        if len(value) != LINK_LENGTH:
            errors.append(bad_link(spec, self.folders, value))
            return True
        source, slot = value
        index: int = slot
        received = self.catalogue[self.prompt[source]["class_type"]].outputs[index]
        if not _fits(received, spec.kind):
            errors.append(mismatch(spec, self.folders, received, value))
            return True
        self.path.append(node_id)
        try:
            fine, _ = self.node(source)
        except MALFORMED as exception:
            trace = traceback.format_tb(exception.__traceback__)
            self.seen[source] = (
                False,
                [raised(exception, trace, spec=spec, folders=self.folders, linked=value)],
            )
            return False
        finally:
            self.path.pop()
        return fine

    def cycle(self, node_id: str) -> tuple[bool, Errors]:
        path = [*self.path[self.path.index(node_id) :], node_id]
        names = [f"{each} ({self.prompt[each]['class_type']})" for each in path]
        members = list(dict.fromkeys(path))
        for each in members:
            told = [cycle(each, members, names)] if self.profile.tells_cycles else []
            self.seen[each] = (False, told)
        return self.seen[node_id]


def _fits(received: str, wanted: str) -> bool:
    if "*" in (received, wanted):
        return True
    return not set(received.split(",")).isdisjoint(wanted.split(","))
