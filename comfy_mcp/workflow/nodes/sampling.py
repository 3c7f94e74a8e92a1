"""Classes that sample, and the schedules that tell some of them how many steps to take."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from comfy_mcp.workflow.facts import Unknown
from comfy_mcp.workflow.nodes.amounts import NOTHING, ONE, Amount, Factor, least, most, times
from comfy_mcp.workflow.nodes.fitting import enlarged
from comfy_mcp.workflow.nodes.flow import Constant, Flow, Opaque
from comfy_mcp.workflow.nodes.literals import MAX_NAME, MAX_TEXT
from comfy_mcp.workflow.nodes.passing import passed
from comfy_mcp.workflow.nodes.view import Rule, View

__all__ = ["RULES", "SAMPLINGS", "Sampling", "model_factor", "open_ended"]

_STEPS_THEMSELVES = """
AlignYourStepsScheduler BasicScheduler BetaSamplingScheduler ExponentialScheduler Flux2Scheduler
GITSScheduler Ideogram4Scheduler KarrasScheduler LTXVScheduler LaplaceScheduler
OptimalStepsScheduler PolyexponentialScheduler SDTurboScheduler VPScheduler
"""
# ComfyUI's own is [-+]?(?:\d*\.*\d+); this finds the same in one pass, whatever the text.
_SIGMA = re.compile(r"[-+]?(?:\d*+(?<!\.)\.++\d+|\d+)")
_ADAPTIVE = "dpm_adaptive"
_FACTOR = re.compile(r"(?<![a-z0-9])(1?\d)x(?!\d)|x(1?\d)(?!\d|x)")
_MANY_FRAMES = "temporal"


@dataclass(frozen=True, slots=True)
class Sampling:
    """One run of a sampler: *batch* pictures, *steps* steps each."""

    steps: Amount
    batch: Amount


def open_ended(view: View, name: str = "sampler_name") -> Unknown | None:
    """Why the steps asked for say nothing, if this sampler takes as many as it likes."""
    if view.choice(name) != _ADAPTIVE:
        return None
    return view.unknown(name, f"is {_ADAPTIVE}, which takes as many steps as it likes")


def model_factor(name: str) -> float | None:
    """The factor that an upscaling model's file *name* tells: ``4x_...``, ``...x2.pth``."""
    if len(name) > MAX_NAME:
        return None
    found = {int(next(filter(None, match.groups()))) for match in _FACTOR.finditer(name.lower())}
    found.discard(0)
    return float(max(found)) if found else None


def _schedule(view: View) -> Flow:
    return Flow(steps=view.whole("steps"))


def _incoming(view: View) -> Amount:
    """The steps of the schedule at ``sigmas``."""
    flow = view.flows.get("sigmas")
    if flow is not None and flow.steps is not None:
        return flow.steps
    value = view.value("sigmas")
    if not isinstance(value, Opaque):
        return NOTHING
    return Amount(0, view.unknown("sigmas", value.words()))


def _same_steps(view: View) -> Flow:
    return Flow(steps=_incoming(view))


def _split(view: View) -> tuple[Flow, Flow]:
    steps, at = _incoming(view), view.whole("step", NOTHING)
    if at.unknown is not None:
        return Flow(steps=steps), Flow(steps=steps)
    rest = Amount(max(0, steps.n - at.n), steps.unknown)
    return Flow(steps=least(steps, at)), Flow(steps=rest)


def _split_by_denoise(view: View) -> tuple[Flow, Flow]:
    steps, denoise = _incoming(view), view.real("denoise")
    if denoise.unknown is not None or not 0 <= denoise.by <= 1:
        return Flow(steps=steps), Flow(steps=steps)
    last = round(steps.n * denoise.by)
    return (
        Flow(steps=Amount(steps.n - last if last else 0, steps.unknown)),
        Flow(steps=Amount(last, steps.unknown)),
    )


def _extended(view: View) -> Flow:
    return Flow(steps=times(_incoming(view), most(ONE, view.whole("steps"))))


def _manual(view: View) -> Flow:
    text = view.text("sigmas")
    if isinstance(text, Opaque):
        return Flow(steps=Amount(0, view.unknown("sigmas", text.words())))
    if len(text) > MAX_TEXT:
        return Flow(steps=Amount(0, view.unknown("sigmas", "is too long to be counted")))
    return Flow(steps=Amount.of(sum(1 for _ in _SIGMA.finditer(text)) - 1))


def _chosen_sampler(view: View) -> Flow:
    return Flow(open_ended=open_ended(view))


