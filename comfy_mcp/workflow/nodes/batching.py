"""Classes that put pictures together: batches, lists, tiles, strips and grids."""

from __future__ import annotations

from dataclasses import replace

from comfy_mcp.workflow.nodes.amounts import NOTHING, ONE, Amount, least, most, plus, times
from comfy_mcp.workflow.nodes.flow import Flow, Opaque, Picture, largest
from comfy_mcp.workflow.nodes.passing import passed
from comfy_mcp.workflow.nodes.view import Rule, View

__all__ = ["LISTS_IN", "RULES", "picked"]

LISTS_IN = frozenset(
    """
    CreateList ImageDeduplication ImageGrid ImageMergeTileList MakeTrainingDataset MergeImageLists
    MergeTextLists RebatchImages RebatchLatents ResolutionBucket SaveImageDataSetToFolder
    SaveImageTextDataSetToFolder SaveTrainingDataset SeedVR2TemporalMerge ShuffleDataset
    ShuffleImageTextDataset ShuffleVideoDataset ShuffleVideoTextDataset TrainLoraNode
    """.split()  # noqa: SIM905 -- a column of names is read more easily
)
"""They take a whole list at once; others run once for each item."""

_LATENT = 8


def _repeated(source: str) -> Rule:
    def rule(view: View) -> Flow | None:
        picture = view.picture(source)
        if picture is None:
            return None
        batch = times(picture.batch, most(ONE, view.whole("amount")))
        return Flow(picture=replace(picture.made(), batch=batch))

    return rule


def _joined(*sources: str) -> Rule:
    """One batch of all, in the size of the first. Without *sources*: of everything linked."""

    def rule(view: View) -> Flow | None:
        found = [view.picture(name) for name in sources or view.links]
        pictures = [each for each in found if each is not None]
        if not pictures:
            return None
        size = pictures[0] if sources else largest(pictures) or pictures[0]
        return Flow(picture=_together(size.made(), pictures))

    return rule


def _together(size: Picture, pictures: list[Picture]) -> Picture:
    """Clips make a longer clip, pictures a larger batch."""
    if all(each.frames == ONE for each in pictures):
        return replace(size, batch=plus(*(each.batch for each in pictures)))
    return replace(
        size,
        batch=most(*(each.batch for each in pictures)),
        frames=plus(*(each.frames for each in pictures)),
    )


def picked(picture: Picture, count: Amount) -> Picture:
    """*count* out of the pictures."""
    if picture.batch == ONE:
        return replace(picture.made(), frames=least(picture.frames, count))
    return replace(picture.made(), batch=least(picture.pictures, count), frames=ONE)


def _some_pictures(view: View) -> Flow | None:
    picture = view.picture("image")
    return (
        None if picture is None else Flow(picture=picked(picture, most(ONE, view.whole("length"))))
    )


def _some_latents(view: View) -> Flow | None:
    picture = view.picture("samples")
    if picture is None:
        return None
    count = least(picture.batch, most(ONE, view.whole("length")))
    return Flow(picture=replace(picture.made(), batch=count))


def _cut_to_batch(view: View) -> Flow | None:
    """Stripes of a latent, or its frames, become a batch."""
    picture = view.picture("samples")
    if picture is None:
        return None
    along, size = view.choice("dim"), most(ONE, view.whole("slice_size"))
    if along == "t":
        parts = _parts(picture.frames, size)
        cut = replace(picture, frames=least(picture.frames, size))
    elif along == "x":
        parts = _parts(picture.width, times(size, Amount(_LATENT)))
        cut = replace(picture, width=least(picture.width, times(size, Amount(_LATENT))))
    else:
        parts = _parts(picture.height, times(size, Amount(_LATENT)))
        cut = replace(picture, height=least(picture.height, times(size, Amount(_LATENT))))
    return Flow(picture=replace(cut.made(), batch=times(picture.batch, parts), exact=False))


