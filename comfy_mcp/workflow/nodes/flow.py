"""What runs along a link, as far as it can be foreseen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from comfy_mcp.workflow.facts import Unknown
from comfy_mcp.workflow.nodes.amounts import NOTHING, ONE, Amount, Factor, most, times

__all__ = ["Constant", "Flow", "Opaque", "Picture", "largest", "nowhere", "sized"]


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is sure."""

    value: object


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that cannot be foreseen, because of this node; *why* is a clause after its name."""

    node_id: str
    class_type: str
    why: str = "whose result cannot be foreseen"

    def words(self) -> str:
        """Say it of an input that takes this value."""
        return f"takes its value from node {self.node_id} ({self.class_type}), {self.why}"


@dataclass(frozen=True, slots=True)
class Picture:
    """Pictures, masks, latents or a video, in pixels of what they decode to.

    It holds *batch* x *frames* pictures of at most *width* x *height*, none with more than *pixels*
    pixels. *exact*: width and height are not only bounds. *rounded*: but for the steps that latents
    come in. *loaded*: read from a file and not changed yet, so that nothing has made it.
    """

    width: Amount = NOTHING
    height: Amount = NOTHING
    pixels: Amount = NOTHING
    batch: Amount = ONE
    frames: Amount = ONE
    exact: bool = True
    rounded: bool = False
    loaded: bool = False

    @property
    def pictures(self) -> Amount:
        """How many pictures there are."""
        return times(self.batch, self.frames)

    def resized(self, width: Amount, height: Amount, *, exact: bool = True) -> Picture:
        """The same pictures in another size."""
        return replace(
            self, width=width, height=height, pixels=times(width, height), exact=exact, loaded=False
        )

    def made(self) -> Picture:
        """The same as the work of a node."""
        return replace(self, loaded=False) if self.loaded else self


@dataclass(frozen=True, slots=True)
class Flow:
    """One output of one node, each field None if it has no such thing.

    *steps* is how many steps a schedule (``SIGMAS``) has, *factor* by how much an upscaling model
    or a sampler enlarges, *open_ended* says of a sampler why its steps are not those asked for.
    *items*: how many values come one after the other, so that nodes behind it run so often.
    *stranger* is a node of a class that is not known here and that may give anything.
    """

    value: Constant | Opaque | None = None
    picture: Picture | None = None
    steps: Amount | None = None
    factor: Factor | None = None
    open_ended: Unknown | None = None
    items: Amount = ONE
    stranger: Opaque | None = None


def sized(width: Amount, height: Amount, batch: Amount = ONE, frames: Amount = ONE) -> Picture:
    """New pictures of exactly this size."""
    return Picture(width, height, times(width, height), batch, frames)


def nowhere(unknown: Unknown) -> Picture:
    """Pictures of which nothing is known."""
    nothing, one = Amount(0, unknown), Amount(1, unknown)
    return Picture(nothing, nothing, nothing, one, one, exact=False)


def largest(pictures: Iterable[Picture | None]) -> Picture | None:
    """A bound for any of *pictures*; None if there are none."""
    some = [each for each in pictures if each is not None]
    if len(some) < 2:  # noqa: PLR2004 - nothing to compare
        return some[0] if some else None
    return Picture(
        width=most(*(each.width for each in some)),
        height=most(*(each.height for each in some)),
        pixels=most(*(each.pixels for each in some)),
        batch=most(*(each.batch for each in some)),
        frames=most(*(each.frames for each in some)),
        exact=False,
        loaded=all(each.loaded for each in some),
    )
