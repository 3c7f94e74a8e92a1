"""What KSampler does here: a painted picture comes out of noise, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from PIL import Image, ImageFilter

from comfy_mcp.embedded.nodes.latents import Latent
from comfy_mcp.embedded.painter import Model, captioned, paint, read_theme
from comfy_mcp.embedded.raster import scaled

if TYPE_CHECKING:
    from comfy_mcp.embedded.nodes.base import Context
    from comfy_mcp.embedded.painter import Theme

__all__ = ["SAMPLERS", "SCHEDULERS", "Request", "sample"]

SAMPLERS = (
    "euler", "euler_cfg_pp", "euler_ancestral", "euler_ancestral_cfg_pp", "heun", "heunpp2",
    "dpm_2", "dpm_2_ancestral", "lms", "dpm_fast", "dpm_adaptive", "dpmpp_2s_ancestral",
    "dpmpp_2s_ancestral_cfg_pp", "dpmpp_sde", "dpmpp_sde_gpu", "dpmpp_2m", "dpmpp_2m_cfg_pp",
    "dpmpp_2m_sde", "dpmpp_2m_sde_gpu", "dpmpp_3m_sde", "dpmpp_3m_sde_gpu", "ddpm", "lcm",
    "ipndm", "ipndm_v", "deis", "res_multistep", "res_multistep_cfg_pp",
    "res_multistep_ancestral", "res_multistep_ancestral_cfg_pp", "gradient_estimation",
    "gradient_estimation_cfg_pp", "er_sde", "seeds_2", "seeds_3", "sa_solver", "sa_solver_pece",
    "ddim", "uni_pc", "uni_pc_bh2",
)  # fmt: skip
SCHEDULERS = (
    "simple", "sgm_uniform", "karras", "exponential", "ddim_uniform", "beta", "normal",
    "linear_quadratic", "kl_optimal",
)  # fmt: skip
PREVIEW_SIDE = 256
CLEAR_STEPS = 8  # fewer steps leave the picture unfinished
USUAL_CFG = 8.0
HALF = 0.5
LEAST_BLUR = 0.3


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be painted, and how thoroughly."""

    model: Model
    positive: str
    negative: str
    seed: int
    steps: int
    cfg: float
    denoise: float

    def theme(self, index: int) -> Theme:
        """The theme of the picture at *index* in the batch."""
        return read_theme(self.positive, self.negative, f"{self.seed}/{index}", self.model)

    def painted(self, index: int, width: int, height: int) -> Image.Image:
        """That picture, as if nothing were there before."""
        vivid = 0.75 + 0.25 * min(2.0, self.cfg / USUAL_CFG)
        return paint(self.theme(index), self.model, vivid, width, height)


def sample(request: Request, latent: Latent, context: Context) -> Latent:
    """The latent with every frame painted; steps are shown on the first one."""
    if request.denoise == 0:
        return latent
    size = _small(latent.width, latent.height)
    start = latent.frames[0]
    before = _noise(request.seed, size) if start is None else scaled(start, size)
    goal = _over(before, request.painted(0, *size), request, empty=start is None)
    for step in range(1, request.steps + 1):
        context.progress(step, request.steps, _between(before, goal, step / request.steps))
    frames: list[Image.Image] = []
    for index, frame in enumerate(latent.frames):
        context.check()
        frames.append(_frame(request, latent, frame, index))
    return Latent(latent.width, latent.height, tuple(frames))


def _frame(request: Request, latent: Latent, frame: Image.Image | None, index: int) -> Image.Image:
    painted = request.painted(index, latent.width, latent.height)
    before = Image.new("RGB", painted.size, (118, 108, 102)) if frame is None else frame
    picture = _over(before, painted, request, empty=frame is None)
    missing = max(0.0, 1 - request.steps / CLEAR_STEPS)
    if missing:
        picture = picture.filter(ImageFilter.GaussianBlur(missing * min(picture.size) / 40))
    return captioned(picture)


def _over(
    before: Image.Image, painted: Image.Image, request: Request, *, empty: bool
) -> Image.Image:
    """How much of what was there remains: nothing of an empty latent, or with full denoise."""
    if (empty and request.denoise > HALF) or request.denoise >= 1:
        return painted
    return Image.blend(before.convert("RGB"), painted, request.denoise**1.4)


def _between(before: Image.Image, goal: Image.Image, part: float) -> Image.Image:
    """The picture after *part* of the steps: first the large shapes, then the small ones."""
    blur = (1 - part) ** 1.5 * min(goal.size) / 10
    shape = goal.filter(ImageFilter.GaussianBlur(blur)) if blur > LEAST_BLUR else goal
    return Image.blend(before, shape, min(1.0, part**0.7))


def _small(width: int, height: int) -> tuple[int, int]:
    factor = min(1.0, PREVIEW_SIDE / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def _noise(seed: int, size: tuple[int, int]) -> Image.Image:
    """What a sampler begins with: coloured noise."""
    rng = Random(f"noise {seed}")  # noqa: S311 - a picture, not a secret
    cells = (max(1, size[0] // 4), max(1, size[1] // 4))
    raw = Image.frombytes("RGB", cells, rng.randbytes(cells[0] * cells[1] * 3))
    return scaled(raw, size)
