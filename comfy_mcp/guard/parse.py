"""The shape of a policy file: text in; a :class:`PolicyFile` or every fault out."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from comfy_mcp.guard.catalog import ToolClass
from comfy_mcp.guard.policy import Action, Gpu, Hide, Limit, Place, PolicyFile, Rule
from comfy_mcp.guard.reading import Node, read_json
from comfy_mcp.guard.vocabulary import APPROVAL, FILE, GPU, GPU_WORDS, LIMIT, RATE, RULE, Keys

if TYPE_CHECKING:
    from comfy_mcp.errors import Fault

__all__ = ["read_policy"]

_WINDOWS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_LONGEST_WINDOW_S = 2_678_400
_LARGEST = 10**12
_SCOPES = {"grant": True, "session": True, "global": False, "server": False}
_CLASSES = Keys(frozenset(ToolClass))

_PATTERN = re.compile(r"[A-Za-z0-9_.*?/-]{1,128}")
_COUNTER = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_RATE = re.compile(r"([1-9][0-9]{0,12})/(second|minute|hour|day|week)")


def read_policy(text: str, where: str = "") -> tuple[PolicyFile, tuple[Fault, ...]]:
    """What *text* says, pointers beginning with *where*, and all that is wrong with its shape.

    With a fault the file is incomplete and must not be used.
    """
    root = read_json(text, where)
    file = _file(root)
    return file, tuple(dict.fromkeys(root.faults))


def _file(root: Node) -> PolicyFile:
    parts = root.known(FILE)
    if isinstance(root.value, dict):
        _version(root, parts.get("version"))
    if schema := parts.get("$schema"):
        schema.text(2000)
    description = parts["description"].text(2000) if "description" in parts else None
    default = parts["default"].choice({"allow", "deny"}) if "default" in parts else None
    return PolicyFile(
        where=root.where,
        description=description or "",
        default_allow=default == "allow",
        hide=_hides(parts["hide"]) if "hide" in parts else (),
        rules=_rules(parts),
        gpu=_gpu(parts["gpu"]) if "gpu" in parts else None,
        lists=any(key in parts for key in ("tools", "classes", "all_tools")),
    )


def _version(root: Node, version: Node | None) -> None:
    if version is None:
        root.fault('the key "version" is missing.', 'Add "version": "1".')
    elif version.value != "1":
        version.wrong_type('the string "1"', 'Write "version": "1", with the quotes.')


def _hides(node: Node) -> tuple[Hide, ...]:
    hides: list[Hide] = []
    for item in node.items():
        name = item.text(128)
        if name is None or not _is_pattern(item, name):
            continue
        if any(hide.match == name for hide in hides):
            item.fault(f'"{name}" is hidden twice.', "Remove one of the two.")
        hides.append(Hide(item.where, name))
    return tuple(hides)


def _is_pattern(node: Node, name: str) -> bool:
    fits = _PATTERN.fullmatch(name) is not None
    if not fits:
        node.fault(
            "this is neither the name of a tool nor a glob.",
            "Use 1 to 128 letters, digits and _ . / - and, as a glob, * and ?.",
        )
    return fits


def _rules(parts: dict[str, Node]) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    if "tools" in parts:
        for name, node in parts["tools"].members().items():
            if _is_pattern(node, name):
                rules.append(_rule(node, Place.TOOL, name, f"rate:{name}"))
    if "classes" in parts:
        for name, node in parts["classes"].known(_CLASSES).items():
            rules.append(_rule(node, Place.CLASS, name, f"rate:classes/{name}"))
    if "all_tools" in parts:
        rules.append(_rule(parts["all_tools"], Place.ALL, "*", "rate:all_tools"))
    return tuple(rules)


def _rule(node: Node, place: Place, match: str, counter: str) -> Rule:
    parts = node.known(RULE)
    said = parts["action"].choice(frozenset(Action)) if "action" in parts else None
    action = Action(said) if said is not None else Action.ALLOW
    reason = _reason(parts)
    if action is Action.DENY:
        for key in ("limits", "rate_limit", "require_approval"):
            if key in parts:
                parts[key].fault(
                    f'a rule with "action": "deny" cannot have "{key}": nothing gets that far.',
                    f'Remove "{key}", or the action.',
                )
    if "require_approval" in parts:
        action, reason = _approval(parts["require_approval"], action, reason)
    limits = _limits(parts["limits"]) if "limits" in parts else ()
    if "rate_limit" in parts:
        limits += _rate_limit(parts["rate_limit"], counter)
    return Rule(node.where, place, match, action, reason, limits)


def _reason(parts: dict[str, Node]) -> str | None:
    texts = {key: parts[key].text(500) for key in ("reason", "on_deny") if key in parts}
    if len(texts) > 1:
        parts["on_deny"].fault('"reason" and "on_deny" mean the same here.', "Keep one of them.")
    return next(iter(texts.values()), None)


def _approval(node: Node, action: Action, reason: str | None) -> tuple[Action, str | None]:
    if isinstance(node.value, dict):
        parts = node.known(APPROVAL)
        own = parts["reason"].text(500) if "reason" in parts else None
        asked = True
        reason = own or reason
    elif isinstance(node.value, bool):
        asked = node.value
    else:
        node.wrong_type("true, false or an object")
        asked = False
    if not asked and action is Action.APPROVAL:
        node.fault(
            'this contradicts "action": "require_approval".', 'Remove "require_approval" here.'
        )
    return (Action.APPROVAL if asked else action), reason


def _limits(node: Node) -> tuple[Limit, ...]:
    read = (_limit(item) for item in node.items())
    return tuple(limit for limit in read if limit is not None)


def _limit(node: Node) -> Limit | None:
    before = len(node.faults)
    parts = node.known(LIMIT)
    reason = _reason(parts)
    counter = _counter(parts["counter"]) if "counter" in parts else None
    window_ms = _window(parts["window"]) if "window" in parts else None
    most = parts["max"].millionths(Decimal(0), _LARGEST) if "max" in parts else None
    amount: int | None = 1_000_000
    if "increment" in parts:
        amount = parts["increment"].millionths(Decimal("0.000001"), _LARGEST)
    algorithm = parts["algorithm"].choice({"rolling", "fixed"}) if "algorithm" in parts else None
    name = parts["name"].text(500) if "name" in parts else None
    per_grant = _scope(parts)
    _missing(node, {"counter", "window", "max"})
    if counter is None or window_ms is None or most is None or amount is None:
        return None
    if len(node.faults) > before:
        # What is half understood must not be compared with other limits.
        return None
    calendar = algorithm == "fixed"
    return Limit(node.where, counter, amount, most, window_ms, calendar, per_grant, name, reason)


def _missing(node: Node, keys: set[str]) -> None:
    if isinstance(node.value, dict):
        for key in sorted(keys - node.members().keys()):
            node.fault(f'the key "{key}" is missing.', f'Add "{key}".')


def _counter(node: Node) -> str | None:
    name = node.text(128)
    if name is None or _COUNTER.fullmatch(name):
        return name
    node.fault("this is no name for a counter.", "Use 1 to 128 letters, digits and _ . : -")
    return None


def _window(node: Node) -> int | None:
    if isinstance(node.value, str):
        word = node.choice(_WINDOWS)
        return None if word is None else _WINDOWS[word] * 1000
    seconds = node.whole(1, _LONGEST_WINDOW_S)
    return None if seconds is None else seconds * 1000


def _scope(parts: dict[str, Node]) -> bool:
    scope = parts["scope"].choice(_SCOPES) if "scope" in parts else None
    return _SCOPES[scope or "grant"]


def _rate_limit(node: Node, counter: str) -> tuple[Limit, ...]:
    per_grant = True
    most: int | None
    window_ms: int | None
    if isinstance(node.value, str):
        found = _RATE.fullmatch(node.value)
        if found is None:
            node.fault("this is no rate.", 'Write for instance "10/minute", or {"max", "window"}.')
            return ()
        most, window_ms = int(found[1]), _WINDOWS[found[2]] * 1000
    elif isinstance(node.value, dict):
        parts = node.known(RATE)
        most = parts["max"].whole(0, _LARGEST) if "max" in parts else None
        window_ms = _window(parts["window"]) if "window" in parts else None
        per_grant = _scope(parts)
        _missing(node, {"max", "window"})
    else:
        node.wrong_type('a rate, as "10/minute" or {"max": 10, "window": 60}')
        return ()
    if most is None or window_ms is None:
        return ()
    name = f"{counter}:{window_ms // 1000}s"
    limit = Limit(node.where, name, 1_000_000, most * 1_000_000, window_ms, per_grant=per_grant)
    return (limit,)


def _gpu(node: Node) -> Gpu:
    parts = node.known(GPU)
    for key, (word, later) in GPU_WORDS.items():
        if key not in parts:
            continue
        value = parts[key].value
        if isinstance(value, str) and value in later:
            parts[key].unsupported(f'"{key}": "{value}"', f'Write "{word}", or remove it.')
        else:
            parts[key].choice({word})
    cap = parts["max_in_flight"].whole(0, _LARGEST) if "max_in_flight" in parts else None
    return Gpu(node.where, cap)
