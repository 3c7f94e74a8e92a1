"""Promise: steps are counted as ComfyUI will take them, wherever they come from."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.workflow import Facts, Graph, Known, parse_graph
from comfy_mcp.workflow.measure import measure

Spec = tuple[str, dict[str, Any]]


def graph(**nodes: Spec) -> Graph:
    return parse_graph(
        {key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in nodes.items()}
    )


def facts(**nodes: Spec) -> Facts:
    return measure(graph(**nodes), Known())


def sampled(steps: object, batch: object = 1, **nodes: Spec) -> Facts:
    """A sampler whose steps and batch are given, with whatever they link to."""
    return facts(
        size=("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": batch}),
        sampler=("KSampler", {"steps": steps, "latent_image": ["size", 0]}),
        **nodes,
    )


def custom(sigmas: list[object], **nodes: Spec) -> Facts:
    """A sampler that is told its steps by a schedule."""
    return facts(
        size=("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 2}),
        sampler=("SamplerCustom", {"sigmas": sigmas, "latent_image": ["size", 0]}),
        **nodes,
    )


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (10, 10),
        ("10", 10),
        (" 10 ", 10),
        ("1_000", 1000),
        (True, 1),
        (10.9, 10),
        (-3, 0),
        (2**63, 10**15),
        ("9" * 300, 10**15),
    ],
)
def test_a_number_is_taken_as_comfyui_takes_it(given: object, taken: int) -> None:
    assert sampled(given).steps == taken


@pytest.mark.parametrize("given", ["ten", "10.5", None, {"deep": 1}, "0x10"])
def test_what_comfyui_would_refuse_is_not_guessed(given: object) -> None:
    assert [each.input_name for each in sampled(given).undetermined["steps"]] == ["steps"]


PRIMITIVES: dict[str, Spec] = {
    "a primitive": ("PrimitiveInt", {"value": 40}),
    "a primitive of text": ("PrimitiveInt", {"value": "40"}),
    "a seed": ("SeedNode", {"seed": 40}),
    "a true primitive, forty times": (
        "ComfyMathExpression",
        {"expression": "40 * a", "values.a": 1},
    ),
    "a length": ("StringLength", {"string": "x" * 40}),
    "a constant of a pack": ("INTConstant", {"value": 40}),
    "a text of a pack": ("JWInteger", {"value": "40"}),
    "arithmetic of a pack": ("easy mathInt", {"a": 8, "b": 5, "operation": "multiply"}),
    "an expression of a pack": ("MathExpression|pysssss", {"expression": "a * 2 ** 3", "a": 5}),
    "another expression": ("SimpleMath+", {"value": "a + b", "a": 39, "b": 1.2}),
    "a choice": ("ComfySwitchNode", {"switch": True, "on_true": 40, "on_false": 1}),
}


@pytest.mark.parametrize("source", PRIMITIVES.values(), ids=PRIMITIVES.keys())
def test_steps_behind_a_link_are_found(source: Spec) -> None:
    found = sampled(["source", 0], source=source)

    assert (found.steps, found.total_steps) == (40, 40)
    assert found.where["steps"] == "sampler"
    assert "steps" not in found.undetermined


def test_steps_behind_many_links_are_found() -> None:
    found = sampled(
        ["sum", 1],
        one=("PrimitiveFloat", {"value": "19.5"}),
        two=("Reroute", {"": ["one", 0]}),
        sum=("ComfyMathExpression", {"expression": "a + a", "values.a": ["two", 0]}),
    )

    assert found.steps == 39


def test_what_cannot_be_foreseen_is_named_with_its_source() -> None:
    found = sampled(["a", 0], a=("PrimitiveInt", {"value": ["b", 0]}), b=("Oracle", {}))
    (unknown,) = found.undetermined["steps"]

    assert (unknown.node_id, unknown.input_name) == ("sampler", "steps")
    assert unknown.why == "takes its value from node b (Oracle), whose result cannot be foreseen"
    assert found.undetermined["total_steps"] == (unknown,)


@pytest.mark.parametrize(
    "expression",
    [
        "9 ** 9 ** 9 ** 9",
        "__import__('os').getpid()",
        "a.__class__",
        "(" * 300,
        "-" * 400 + "1",
        "[1] * 10",
        "1 / 0",
        "round(1, -999999999)",
        "1if 1 else 2",
        "x" * 600,
        "lambda: 1",
    ],
)
def test_arithmetic_that_could_run_away_is_not_worked_out(expression: str) -> None:
    source = ("ComfyMathExpression", {"expression": expression, "values.a": 1})

    assert "steps" in sampled(["source", 1], source=source).undetermined


def test_a_switch_that_is_not_decided_counts_as_the_larger() -> None:
    def switched(switch: object, *, on: str) -> Facts:
        return facts(
            dice=("Dice", {}),
            small=("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1}),
            large=("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 8}),
            switch=(
                "ComfySwitchNode",
                {"switch": switch, "on_true": ["small", 0], on: ["large", 0]},
            ),
            sampler=("KSampler", {"steps": 10, "latent_image": ["switch", 0]}),
        )

    assert switched(["dice", 0], on="on_false").total_steps == 80
    assert switched(True, on="on_false").total_steps == 10
    assert switched(False, on="on_false").total_steps == 80


SCHEDULES: dict[str, tuple[int, dict[str, Spec]]] = {
    "a schedule": (30, {"s": ("BasicScheduler", {"steps": 30})}),
    "a turned one": (
        30,
        {"a": ("KarrasScheduler", {"steps": 30}), "s": ("FlipSigmas", {"sigmas": ["a", 0]})},
    ),
    "written out": (3, {"s": ("ManualSigmas", {"sigmas": "14.6, 3, 1.5, 0"})}),
    "the first part": (
        10,
        {
            "a": ("VPScheduler", {"steps": 30}),
            "s": ("SplitSigmas", {"sigmas": ["a", 0], "step": 10}),
        },
    ),
    "filled up": (
        90,
        {
            "a": ("BasicScheduler", {"steps": 30}),
            "s": ("ExtendIntermediateSigmas", {"sigmas": ["a", 0], "steps": 3}),
        },
    ),
    "a pack's schedule": (30, {"s": ("FancyScheduler", {"steps": 30})}),
}


@pytest.mark.parametrize(("steps", "nodes"), SCHEDULES.values(), ids=SCHEDULES.keys())
def test_a_schedule_tells_the_steps(steps: int, nodes: dict[str, Spec]) -> None:
    found = custom(["s", 0], **nodes)

    assert (found.steps, found.total_steps) == (steps, 2 * steps)


def test_both_parts_of_a_split_schedule_are_counted() -> None:
    split = {"sigmas": ["a", 0], "step": 12}
    found = custom(
        ["s", 1],
        a=("BasicScheduler", {"steps": 30}),
        s=("SplitSigmas", split),
        first=("SamplerCustomAdvanced", {"sigmas": ["s", 0], "latent_image": ["size", 0]}),
    )

    assert (found.steps, found.total_steps) == (18, 2 * 30)


def test_a_schedule_from_nowhere_is_not_guessed() -> None:
    assert "steps" in custom(["s", 0], s=("Oracle", {})).undetermined


def test_an_advanced_sampler_counts_the_steps_it_takes() -> None:
    def taken(**inputs: object) -> int:
        return facts(sampler=("KSamplerAdvanced", {"steps": 30, **inputs})).steps

    assert taken() == 30
    assert taken(start_at_step=0, end_at_step=10000) == 30
    assert taken(start_at_step=20, end_at_step=25) == 5
    assert taken(start_at_step=40) == 0


def test_an_adaptive_sampler_has_no_fixed_steps() -> None:
    sampler = ("KSampler", {"steps": 1, "sampler_name": "dpm_adaptive"})
    found = custom(
        ["s", 0], s=("BasicScheduler", {"steps": 1}), adaptive=("SamplerDPMAdaptative", {})
    )

    assert "steps" in facts(sampler=sampler).undetermined
    assert "steps" not in found.undetermined
    for chosen in (
        ("SamplerDPMAdaptative", {"rtol": 0.0001}),
        ("KSamplerSelect", {"sampler_name": "dpm_adaptive"}),
    ):
        advanced = ("SamplerCustomAdvanced", {"sigmas": ["s", 0], "sampler": ["c", 0]})
        assert (
            "steps" in facts(s=("BasicScheduler", {"steps": 1}), c=chosen, n=advanced).undetermined
        )


def test_all_samplers_and_batches_are_summed_up() -> None:
    found = facts(
        size=("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": "4"}),
        first=("KSampler", {"steps": 20, "latent_image": ["size", 0]}),
        more=("RepeatLatentBatch", {"samples": ["first", 0], "amount": 3}),
        second=("KSampler", {"steps": 5, "latent_image": ["more", 0]}),
        alone=("SomebodysSampler", {"steps": 7, "latent": ["size", 0]}),
    )

    assert (found.steps, found.batch) == (20, 12)
    assert found.total_steps == 20 * 4 + 5 * 12 + 7 * 4
    assert (found.where["steps"], found.where["total_steps"]) == ("first", "first")


def test_repetitions_of_repetitions_multiply_and_stay_bounded() -> None:
    chain: dict[str, Spec] = {
        f"r{at}": ("RepeatLatentBatch", {"samples": [f"r{at - 1}", 0], "amount": 64})
        for at in range(1, 60)
    }
    chain["r0"] = ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 4096})

    def total(last: str) -> int:
        sampler = ("KSampler", {"steps": 1, "latent_image": [last, 0]})
        return facts(**chain, sampler=sampler).total_steps

    assert total("r2") == 4096 * 64 * 64
    assert total("r59") == 10**15


def test_a_list_makes_a_sampler_run_once_for_each_item() -> None:
    found = facts(
        size=("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 40}),
        each=("RebatchLatents", {"latents": ["size", 0], "batch_size": 1}),
        sampler=("KSampler", {"steps": 10, "latent_image": ["each", 0]}),
    )
    several = facts(
        a=("CLIPTextEncode", {"text": "a"}),
        b=("CLIPTextEncode", {"text": "b"}),
        both=("CreateList", {"inputs.input0": ["a", 0], "inputs.input1": ["b", 0]}),
        sampler=("KSampler", {"steps": 10, "positive": ["both", 0]}),
    )

    assert (found.total_steps, several.total_steps) == (400, 20)


def test_a_folder_of_unknown_length_makes_the_total_undetermined() -> None:
    found = facts(
        folder=("LoadImageTextDataSetFromFolder", {"folder": "many"}),
        text=("CLIPTextEncode", {"text": ["folder", 1]}),
        sampler=("KSampler", {"steps": 10, "positive": ["text", 0]}),
    )

    assert "total_steps" in found.undetermined
    assert "steps" not in found.undetermined


def test_training_counts_its_rounds() -> None:
    inputs = {"steps": 100, "batch_size": 2, "grad_accumulation_steps": 4}
    found = facts(train=("TrainLoraNode", inputs))

    assert (found.steps, found.total_steps) == (100, 800)


def test_frames_of_a_clip_are_one_run_but_frames_of_a_batch_are_many() -> None:
    def total(kind: str, **inputs: object) -> tuple[int, int, int]:
        source = (kind, {"width": 64, "height": 64, **inputs})
        found = facts(s=source, sampler=("KSampler", {"steps": 10, "latent_image": ["s", 2]}))
        return found.total_steps, found.batch, found.frames

    assert total("WanImageToVideo", length=81, batch_size=2) == (20, 2, 81)
    assert total("SVD_img2vid_Conditioning", video_frames=14) == (140, 14, 14)


def test_a_clip_that_is_encoded_anew_counts_each_frame() -> None:
    found = facts(
        clip=("EmptyHunyuanLatentVideo", {"width": 64, "height": 64, "length": 25}),
        seen=("VAEDecode", {"samples": ["clip", 0]}),
        again=("VAEEncode", {"pixels": ["seen", 0]}),
        sampler=("KSampler", {"steps": 10, "latent_image": ["again", 0]}),
    )

    assert (found.frames, found.batch, found.total_steps) == (25, 25, 250)


def test_a_long_chain_is_followed_without_recursion() -> None:
    chain: dict[str, Spec] = {
        str(at): ("PrimitiveInt", {"value": [str(at + 1), 0]}) for at in range(4900)
    }
    chain["4900"] = ("PrimitiveInt", {"value": 33})

    assert sampled(["0", 0], **chain).steps == 33