def _adaptive_sampler(view: View) -> Flow:
    return Flow(open_ended=view.unknown("rtol", "steers how many steps the sampler takes"))


def _growing_sampler(view: View) -> Flow:
    """It enlarges the latent while it samples."""
    factor = view.real("scale_ratio")
    return Flow(factor=Factor(max(1.0, factor.by), factor.unknown))


def _model_loader(view: View) -> Flow:
    name = view.text("model_name")
    if isinstance(name, Opaque):
        return Flow(factor=Factor(1.0, view.unknown("model_name", name.words())))
    by = model_factor(name)
    if by is None:
        why = "names a model that does not say by how much it enlarges"
        return Flow(factor=Factor(1.0, view.unknown("model_name", why)))
    return Flow(factor=Factor(by), value=Constant(name))


def _factor(view: View, name: str) -> Factor:
    flow = view.flows.get(name)
    if flow is not None and flow.factor is not None:
        return flow.factor
    value = view.value(name)
    words = value.words() if isinstance(value, Opaque) else "names no model"
    return Factor(1.0, view.unknown(name, words))


def _upscaled(view: View) -> Flow | None:
    picture = view.picture("image")
    return (
        None if picture is None else Flow(picture=enlarged(picture, _factor(view, "upscale_model")))
    )


def _upsampled(view: View) -> Flow | None:
    """A latent upsampler enlarges either each frame or the number of frames."""
    picture = view.picture("samples")
    if picture is None:
        return None
    factor, name = _factor(view, "upscale_model"), view.value("upscale_model")
    if isinstance(name, Constant) and _MANY_FRAMES in str(name.value).lower():
        return Flow(picture=replace(picture.made(), frames=factor.of(picture.frames)))
    return Flow(picture=enlarged(picture, factor))


def _sampled(view: View) -> Flow | None:
    picture = passed(view, ("latent_image",))
    if picture is None:
        return None
    flow = view.flows.get("sampler")
    factor = flow.factor if flow is not None else None
    return Flow(picture=picture.made() if factor is None else enlarged(picture, factor))


def _batch(view: View) -> Amount:
    picture = view.picture("latent_image")
    return ONE if picture is None else picture.batch


def _by_steps(view: View) -> Sampling:
    steps = view.whole("steps", NOTHING)
    return Sampling(Amount(steps.n, steps.unknown or open_ended(view)), _batch(view))


def _by_range(view: View) -> Sampling:
    """From ``start_at_step`` to ``end_at_step``, as far as there are steps."""
    whole = _by_steps(view)
    start = view.whole("start_at_step", NOTHING)
    end = least(whole.steps, view.whole("end_at_step", whole.steps))
    if start.unknown is not None:
        return Sampling(end, whole.batch)
    return Sampling(Amount(max(0, end.n - start.n), end.unknown), whole.batch)


def _by_sigmas(view: View) -> Sampling:
    steps, sampler = _incoming(view), view.flows.get("sampler")
    unknown = steps.unknown or (sampler.open_ended if sampler is not None else None)
    return Sampling(Amount(steps.n, unknown), _batch(view))


def _training(view: View) -> Sampling:
    rounds = times(
        most(ONE, view.whole("batch_size")), most(ONE, view.whole("grad_accumulation_steps"))
    )
    return Sampling(view.whole("steps", NOTHING), rounds)


RULES: dict[str, Rule] = {
    **dict.fromkeys(_STEPS_THEMSELVES.split(), _schedule),
    "ExtendIntermediateSigmas": _extended,
    "FlipSigmas": _same_steps,
    "ImageUpscaleWithModel": _upscaled,
    "KSampler": _sampled,
    "KSamplerAdvanced": _sampled,
    "KSamplerSelect": _chosen_sampler,
    "LTXVLatentUpsampler": _upsampled,
    "LatentUpscaleModelLoader": _model_loader,
    "ManualSigmas": _manual,
    "SamplerCustom": _sampled,
    "SamplerCustomAdvanced": _sampled,
    "SamplerDPMAdaptative": _adaptive_sampler,
    "SamplerLCMUpscale": _growing_sampler,
    "SetFirstSigma": _same_steps,
    "SplitSigmas": _split,
    "SplitSigmasDenoise": _split_by_denoise,
    "UpscaleModelLoader": _model_loader,
}

SAMPLINGS: dict[str, Callable[[View], Sampling]] = {
    "KSampler": _by_steps,
    "KSamplerAdvanced": _by_range,
    "SamplerCustom": _by_sigmas,
    "SamplerCustomAdvanced": _by_sigmas,
    "TrainLoraNode": _training,
}
