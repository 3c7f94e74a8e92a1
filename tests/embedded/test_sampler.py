"""The demo sampler paints from words and seed, step by step, says so, and can be stopped."""

from __future__ import annotations

import io
import json
import struct
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageChops, ImageStat

from comfy_mcp.embedded import Faults
from comfy_mcp.embedded.nodes.base import Interrupted
from comfy_mcp.embedded.nodes.latents import Latent
from comfy_mcp.embedded.painter import CAPTION, Model
from tests.contract.probe import new_id
from tests.embedded.desk import txt2img

if TYPE_CHECKING:
    from comfy_mcp.embedded import EmbeddedHost
    from tests.contract.probe import Comfy, Ended
    from tests.embedded.desk import Bench

MODEL = Model("demo")


def latent(width: int = 64, height: int = 48, *frames: Image.Image | None) -> Latent:
    """A latent, empty unless told otherwise."""
    return Latent(width, height, frames or (None,))


def sampled(bench: Bench, **changes: Any) -> list[Image.Image]:
    """The pictures of one sampling."""
    inputs: dict[str, Any] = {
        "model": MODEL,
        "positive": "a forest at dawn",
        "negative": "",
        "seed": 7,
        "steps": 8,
        "cfg": 8.0,
        "denoise": 1.0,
        "latent_image": latent(),
    }
    [found] = bench.run("KSampler", **(inputs | changes))
    return bench.run("VAEDecode", samples=found)[0]


def distance(one: Image.Image, two: Image.Image) -> float:
    """How different two pictures are, from 0 to 255."""
    return sum(ImageStat.Stat(ImageChops.difference(one, two)).mean) / 3


async def painted(client: Comfy, ended: Ended) -> Image.Image:
    """The picture that a job saved."""
    [entry] = ended.entry["outputs"]["7"]["images"]
    return Image.open(io.BytesIO((await client.get("/view", **entry)).body))


def test_the_same_words_and_seed_paint_the_same_picture(bench: Bench) -> None:
    once, again = sampled(bench)[0], sampled(bench)[0]

    assert once.tobytes() == again.tobytes()
    assert distance(once, sampled(bench, seed=8)[0]) > 2
    assert distance(once, sampled(bench, positive="a city at night")[0]) > 20


def test_every_picture_of_a_batch_is_another_one(bench: Bench) -> None:
    one, two = sampled(bench, latent_image=latent(64, 48, None, None))

    assert distance(one, two) > 2


def test_each_step_tells_progress_and_comes_nearer(bench: Bench) -> None:
    sampled(bench, steps=6)

    assert [(done, total) for done, total, _ in bench.steps] == [(n, 6) for n in range(1, 7)]
    previews = [preview for _, _, preview in bench.steps if preview is not None]
    apart = [distance(preview, previews[-1]) for preview in previews]
    assert apart == sorted(apart, reverse=True)


def test_few_steps_leave_it_blurred(bench: Bench) -> None:
    def detail(picture: Image.Image) -> float:
        return ImageStat.Stat(
            ImageChops.difference(picture, ImageChops.offset(picture, 1, 0))
        ).mean[0]

    assert detail(sampled(bench, steps=1)[0]) < detail(sampled(bench, steps=20)[0])


def test_a_given_picture_shines_through_less_the_more_is_denoised(bench: Bench) -> None:
    given = Image.new("RGB", (64, 48), (250, 20, 20))
    apart = [
        distance(given, sampled(bench, latent_image=latent(64, 48, given), denoise=denoise)[0])
        for denoise in (0.0, 0.3, 0.7, 1.0)
    ]

    assert apart[0] == 0
    assert apart == sorted(apart)
    assert apart[1] < apart[3] / 2


def test_an_empty_latent_hardly_denoised_stays_dull(bench: Bench) -> None:
    dull = sampled(bench, denoise=0.2)[0]

    assert distance(dull, latent().decoded()[0]) < distance(
        sampled(bench)[0], latent().decoded()[0]
    )


def test_an_interrupt_stops_between_steps(bench: Bench) -> None:
    bench.stop_at = 3

    with pytest.raises(Interrupted):
        sampled(bench)

    assert len(bench.steps) == 2


def test_models_and_loras_change_the_light(bench: Bench) -> None:
    plain, _, _ = bench.run("CheckpointLoaderSimple", ckpt_name="embedded-demo.safetensors")
    dusk, clip, _ = bench.run("CheckpointLoaderSimple", ckpt_name="embedded-demo-dusk.safetensors")
    warm, _ = bench.run("LoraLoader", model=plain, clip=clip, strength_model=1.0, strength_clip=1.0)
    cold, _ = bench.run("LoraLoader", model=plain, clip=clip, strength_model=-1.0, strength_clip=1)

    pictures = [sampled(bench, model=model)[0] for model in (plain, dusk, warm, cold)]

    means = [ImageStat.Stat(picture).mean for picture in pictures]
    assert sum(means[1]) < sum(means[0]), "dusk is darker"
    assert means[2][0] - means[2][2] > means[0][0] - means[0][2], "golden hour is redder"
    assert means[3][0] - means[3][2] < means[0][0] - means[0][2]