def _parts(whole: Amount, part: Amount) -> Amount:
    return Amount.of(-(-whole.n // max(1, part.n)), whole.unknown or part.unknown)


def _concatenated(view: View) -> Flow | None:
    pictures = [each for name in ("samples1", "samples2") if (each := view.picture(name))]
    if not pictures:
        return None
    first, dim = pictures[0].made(), view.text("dim")
    width, height = plus(*(p.width for p in pictures)), plus(*(p.height for p in pictures))
    frames = plus(*(p.frames for p in pictures))
    if isinstance(dim, Opaque):
        return Flow(picture=replace(first.resized(width, height, exact=False), frames=frames))
    if "x" in dim:
        return Flow(picture=first.resized(width, first.height, exact=first.exact))
    if "y" in dim:
        return Flow(picture=first.resized(first.width, height, exact=first.exact))
    return Flow(picture=replace(first, frames=frames))


def _stitched(view: View) -> Flow | None:
    first, second = view.picture("image1"), view.picture("image2")
    if first is None or second is None:
        return None if first is None else Flow(picture=first.made())
    direction = view.choice("direction", "right")
    gap = view.whole("spacing_width", NOTHING)
    gap = Amount.of(gap.n + gap.n % 2, gap.unknown)
    if view.truth("match_image_size", default=True) is not False:
        second = _matched(view, first, second, sideways=direction in {"left", "right"})
    both = largest([first, second]) or first
    if direction in {"left", "right"}:
        sides = plus(first.width, second.width, gap), both.height
    elif direction in {"up", "down"}:
        sides = both.width, plus(first.height, second.height, gap)
    else:
        sides = plus(first.width, second.width, gap), plus(first.height, second.height, gap)
    return Flow(picture=both.resized(*sides, exact=first.exact and second.exact))


def _matched(view: View, first: Picture, second: Picture, *, sideways: bool) -> Picture:
    """*second* scaled to the height (or width) of *first*."""
    along, across = (second.width, second.height) if sideways else (second.height, second.width)
    given = first.height if sideways else first.width
    unknown = given.unknown or along.unknown or across.unknown
    if unknown is None and (not second.exact or not across.n):
        unknown = view.unknown("image2", "has a shape that cannot be foreseen")
    other = Amount.of(0 if unknown else given.n * along.n // across.n, unknown)
    return second.resized(*((other, given) if sideways else (given, other)), exact=second.exact)


def _grid(view: View) -> Flow | None:
    picture = passed(view, ("images",))
    if picture is None:
        return None
    columns = most(ONE, view.whole("columns"))
    rows = _parts(times(picture.pictures, view.items("images")), columns)
    gap = view.whole("padding", NOTHING)
    width = plus(times(columns, view.whole("cell_width")), times(_between(columns), gap))
    height = plus(times(rows, view.whole("cell_height")), times(_between(rows), gap))
    return Flow(picture=Picture(width, height, times(width, height), exact=False))


def _between(count: Amount) -> Amount:
    return Amount(max(0, count.n - 1), count.unknown)


def _tiles(view: View) -> Flow | None:
    """One tile after the other."""
    picture = view.picture("image")
    if picture is None:
        return None
    sides = most(ONE, view.whole("tile_width")), most(ONE, view.whole("tile_height"))
    overlap = view.whole("overlap", NOTHING)
    across = _tiled(picture.width, sides[0], overlap)
    down = _tiled(picture.height, sides[1], overlap)
    tile = picture.resized(
        least(picture.width, sides[0]), least(picture.height, sides[1]), exact=picture.exact
    )
    return Flow(picture=tile, items=times(across, down))


def _tiled(whole: Amount, tile: Amount, overlap: Amount) -> Amount:
    stride = max(1, round(max(tile.n * 0.25, tile.n - overlap.n)))
    count = 1 if whole.n <= tile.n else -(-(whole.n - tile.n) // stride) + 1
    return Amount.of(count, whole.unknown or tile.unknown or overlap.unknown)


def _merged(view: View) -> Flow | None:
    tile = view.picture("image_list")
    sides = view.whole("final_width", NOTHING), view.whole("final_height", NOTHING)
    return None if tile is None else Flow(picture=tile.resized(*sides))


def _rebatched(source: str) -> Rule:
    """Everything that comes in, in batches of *batch_size*, one after the other."""

    def rule(view: View) -> Flow | None:
        picture = view.picture(source)
        if picture is None:
            return None
        each = picture.pictures if source == "images" else picture.batch
        total, size = times(each, view.items(source)), most(ONE, view.whole("batch_size"))
        batch = replace(picture.made(), batch=least(total, size))
        if source == "images":
            batch = replace(batch, frames=ONE)
        return Flow(picture=batch, items=most(ONE, _parts(total, size)))

    return rule


def _listed(view: View) -> Flow:
    """All that is linked, one after the other."""
    flows = list(view.flows.values())
    return Flow(
        picture=largest(view.picture(name) for name in view.links),
        items=plus(*(flow.items for flow in flows)) if flows else ONE,
    )


def _kept_apart(source: str) -> Rule:
    """A list in, a list out."""

    def rule(view: View) -> Flow:
        return Flow(picture=passed(view, (source,)), items=view.items())

    return rule


RULES: dict[str, Rule] = {
    "BatchImagesMasksLatentsNode": _joined(),
    "BatchImagesNode": _joined(),
    "BatchLatentsNode": _joined(),
    "BatchMasksNode": _joined(),
    "CreateList": _listed,
    "ImageBatch": _joined("image1", "image2"),
    "ImageDeduplication": _kept_apart("images"),
    "ImageFromBatch": _some_pictures,
    "ImageGrid": _grid,
    "ImageMergeTileList": _merged,
    "ImageStitch": _stitched,
    "LatentBatch": _joined("samples1", "samples2"),
    "LatentConcat": _concatenated,
    "LatentCutToBatch": _cut_to_batch,
    "LatentFromBatch": _some_latents,
    "MakeTrainingDataset": _kept_apart("images"),
    "MergeImageLists": _kept_apart("images"),
    "RebatchImages": _rebatched("images"),
    "RebatchLatents": _rebatched("latents"),
    "RepeatImageBatch": _repeated("image"),
    "RepeatLatentBatch": _repeated("samples"),
    "ResolutionBucket": _kept_apart("latents"),
    "ShuffleDataset": _kept_apart("images"),
    "ShuffleImageTextDataset": _kept_apart("images"),
    "ShuffleVideoDataset": _kept_apart("videos"),
    "ShuffleVideoTextDataset": _kept_apart("videos"),
    "SplitImageToTileList": _tiles,
}
