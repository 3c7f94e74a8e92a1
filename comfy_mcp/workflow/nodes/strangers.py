"""Classes that are not known here: their inputs are read by name, and the rest is passed on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from comfy_mcp.workflow.nodes.amounts import NOTHING, ONE, Amount, Factor, most, times
from comfy_mcp.workflow.nodes.fitting import enlarged
from comfy_mcp.workflow.nodes.flow import Constant, Flow, Opaque, Picture, largest, sized
from comfy_mcp.workflow.nodes.literals import as_real, as_text
from comfy_mcp.workflow.nodes.loading import looked_at
from comfy_mcp.workflow.nodes.sampling import Sampling, open_ended
from comfy_mcp.workflow.nodes.view import View

__all__ = ["picture_inputs", "sampling_of_stranger", "stranger"]

_STEPS = ("steps", "num_steps", "sampling_steps", "num_inference_steps")
_WIDTHS = ("width", "target_width", "output_width", "image_width", "empty_latent_width")
_HEIGHTS = ("height", "target_height", "output_height", "image_height", "empty_latent_height")
_SIDES = (
    *("resolution", "size", "image_size", "target_size", "largest_size", "max_size"),
    *("longer_edge", "longest_side", "shorter_edge", "side_length"),
)
_AREAS = ("megapixels", "total_megapixels", "target_megapixels")
_BATCHES = ("batch_size", "batch", "batch_count", "empty_latent_batch_size", "num_images")
_REPEATS = ("amount", "repeat", "repeats")
_FRAMES = (
    *("length", "frames", "num_frames", "video_frames", "video_length", "frame_count"),
    *("frame_load_cap", "max_frames"),
)
_FACTORS = (
    *("scale_by", "upscale_by", "scale_factor", "upscale_factor", "scale_ratio"),
    *("upscale_ratio", "rescale_factor", "resize_factor", "resize_scale"),
)
_FILES = ("image", "image_path", "image_file", "mask")
_SIZE = re.compile(r"(?<!\d)(\d{2,6})\s*[x\u00d7*]\s*(\d{2,6})(?!\d)", re.IGNORECASE)
_MAX_SIZE = 100
_PICTURE = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
_SCHEDULES = ("schedule", "sigma")
_MEGA = 1024 * 1024


def stranger(view: View) -> Flow:
    """The largest of what comes in and of what the inputs' names say."""
    picture = largest((_incoming(view), _own(view), *_files(view)))
    steps = [flow.steps for flow in view.flows.values() if flow.steps is not None]
    own = _largest(view, _STEPS)
    steps += [] if own is None else [own]
    return Flow(
        picture=picture,
        steps=most(*steps) if steps else None,
        items=view.items(),
        stranger=Opaque(view.node.id, view.node.class_type),
    )


def sampling_of_stranger(view: View) -> Sampling | None:
    """A class with ``steps`` samples, unless its name says that it only plans to."""
    if any(word in view.node.class_type.lower() for word in _SCHEDULES):
        return None
    steps = _largest(view, _STEPS)
    if steps is None:
        return None
    picture = largest((_incoming(view), _own(view)))
    batch = ONE if picture is None else picture.batch
    return Sampling(Amount(steps.n, steps.unknown or open_ended(view)), batch)


def picture_inputs(inputs: Mapping[str, object]) -> list[str]:
    """Inputs of a class that is not known here which name a picture."""
    return [
        name
        for name in _FILES
        if isinstance(value := inputs.get(name), str) and _names_picture(value)
    ]


def _names_picture(text: str) -> bool:
    bare = text.rstrip()
    bare = bare[: bare.rindex("[")].rstrip() if bare.endswith("]") and "[" in bare else bare
    return bare.lower().endswith(_PICTURE)


def _files(view: View) -> list[Picture]:
    return [looked_at(view, name, view.choice(name)) for name in picture_inputs(view.node.inputs)]


def _incoming(view: View) -> Picture | None:
    """All that comes in, enlarged and repeated as the inputs' names say."""
    picture = largest(view.pictures())
    if picture is None:
        return None
    factors = [each for name in _FACTORS if (each := _factor(view, name)) is not None]
    for factor in factors:
        picture = enlarged(picture, factor)
    repeats = _largest(view, _REPEATS)
    if repeats is not None:
        picture = _repeated(picture, repeats)
    return picture.made()


def _repeated(picture: Picture, repeats: Amount) -> Picture:
    return Picture(
        picture.width,
        picture.height,
        picture.pixels,
        times(picture.batch, most(ONE, repeats)),
        picture.frames,
        exact=False,
    )


def _own(view: View) -> Picture | None:
    """What the inputs' names say of the size, None if they say nothing."""
    sides = [each for name in _SIDES if (each := _number(view, name)) is not None]
    sizes = [size for name in view.node.inputs if (size := _written(view, name)) is not None]
    width = _most((_largest(view, _WIDTHS), *sides, *(size[0] for size in sizes)))
    height = _most((_largest(view, _HEIGHTS), *sides, *(size[1] for size in sizes)))
    batch, frames = _largest(view, _BATCHES), _largest(view, _FRAMES)
    areas = [factor for name in _AREAS if (factor := _real(view, name)) is not None]
    area = _most(factor.of(Amount(_MEGA)) for factor in areas)
    if all(each is None for each in (width, height, batch, frames, area)):
        return None
    picture = sized(
        width or NOTHING, height or NOTHING, most(ONE, batch or ONE), most(ONE, frames or ONE)
    )
    pixels = picture.pixels if area is None else most(picture.pixels, area)
    return Picture(
        picture.width, picture.height, pixels, picture.batch, picture.frames, exact=False
    )


def _written(view: View, name: str) -> tuple[Amount, Amount] | None:
    """A size such as ``1024x768`` in an input that is named for one."""
    if not any(word in name.lower() for word in ("resolution", "size", "dimension", "aspect")):
        return None
    value = view.value(name)
    text = as_text(value.value) if isinstance(value, Constant) else None
    found = _SIZE.search(text[:_MAX_SIZE]) if text else None
    return None if found is None else (Amount.of(int(found[1])), Amount.of(int(found[2])))


def _factor(view: View, name: str) -> Factor | None:
    factor = _real(view, name)
    return None if factor is None else Factor(max(1.0, factor.by), factor.unknown)


def _largest(view: View, names: tuple[str, ...]) -> Amount | None:
    return _most(_number(view, name) for name in names)


def _most(amounts: Iterable[Amount | None]) -> Amount | None:
    some = [each for each in amounts if each is not None]
    return most(*some) if some else None


def _number(view: View, name: str) -> Amount | None:
    return view.whole(name) if _is_number(view, name) else None


def _real(view: View, name: str) -> Factor | None:
    return view.real(name) if _is_number(view, name) else None


def _is_number(view: View, name: str) -> bool:
    """Whether a number stands there, or something that may turn out to be one."""
    if not view.has(name):
        return False
    value = view.value(name)
    if isinstance(value, Opaque):
        flow = view.flows.get(name)
        return flow is None or (flow.picture is None and flow.steps is None)
    return value is not None and as_real(value.value) is not None
