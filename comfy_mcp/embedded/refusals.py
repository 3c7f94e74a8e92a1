"""How a refused prompt is told: the error objects of POST /prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comfy_mcp.embedded.nodes.base import Folders, Input
    from comfy_mcp.embedded.profiles import Profile

__all__ = [
    "BAD_PROMPT_ID",
    "NO_PROMPT",
    "bad_link",
    "custom",
    "cycle",
    "error",
    "full_name",
    "input_config",
    "mismatch",
    "missing_input",
    "no_class",
    "raised",
    "unknown_class",
]


def error(kind: str, message: str, details: str, **extra_info: Any) -> dict[str, Any]:
    """An error object; *extra_info* is what a program may read."""
    return {"type": kind, "message": message, "details": details, "extra_info": extra_info}


NO_PROMPT = error("no_prompt", "No prompt provided", "No prompt provided")
BAD_PROMPT_ID = error(
    "invalid_prompt_id",
    "prompt_id must be a valid UUID",
    "prompt_id must be a UUID string in canonical lowercase hyphenated form; "
    "omit it to let the server generate one",
)


def input_config(spec: Input, folders: Folders) -> list[Any]:
    """An input as errors show it: type or choices, then what else is known of it."""
    if spec.remote:
        return [spec.kind, dict(spec.config)]
    if spec.kind == "COMBO" and spec.modern:
        options = {"multiselect": False, "options": spec.choices(folders)}
        return [spec.kind, dict(spec.config) | options]
    if spec.kind == "COMBO":
        return [spec.choices(folders), dict(spec.config)]
    return [spec.kind, dict(spec.config)]


def no_class(node_id: str, node: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """A node without class_type."""
    where = f"Node ID '#{node_id}'"
    if not profile.missing_node_type:
        told = "Cannot execute because a node is missing the class_type property."
        return error("invalid_prompt", told, where)
    title = node.get("_meta", {}).get("title")
    return error(
        "missing_node_type",
        f"Node '{title or f'ID #{node_id}'}' has no class_type. "
        "The workflow may be corrupted or a custom node is missing.",
        where,
        node_id=node_id,
        class_type=None,
        node_title=title,
    )


def unknown_class(node_id: str, node: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """A node of a class that is not there."""
    where, class_type = f"Node ID '#{node_id}'", node["class_type"]
    if not profile.missing_node_type:
        told = f"Cannot execute because node {class_type} does not exist."
        return error("invalid_prompt", told, where)
    title = node.get("_meta", {}).get("title", class_type)
    return error(
        "missing_node_type",
        f"Node '{title}' not found. The custom node may not be installed.",
        where,
        node_id=node_id,
        class_type=class_type,
        node_title=title,
    )


def missing_input(name: str) -> dict[str, Any]:
    """A required input that is not given."""
    return error("required_input_missing", "Required input is missing", name, input_name=name)


def bad_link(spec: Input, folders: Folders, value: list[Any]) -> dict[str, Any]:
    """A list that is not a link."""
    return error(
        "bad_linked_input",
        "Bad linked input, must be a length-2 list of [node_id, slot_index]",
        spec.name,
        input_name=spec.name,
        input_config=input_config(spec, folders),
        received_value=value,
    )


def mismatch(spec: Input, folders: Folders, received: str, link: list[Any]) -> dict[str, Any]:
    """A link to an output of another type."""
    wanted = spec.choices(folders) if spec.kind == "COMBO" else spec.kind
    return error(
        "return_type_mismatch",
        "Return type mismatch between linked nodes",
        f"{spec.name}, received_type({received}) mismatch input_type({wanted})",
        input_name=spec.name,
        input_config=input_config(spec, folders),
        received_type=received,
        linked_node=link,
    )


def custom(name: str, reason: str) -> dict[str, Any]:
    """The node's own check of an input said no."""
    return error(
        "custom_validation_failed",
        "Custom validation failed for node",
        f"{name} - {reason}",
        input_name=name,
    )


def cycle(node_id: str, members: list[str], path: list[str]) -> dict[str, Any]:
    """A node that depends on itself."""
    return error(
        "dependency_cycle",
        "Dependency cycle detected",
        " -> ".join(path),
        node_id=node_id,
        cycle_nodes=members,
    )


def raised(
    exception: Exception,
    trace: list[str],
    *,
    spec: Input | None = None,
    folders: Folders | None = None,
    linked: list[Any] | None = None,
) -> dict[str, Any]:
    """Something raised while a node was checked; with *spec*, while what it links to was."""
    told = {"exception_type": full_name(exception), "traceback": trace}
    if spec is None or folders is None:
        kind, message = "exception_during_validation", "Exception when validating node"
        return error(kind, message, str(exception), **told)
    return error(
        "exception_during_inner_validation",
        "Exception when validating inner node",
        str(exception),
        input_name=spec.name,
        input_config=input_config(spec, folders),
        exception_message=str(exception),
        **told,
        linked_node=linked,
    )


def full_name(exception: BaseException) -> str:
    """The class of an exception as ComfyUI tells it."""
    kind = type(exception)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
