"""Classes that turn pictures into clips, and clips into pictures or latents."""

from __future__ import annotations

from dataclasses import replace

from comfy_mcp.workflow.nodes.amounts import NOTHING, ONE, Amount, least, most, plus, times
from comfy_mcp.workflow.nodes.flow import Flow, Picture, sized
from comfy_mcp.workflow.nodes.view import Rule, View

__all__ = ["FRAMES_ARE_BATCH", "RULES"]

FRAMES_ARE_BATCH = frozenset(
    {"SDV_img2vid_Conditioning", "SV3D_Conditioning", "SVD_img2vid_Conditioning"}
)
"""Their model samples each frame as a picture of the batch."""


def _encoded(source: str) -> Rule:
    """Most models take the frames of a clip as so many pictures, and nobody says which do not."""

    def rule(view: View) -> Flow | None:
        picture = view.picture(source)
        return (
            None
            if picture is None
            else Flow(picture=replace(picture.made(), batch=picture.pictures, frames=ONE))
        )

    return rule


def _filmed(source: str) -> Rule:
    """All pictures that come in, one after the other, as one clip."""

    def rule(view: View) -> Flow | None:
        picture = view.picture(source)
        return (
            None
            if picture is None
            else Flow(picture=replace(picture.made(), batch=ONE, frames=picture.pictures))
        )

    return rule


def _frames_as_batch(view: View) -> Flow:
    frames = most(ONE, view.whole("video_frames"))
    return Flow(picture=sized(view.whole("width", NOTHING), view.whole("height", NOTHING), frames))


def _layered(view: View) -> Flow:
    """Each layer is a picture of its own, and so is all of them together."""
    layers = plus(ONE, view.whole("layers", NOTHING))
    sides = view.whole("width", NOTHING), view.whole("height", NOTHING)
    return Flow(picture=sized(*sides, times(most(ONE, view.whole("batch_size")), layers)))


def _shortened(source: str, name: str) -> Rule:
    def rule(view: View) -> Flow | None:
        picture = view.picture(source)
        if picture is None:
            return None
        return Flow(picture=replace(picture.made(), frames=least(picture.frames, view.whole(name))))

    return rule


def _lengthened(source: str) -> Rule:
    """As long as ``length`` says, in the size of what comes in."""

    def rule(view: View) -> Flow | None:
        picture = view.picture(source)
        return (
            None
            if picture is None
            else Flow(picture=replace(picture.made(), frames=most(ONE, view.whole("length"))))
        )

    return rule


def _interpolated(view: View) -> Flow | None:
    picture = view.picture("images")
    if picture is None:
        return None
    count, by = picture.pictures, most(ONE, view.whole("multiplier"))
    steps = times(Amount(max(0, count.n - 1), count.unknown), by)
    return Flow(picture=replace(picture.made(), batch=ONE, frames=plus(steps, ONE)))


def _guided(view: View) -> Flow | None:
    """Guiding pictures are put behind the clip until `LTXVCropGuides` takes them off."""
    picture, guide = view.picture("latent"), view.picture("image")
    if picture is None:
        return None
    frames = plus(picture.frames, guide.pictures) if guide is not None else picture.frames
    return Flow(picture=replace(picture.made(), frames=frames))


def _segment(view: View) -> Flow | None:
    picture = view.picture("images")
    if picture is None:
        return None
    frames = most(ONE, view.whole("segment_length"))
    return Flow(picture=replace(picture.made(), batch=ONE, frames=frames))


def _segments(view: View) -> Flow | None:
    flow = _segment(view)
    return None if flow is None else replace(flow, items=most(ONE, view.whole("num_segments")))


def _merged(view: View) -> Flow | None:
    """As long as all chunks together."""
    picture = view.picture("latents")
    if picture is None:
        return None
    return Flow(picture=replace(picture.made(), frames=times(picture.frames, view.items())))


def _chunked(view: View) -> Flow | None:
    """Chunks of a clip's latents, sampled one after the other; 4 frames make one latent frame."""
    picture = view.picture("latent")
    if picture is None:
        return None
    if view.choice("chunking_mode") != "manual":
        automatic = view.unknown("chunking_mode", "makes as many chunks as fit into memory")
        return Flow(picture=picture.made(), items=Amount(1, automatic))
    size = view.whole("chunking_mode.frames_per_chunk")
    chunk = max(0, size.n - 1) // 4 + 1
    overlap = view.whole("temporal_overlap", NOTHING)
    step = max(1, chunk - min(overlap.n, chunk - 1))
    length = max(0, picture.frames.n - 1) // 4 + 1
    unknown = picture.frames.unknown or size.unknown or overlap.unknown
    return Flow(picture=picture.made(), items=Amount.of(-(-length // step), unknown))


def _sized_or_like(view: View) -> Flow:
    """``width`` x ``height``, or like the first picture where they are 0."""
    sides = view.whole("width", NOTHING), view.whole("height", NOTHING)
    like = next((each for name in view.links if (each := view.picture(name))), None)
    batch = most(ONE, view.whole("batch_size"))
    if like is None or (sides[0].n and sides[1].n):
        return Flow(picture=sized(*sides, batch))
    return Flow(picture=replace(like.made(), batch=batch, frames=ONE, exact=False))


def _painted(view: View) -> Flow:
    base = view.picture("image")
    if base is None:
        return Flow(picture=sized(view.whole("width", NOTHING), view.whole("height", NOTHING)))
    return Flow(picture=replace(base.made(), batch=ONE, frames=ONE))


def _shaded(view: View) -> Flow | None:
    first = next((each for name in view.links if (each := view.picture(name))), None)
    if first is None:
        return None
    if view.choice("size_mode") == "custom":
        sides = view.whole("size_mode.width", NOTHING), view.whole("size_mode.height", NOTHING)
        return Flow(picture=first.resized(*sides))
    return Flow(picture=replace(first.made(), exact=False))


def _silent(_view: View) -> Flow:
    """Sound as a latent: a batch of one, without a size."""
    return Flow(picture=Picture())


RULES: dict[str, Rule] = {
    "CreateVideo": _filmed("images"),
    "EmptyQwenImageLayeredLatentImage": _layered,
    "FrameInterpolate": _interpolated,
    "GLSLShader": _shaded,
    "LTXVAddGuide": _guided,
    "LTXVAudioVAEEncode": _silent,
    "Painter": _painted,
    **dict.fromkeys(FRAMES_ARE_BATCH, _frames_as_batch),
    "SaveAnimatedPNG": _filmed("images"),
    "SaveAnimatedWEBP": _filmed("images"),
    "SaveWEBM": _filmed("images"),
    "SeedVR2TemporalChunk": _chunked,
    "SeedVR2TemporalMerge": _merged,
    "TextEncodeMageFlowEdit": _sized_or_like,
    "VAEEncode": _encoded("pixels"),
    "VAEEncodeAudio": _silent,
    "VAEEncodeForInpaint": _encoded("pixels"),
    "VAEEncodeTiled": _encoded("pixels"),
    "InpaintModelConditioning": _encoded("pixels"),
    "InstructPixToPixConditioning": _encoded("pixels"),
    "VideoFrameSample": _shortened("video", "num_frames"),
    "VideoRandomTemporalCrop": _shortened("video", "length"),
    "VideoTemporalCrop": _shortened("video", "length"),
    "WanDancerPadKeyframes": _segment,
    "WanDancerPadKeyframesList": _segments,
    "WanSoundImageToVideoExtend": _lengthened("video_latent"),
}