def test_latents_are_measured_in_cells_of_eight(bench: Bench) -> None:
    [empty] = bench.run("EmptyLatentImage", width=70, height=33, batch_size=2)
    [up] = bench.run(
        "LatentUpscale",
        samples=empty,
        upscale_method="bilinear",
        width=0,
        height=100,
        crop="disabled",
    )
    [by] = bench.run("LatentUpscaleBy", samples=empty, upscale_method="bislerp", scale_by=1.5)
    [repeated] = bench.run("RepeatLatentBatch", samples=empty, amount=3)
    given = Image.new("RGB", (33, 17), "red")
    [encoded] = bench.run("VAEEncode", pixels=[given], vae=None)
    grown = encoded.resized(64, 32, "bilinear", "disabled")

    assert (empty.width, empty.height, len(empty.frames)) == (64, 32, 2)
    assert (up.width, up.height) == (200, 96)
    assert (by.width, by.height) == (96, 48)
    assert len(repeated.frames) == 6
    assert (encoded.width, encoded.height) == (32, 16)
    assert grown.decoded()[0].size == (64, 32)


def test_the_rest_of_the_loaders_pass_on_what_they_got(bench: Bench) -> None:
    [vae] = bench.run("VAELoader", vae_name="embedded-demo-vae.safetensors")
    [clip] = bench.run("CLIPSetLastLayer", clip="clip", stop_at_clip_layer=-2)
    [words] = bench.run("CLIPTextEncode", text="hello", clip="clip")
    [upscaler] = bench.run("UpscaleModelLoader", model_name="embedded-demo-2x.pth")
    picture = Image.new("RGB", (8, 4))
    [large] = bench.run("ImageUpscaleWithModel", upscale_model=upscaler, image=[picture])

    assert vae.name == "embedded-demo-vae.safetensors"
    assert (clip, words) == ("clip", "hello")
    assert large[0].size == (16, 8)


@pytest.mark.anyio
async def test_a_whole_workflow_paints_with_progress_and_marks_what_it_made(client: Comfy) -> None:
    ended = await client.run(txt2img(steps=5))

    picture = await painted(client, ended)
    assert picture.size == (96, 64)
    assert [data["value"] for data in ended.of("progress")] == [1, 2, 3, 4, 5]
    assert set(ended.of("progress")[0]) == {"value", "max", "prompt_id", "node"}
    assert "embedded" in (await client.get("/system_stats")).body["devices"][0]["name"]
    assert CAPTION == "embedded demo sampler"


@pytest.mark.anyio
async def test_previews_come_plain_or_with_their_node_as_the_client_can_read(
    client: Comfy,
) -> None:
    plain = await client.run(txt2img())
    modern: list[bytes] = []
    async with client.listen() as listener:
        await listener.say({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
        await listener.until_type("feature_flags")
        prompt_id = new_id()
        await client.submit(txt2img(), client_id=listener.sid, prompt_id=prompt_id)
        await listener.until_end(prompt_id)
        modern = listener.previews

    assert len(plain.previews) == len(modern) == 4
    assert struct.unpack(">II", plain.previews[0][:8]) == (1, 1)
    assert Image.open(io.BytesIO(plain.previews[0][8:])).format == "JPEG"
    event, length = struct.unpack(">II", modern[0][:8])
    told = json.loads(modern[0][8 : 8 + length])
    assert event == 4
    assert told == {
        "node_id": "5",
        "prompt_id": prompt_id,
        "display_node_id": "5",
        "parent_node_id": None,
        "real_node_id": "5",
        "image_type": "image/jpeg",
    }
    assert Image.open(io.BytesIO(modern[0][8 + length :])).size == (96, 64)


@pytest.mark.anyio
async def test_without_previews_progress_is_throttled(client: Comfy) -> None:
    graph = txt2img(steps=400)

    ended = await client.run(graph, extra_data={"preview_method": "none"})

    values = [data["value"] for data in ended.of("progress")]
    assert ended.previews == []
    assert (values[0], values[-1]) == (1, 400)
    assert len(values) < 200


@pytest.mark.anyio
async def test_a_running_sampler_can_be_interrupted(host: EmbeddedHost, client: Comfy) -> None:
    host.faults = Faults(step_ms=20)
    prompt_id = new_id()
    async with client.listen() as listener:
        submitted = {"client_id": listener.sid, "prompt_id": prompt_id}
        await client.submit(txt2img(steps=10_000), **submitted)
        await listener.until_type("progress")
        await client.post("/interrupt", {"prompt_id": prompt_id})
        told = await listener.until_type("execution_interrupted")
        await listener.until_end(prompt_id)

    assert told["data"]["node_type"] == "KSampler"
