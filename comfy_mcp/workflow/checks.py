"""What may be wrong with one node of a workflow, and how to mend it.

Stricter than ComfyUI on purpose: a node without inputs kills its worker for good, and a value that
hides in a wrapper would run without having been judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import cast

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.flaws import Flaw, listed, shown
from comfy_mcp.workflow.graph import Link, as_link
from comfy_mcp.workflow.values import has_control, survey

__all__ = ["MAX_CLASS", "MAX_ID", "Budget", "kind_of", "node_flaws"]

MAX_ID = 64
MAX_CLASS = 256

_KINDS: dict[type, str] = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


class Budget:
    """How many bytes a workflow may still have; *message* is the error if there are none left."""

    __slots__ = ("_left", "_message")

    def __init__(self, most: int, message: str) -> None:
        self._left = most
        self._message = message

    def fault(self, value: object) -> str | None:
        """Charge for *value* and say what is no sound JSON in it.

        Raises:
            WorkflowError: the budget is used up.
        """
        weight, fault = survey(value, self._left)
        self._left -= weight
        if self._left < 0:
            raise WorkflowError(self._message)
        return fault


def kind_of(value: object) -> str:
    """What *value* is, in JSON's words with an article."""
    return "null" if value is None else _KINDS.get(type(value), f"a {type(value).__name__}")


def node_flaws(
    node_id: object, raw: object, ids: Collection[str], budget: Budget
) -> Iterator[Flaw]:
    """Every flaw of the node *raw*, which stands under *node_id*; *ids* are those of all nodes.

    Raises:
        WorkflowError: the budget is used up.
    """
    if not isinstance(node_id, str) or not _is_id(node_id):
        text = shown(str(node_id))
        yield Flaw(f'Node id "{text}": use 1 to {MAX_ID} characters, none of them a control.', text)
        return
    if not isinstance(raw, dict):
        yield Flaw(
            f"Node {shown(node_id)}: it is {kind_of(raw)}, not an object."
            ' Write {"class_type": ..., "inputs": {...}}.',
            node_id,
        )
        return
    node = cast("dict[str, object]", raw)
    name = _name(node_id, node.get("class_type"))
    yield from (Flaw(f"{name}: {fault}", node_id) for fault in _frame_faults(node, budget))
    inputs = node.get("inputs")
    if isinstance(inputs, dict):
        yield from _inputs_flaws(node_id, name, cast("dict[object, object]", inputs), ids, budget)


def _is_id(text: str) -> bool:
    sound = 0 < len(text) <= MAX_ID and not has_control(text)
    return sound and survey(text, MAX_ID * 2)[1] is None


def _name(node_id: str, class_type: object) -> str:
    kind = f" ({shown(class_type)})" if isinstance(class_type, str) and class_type else ""
    return f"Node {shown(node_id)}{kind}"


def _frame_faults(node: dict[str, object], budget: Budget) -> Iterator[str]:
    yield from _class_faults(node.get("class_type"), budget)
    if "_meta" in node:
        yield from _meta_faults(node["_meta"], budget)
    if "inputs" not in node:
        yield 'it has no "inputs", which stops ComfyUI\'s worker for good. Write "inputs": {}.'
    elif not isinstance(node["inputs"], dict):
        yield f'its "inputs" is {kind_of(node["inputs"])}, not an object. Write "inputs": {{}}.'


def _class_faults(class_type: object, budget: Budget) -> Iterator[str]:
    if not isinstance(class_type, str) or not class_type:
        yield 'it has no "class_type". Write the name of the node\'s class, such as "KSampler".'
    elif len(class_type) > MAX_CLASS or has_control(class_type):
        yield f'its "class_type" is no name: use at most {MAX_CLASS} characters, none a control.'
    elif (fault := budget.fault(class_type)) is not None:
        yield f'its "class_type" {fault}.'


def _meta_faults(meta: object, budget: Budget) -> Iterator[str]:
    if not isinstance(meta, dict):
        yield f'its "_meta" is {kind_of(meta)}, not an object. Leave it out.'
    elif (fault := budget.fault(cast("object", meta))) is not None:
        yield f'its "_meta" {fault}.'


def _inputs_flaws(
    node_id: str, name: str, inputs: dict[object, object], ids: Collection[str], budget: Budget
) -> Iterator[Flaw]:
    for key, value in inputs.items():
        where = shown(str(key))
        fault = budget.fault({key: None})
        fault = fault or budget.fault(value)
        text = f"it {fault}." if fault else _value_fault(value, ids)
        if text is not None:
            yield Flaw(f"{name}, input {where}: {text}", node_id, where)


def _value_fault(value: object, ids: Collection[str]) -> str | None:
    if isinstance(value, list):
        return _list_fault(cast("list[object]", value), ids)
    if isinstance(value, dict) and "__value__" in value:
        return _wrapped_fault(cast("dict[str, object]", value)["__value__"])
    return None


def _list_fault(value: list[object], ids: Collection[str]) -> str | None:
    link = as_link(value)
    if link is not None:
        return _link_fault(link, ids)
    return (
        'a list here has to be a link. Write ["<node id>", <slot>] with a whole slot for a link,'
        ' or {"__value__": [...]} for a list of values.'
    )


def _link_fault(link: Link, ids: Collection[str]) -> str | None:
    if link.slot < 0:
        return f"it links to slot {link.slot}. Outputs are counted from 0."
    if link.node_id in ids:
        return None
    return (
        f"it links to node {shown(link.node_id)}, which does not exist."
        f" Link to one of: {listed(tuple(ids))}."
    )


def _wrapped_fault(value: object) -> str | None:
    """ComfyUI takes the wrapper off once, and what is in it is then read like any other value."""
    if isinstance(value, dict):
        again = "__value__" in value
    elif isinstance(value, list):
        again = _reads_as_link(cast("list[object]", value))
    else:
        return f'"__value__" is for lists, and it holds {kind_of(value)}. Write the value itself.'
    if again:
        return '"__value__" holds a link or another wrapper. Write it without "__value__".'
    return None


def _reads_as_link(value: list[object]) -> bool:
    """ComfyUI is laxer than `as_link`: a slot may be a boolean or a fraction."""
    return (
        len(value) == 2  # noqa: PLR2004 - a pair
        and isinstance(value[0], str)
        and isinstance(value[1], int | float)
    )
