"""ComfyUI's own classes that give numbers, truths and choices."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from comfy_mcp.workflow.nodes.amounts import ONE, most
from comfy_mcp.workflow.nodes.flow import Constant, Flow, Opaque, Picture, largest
from comfy_mcp.workflow.nodes.formula import compute
from comfy_mcp.workflow.nodes.literals import as_real, as_text, as_truth, as_whole
from comfy_mcp.workflow.nodes.view import Rule, View

__all__ = ["RULES", "constant", "each_as", "formula", "passing_on"]

_RATIOS = {
    "1:1": (1, 1),
    "2:3": (2, 3),
    "3:2": (3, 2),
    "3:4": (3, 4),
    "4:3": (4, 3),
    "9:16": (9, 16),
    "16:9": (16, 9),
    "21:9": (21, 9),
}
_LATENT_UNIT = 32
_TRUTH_INPUT = re.compile(r"value|boolean|values\.value[0-9]{1,2}")
_LETTER = re.compile(r"[a-z]")


def constant(name: str, read: Callable[[object], object]) -> Rule:
    """The input *name*, as *read* makes it (None: ComfyUI refuses it)."""

    def rule(view: View) -> Flow:
        value = view.value(name)
        if isinstance(value, Constant):
            number = read(value.value)
            value = Constant(number) if number is not None else None
        return Flow(value=value or view.opaque("which holds nothing that ComfyUI takes"))

    return rule


def passing_on(view: View) -> Flow | None:
    """Whatever comes in at the only link, or at the first."""
    return next(iter(view.flows.values()), None)


def formula(text: str, names: Mapping[str, str], *, prefix: str = "") -> Rule:
    """Arithmetic in the input *text*; *names* maps its letters to inputs, *prefix* adds others.

    Gives the number as it is; see `each_as` for classes with several outputs.
    """

    def rule(view: View) -> Flow:
        given = dict(names)
        if prefix:
            # ComfyUI takes the letters and drops the others.
            given |= {
                letter: name
                for name in view.node.inputs
                if name.startswith(prefix) and _LETTER.fullmatch(letter := name[len(prefix) :])
            }
        numbers: dict[str, int | float] = {}
        for letter, name in given.items():
            number = _number(view, name)
            if isinstance(number, Opaque):
                return Flow(value=number)
            numbers[letter] = number
        words = view.text(text, "a + b")
        if isinstance(words, Opaque):
            return Flow(value=words)
        listed = {**numbers, "values": tuple(numbers[name] for name in given)}
        result = compute(words, listed if prefix else numbers)
        return Flow(value=view.opaque() if result is None else Constant(result))

    return rule


def _number(view: View, name: str) -> int | float | Opaque:
    value = view.value(name)
    if isinstance(value, Opaque):
        return value
    held = 0 if value is None else value.value
    if isinstance(held, int | float):
        return held
    number = as_real(held)
    return view.opaque("which is given no number") if number is None else number


def each_as(rule: Rule, *reads: Callable[[object], object]) -> Rule:
    """The result of *rule* once for each output, as each of *reads* makes it."""

    def outputs(view: View) -> tuple[Flow, ...]:
        flow = rule(view)
        value = flow.value if isinstance(flow, Flow) else None
        if not isinstance(value, Constant):
            return tuple(Flow(value=value or view.opaque()) for _ in reads)
        made = [read(value.value) for read in reads]
        return tuple(Flow(value=view.opaque() if each is None else Constant(each)) for each in made)

    return outputs


def _converted(view: View) -> tuple[Flow, Flow]:
    number = _number(view, "value")
    if isinstance(number, Opaque) or not math.isfinite(number):
        value = number if isinstance(number, Opaque) else view.opaque()
        return Flow(value=value), Flow(value=value)
    return Flow(value=Constant(float(number))), Flow(value=Constant(int(number)))


def _switched(view: View) -> Flow | None:
    """One of two; the largest of both where it is not known which."""
    truth = view.truth("switch")
    if isinstance(truth, Opaque):
        return _either([_whatever(view, name) for name in ("on_true", "on_false")], truth)
    chosen = _whatever(view, "on_true" if truth else "on_false")
    return None if chosen is None else replace(chosen, items=ONE)


def _whatever(view: View, name: str) -> Flow | None:
    """What comes in at *name*, a literal included."""
    if name in view.flows or name in view.links:
        return view.flows.get(name)
    value = view.value(name)
    return None if value is None else Flow(value=value)


def _either(flows: list[Flow | None], why: Opaque) -> Flow:
    some = [flow for flow in flows if flow is not None]
    steps = [flow.steps for flow in some if flow.steps is not None]
    factors = [flow.factor for flow in some if flow.factor is not None]
    return Flow(
        value=why,
        picture=largest(flow.picture for flow in some),
        steps=most(*steps) if steps else None,
        factor=max(factors, key=lambda each: (each.unknown is not None, each.by), default=None),
        open_ended=next((flow.open_ended for flow in some if flow.open_ended), None),
        stranger=next((flow.stranger for flow in some if flow.stranger), None),
    )


def _measured(view: View) -> tuple[Flow, ...]:
    """``GetImageSize``: a bound is not enough to count with."""
    picture = view.picture("image")
    if picture is None or not _is_sure(picture):
        return (Flow(value=view.opaque("which measures a picture of unforeseen size")),) * 3
    sides = picture.width.n, picture.height.n, picture.pictures.n
    return tuple(Flow(value=Constant(side)) for side in sides)


def _is_sure(picture: Picture) -> bool:
    sides = picture.width, picture.height, picture.pictures
    if not picture.exact or any(side.unknown is not None for side in sides):
        return False
    if not picture.rounded:
        return True
    return not (picture.width.n % _LATENT_UNIT or picture.height.n % _LATENT_UNIT) and (
        picture.frames.n == 1
    )


def _resolution(view: View) -> tuple[Flow, Flow]:
    ratio = _RATIOS.get(view.choice("aspect_ratio", "1:1 (Square)").partition(" ")[0])
    megapixels, multiple = view.real("megapixels"), view.whole("multiple")
    unknown = megapixels.unknown or multiple.unknown
    if ratio is None or unknown is not None or not multiple.n or not 0 <= megapixels.by < 1e9:  # noqa: PLR2004 - far above what can be made
        return Flow(value=view.opaque()), Flow(value=view.opaque())
    scale = math.sqrt(megapixels.by * 1024 * 1024 / (ratio[0] * ratio[1]))
    width, height = (round(side * scale / multiple.n) * multiple.n for side in ratio)
    return Flow(value=Constant(width)), Flow(value=Constant(height))


def _truths(combine: Callable[[list[bool]], bool]) -> Rule:
    def rule(view: View) -> Flow:
        given: list[bool] = []
        for name in view.node.inputs:
            if not _TRUTH_INPUT.fullmatch(name):
                # ComfyUI drops inputs that a class does not have; which others it takes is its own.
                return Flow(value=view.opaque("which is given an input that it may not have"))
            truth = view.truth(name)
            if isinstance(truth, Opaque):
                return Flow(value=truth)
            given.append(truth)
        return Flow(value=Constant(combine(given)))

    return rule


def _slots(**inputs: int) -> Rule:
    """Outputs that repeat inputs, by number; *inputs* maps an input to its output."""

    def rule(view: View) -> tuple[Flow, ...]:
        flows = [Flow() for _ in range(max(inputs.values()) + 1)]
        for name, slot in inputs.items():
            flows[slot] = Flow(value=view.value(name))
        return tuple(flows)

    return rule


def _combo(view: View) -> tuple[Flow, Flow]:
    index = view.value("index")
    return Flow(value=view.value("choice")), Flow(value=index or Constant(0))


def _finite(value: object) -> float | None:
    number = as_real(value)
    return number if number is not None and math.isfinite(number) else None


RULES: dict[str, Rule] = {
    "ComfyAndNode": _truths(all),
    "ComfyMathExpression": each_as(
        formula("expression", {}, prefix="values."), _finite, as_whole, as_truth
    ),
    "ComfyNotNode": _truths(lambda given: not any(given)),
    "ComfyNumberConvert": _converted,
    "ComfyOrNode": _truths(any),
    "ComfySoftSwitchNode": _switched,
    "ComfySwitchNode": _switched,
    "CustomCombo": _combo,
    "GetImageSize": _measured,
    "InvertBooleanNode": _truths(lambda given: not any(given)),
    "Load3DAdvanced": _slots(width=3, height=4),
    "Preview3DAdvanced": _slots(width=3, height=4),
    "PreviewGaussianSplat": _slots(width=3, height=4),
    "PreviewPointCloud": _slots(width=3, height=4),
    "PrimitiveBoolean": constant("value", as_truth),
    "PrimitiveFloat": constant("value", as_real),
    "PrimitiveInt": constant("value", as_whole),
    "PrimitiveString": constant("value", as_text),
    "PrimitiveStringMultiline": constant("value", as_text),
    "ResolutionSelector": _resolution,
    "Save3DAdvanced": _slots(width=3, height=4),
    "SaveGaussianSplat": _slots(width=3, height=4),
    "SavePointCloud": _slots(width=3, height=4),
    "SeedNode": constant("seed", as_whole),
    "WanCameraEmbedding": _slots(width=1, height=2, length=3),
}
