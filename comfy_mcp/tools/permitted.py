"""What of nodes and models the policy would let a caller run, by the guard's own rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comfy_mcp.guard.case import Case
from comfy_mcp.guard.gpu_rules import api_node, model, node_class
from comfy_mcp.guard.question import Question, Run
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.workflow.facts import Facts, Model

if TYPE_CHECKING:
    from comfy_mcp.workflow.schema import NodeSchema

__all__ = ["Permitted", "permitted"]

RUN = "run_workflow"


@dataclass(frozen=True, slots=True)
class Permitted:
    """Whether a run with a node or a model could pass, as far as these alone decide."""

    node: Callable[[NodeSchema], bool]
    model: Callable[[str, str], bool]


def permitted(app: App, caller: Caller) -> Permitted:
    """What *caller* may use in a run; everything, if it may run nothing anyway."""
    if not app.gate.listed(caller.identity, RUN):
        return Permitted(lambda _: True, lambda _folder, _name: True)
    policy = app.gate.loaded.policy

    def case(facts: Facts) -> Case:
        # Whoever got here is in time: the moment decides nothing any more.
        question = Question(
            RUN, caller.identity, caller.transport, args={}, final=True, run=Run(facts)
        )
        return Case(policy, question)

    def node(schema: NodeSchema) -> bool:
        one = {schema.class_type: "1"}
        asked = case(Facts(node_classes=one, api_nodes=one if schema.api_node else {}))
        return node_class(asked) is None and api_node(asked) is None

    def file(folder: str, name: str) -> bool:
        return model(case(Facts(models={folder: (Model(name, "1", "", ""),)}))) is None

    return Permitted(node, file)
