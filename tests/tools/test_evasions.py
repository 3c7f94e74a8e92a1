"""Ways round a policy that were tried elsewhere: each is refused before the host hears of it."""

from __future__ import annotations

import copy
import os
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost
from tests.tools.desk import EVERYTHING, Desk, Sit, card, graph

pytestmark = pytest.mark.anyio

OTHER = os.environ.get("COMFYUI_TEST_HOST")

Graph = dict[str, Any]


@pytest.fixture(params=["embedded", *([OTHER] if OTHER else [])])
def comfyui(request: pytest.FixtureRequest, host: EmbeddedHost) -> str:
    """The URL of a ComfyUI: the embedded one, and one of yours if you name it."""
    return host.url if request.param == "embedded" else request.param


def gpu(**keys: Any) -> dict[str, Any]:
    """Everything allowed but what *keys* forbid."""
    return {**EVERYTHING, "gpu": keys}


def sampling(**sampler: Any) -> Graph:
    """An ordinary picture of 512 x 512 in 20 steps."""
    inputs = {
        "model": ["1", 0],
        "positive": ["2", 0],
        "negative": ["2", 0],
        "latent_image": ["3", 0],
        "seed": 7,
        "steps": 20,
        "cfg": 7.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 1.0,
    }
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name="good.safetensors"),
        "2": node("CLIPTextEncode", text="a fox", clip=["1", 1]),
        "3": node("EmptyLatentImage", width=512, height=512, batch_size=1),
        "4": {"class_type": "KSampler", "inputs": inputs | sampler},
        "5": node("VAEDecode", samples=["4", 0], vae=["1", 2]),
        "6": node("SaveImage", images=["5", 0], filename_prefix="fox"),
    }


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def changed(base: Graph, **nodes: Any) -> Graph:
    """*base* with more nodes (n7=...), or with inputs of its nodes changed (n3={...})."""
    made = copy.deepcopy(base)
    for name, what in nodes.items():
        node_id = name.removeprefix("n")
        if "class_type" in what:
            made[node_id] = what
        else:
            made[node_id]["inputs"].update(what)
    return made


STEPS = {"max_steps": 30, "max_total_steps": 100}
SIZE = {"max_megapixels": 1, "max_batch": 4}
MODELS = {"allow_models": {"checkpoints": ["good*"]}, "deny_models": {"*": ["secret*"]}}

REFUSED: dict[str, tuple[dict[str, Any], Graph, set[str]]] = {
    "too many steps": (STEPS, sampling(steps=31), {"gpu_limit"}),
    "steps as a text": (STEPS, sampling(steps="31"), {"gpu_limit"}),
    "steps as a text with blanks": (STEPS, sampling(steps=" 3_1 "), {"gpu_limit"}),
    "steps as a fraction": (STEPS, sampling(steps=31.9), {"gpu_limit"}),
    "a batch of true and more": (
        {"max_total_steps": 19},
        changed(sampling(), n3={"batch_size": True}),
        {"gpu_limit"},
    ),
    "steps behind a primitive": (
        STEPS,
        changed(sampling(steps=["7", 0]), n7=node("PrimitiveInt", value=31)),
        {"gpu_limit"},
    ),
    "steps behind two primitives": (
        STEPS,
        changed(
            sampling(steps=["7", 0]),
            n7=node("PrimitiveInt", value=["8", 0]),
            n8=node("PrimitiveInt", value="31"),
        ),
        {"gpu_limit"},
    ),
    "steps behind arithmetic": (
        STEPS,
        changed(
            sampling(steps=["7", 0]),
            n7=node("SimpleMath+", value="a*b", a=["8", 0], b=2),
            n8=node("PrimitiveInt", value=16),
        ),
        {"gpu_limit"},
    ),
    "steps behind a node that nobody knows": (
        STEPS,
        changed(sampling(steps=["7", 0]), n7=node("WhoKnows", value=1)),
        {"undetermined"},
    ),
    "many samplers of few steps": (
        STEPS,
        changed(
            sampling(),
            **{
                f"n{number}": {
                    "class_type": "KSampler",
                    "inputs": sampling()["4"]["inputs"] | {"latent_image": [str(number - 1), 0]},
                }
                for number in range(20, 30)
            },
            n19=node("EmptyLatentImage", width=512, height=512, batch_size=1),
        ),
        {"gpu_limit"},
    ),
    "a batch by repetition": (
        SIZE,
        changed(
            sampling(latent_image=["8", 0]),
            n7=node("RepeatLatentBatch", samples=["3", 0], amount=4),
            n8=node("RepeatLatentBatch", samples=["7", 0], amount="4"),
        ),
        {"gpu_limit"},
    ),
    "a large picture by scaling": (
        SIZE,
        changed(
            sampling(),
            n6={"images": ["7", 0]},
            n7=node("ImageScaleBy", image=["5", 0], upscale_method="lanczos", scale_by=4),
        ),
        {"gpu_limit"},
    ),
    "a large picture by a model": (
        SIZE,
        changed(
            sampling(),
            n6={"images": ["7", 0]},
            n7=node("ImageUpscaleWithModel", upscale_model=["8", 0], image=["5", 0]),
            n8=node("UpscaleModelLoader", model_name="x4.pth"),
        ),
        {"gpu_limit", "undetermined"},
    ),
    "a custom node under an allow-list": (
        {
            "allow_node_classes": [
                "KSampler",
                "CheckpointLoaderSimple",
                "CLIPTextEncode",
                "E*",
                "V*",
                "Save*",
            ]
        },
        changed(sampling(), n7=node("RunShell", command="id")),
        {"node_class"},
    ),
    "a class that is named like an allowed one": (
        {"allow_node_classes": [*{one["class_type"] for one in sampling().values()}]},
        changed(sampling(), n7=node("ksampler", steps=1)),
        {"node_class"},
    ),
    "a model beside the folder": (
        MODELS,
        changed(sampling(), n1={"ckpt_name": "good/../secret.safetensors"}),
        {"model"},
    ),
    "a model by an absolute path": (
        MODELS,
        changed(sampling(), n1={"ckpt_name": "/models/good.safetensors"}),
        {"model"},
    ),
    "a model by another case": (
        {"deny_models": {"checkpoints": ["secret*"]}},
        changed(sampling(), n1={"ckpt_name": "Secret.safetensors"}),
        {"model"},
    ),
    "a model in a folder of another system": (
        {"deny_models": {"checkpoints": ["secret*"]}},
        changed(sampling(), n1={"ckpt_name": "sub\\secret.safetensors"}),
        {"model"},
    ),
    "a model with a tail": (
        {"deny_models": {"checkpoints": ["secret.safetensors"]}},
        changed(sampling(), n1={"ckpt_name": "secret.safetensors "}),
        {"model"},
    ),
    "a model behind a primitive": (
        MODELS,
        changed(
            sampling(), n1={"ckpt_name": ["7", 0]}, n7=node("PrimitiveString", value="secret.pt")
        ),
        {"model"},
    ),
    "an embedding in a prompt": (
        {"deny_models": {"embeddings": ["secret*"]}},
        changed(sampling(), n2={"text": "a fox, (embedding:SECRET-style:1.2)"}),
        {"model"},
    ),
    "files outside of the folder": (
        {},
        changed(card(1), n2={"filename_prefix": "../x"}),
        {"output_path"},
    ),
    "files at an absolute path": (
        {},
        changed(card(1), n2={"filename_prefix": "/etc/x"}),
        {"output_path"},
    ),
    "files out of the grant's folder": (
        {"output_prefix": "agents/{grant}/"},
        changed(card(1), n2={"filename_prefix": "agents/local/../bob/x"}),
        {"output_path"},
    ),
    "files where nobody can foresee": (
        {"output_prefix": "agents/{grant}/"},
        changed(card(1), n2={"filename_prefix": ["7", 0]}, n7=node("WhoKnows", value=1)),
        {"undetermined"},
    ),
    "an output of somebody else": (
        {},
        {
            "1": node("LoadImage", image="ComfyUI_00001_.png [output]"),
            "2": node("PreviewImage", images=["1", 0]),
        },
        {"input_path"},
    ),
    "an output of somebody else by the other loader": (
        {},
        {
            "1": node("LoadImageOutput", image="ComfyUI_00001_.png"),
            "2": node("PreviewImage", images=["1", 0]),
        },
        {"input_path"},
    ),
    "an absolute name below an allowed folder": (
        {"output_prefix": "agents/{grant}/"},
        changed(
            card(1),
            n2=node(
                "SaveImageDataSetToFolder",
                images=["1", 0],
                folder_name="x",
                filename_prefix="/etc/cron.d/x",
                mode="overwrite",
            ),
        ),
        {"output_path"},
    ),
    "a name that leaves an allowed folder": (
        {"output_prefix": "agents/{grant}/"},
        changed(
            card(1),
            n2=node(
                "SaveImageDataSetToFolder",
                images=["1", 0],
                folder_name="x",
                filename_prefix="../../bob/x",
                mode="overwrite",
            ),
        ),
        {"output_path"},
    ),
    "a switch turned by an input that its node does not have": (
        MODELS,
        changed(
            sampling(),
            n1={"ckpt_name": ["8", 0]},
            n7=node("ComfyNotNode", value=False, more=True),
            n8=node("ComfySwitchNode", switch=["7", 0], on_true="secret.pt", on_false="good.pt"),
        ),
        {"model", "undetermined"},
    ),
    "a number lowered by an input that its node does not have": (
        STEPS,
        changed(
            sampling(steps=["7", 1]),
            n7=node(
                "ComfyMathExpression",
                **{"expression": "min(values)", "values.a": 31, "values.zz": 1},
            ),
        ),
        {"gpu_limit", "undetermined"},
    ),
    "an output of somebody else shown as one's own": (
        {},
        {"1": node("Preview3D", model_file="agents/bob/secret_00001_.png")},
        {"input_path"},
    ),
    "an output of somebody else handed on in an object": (
        {},
        {
            "1": node(
                "Preview3D",
                model_file="",
                camera_info={"filename": "x.png", "subfolder": "agents/bob", "type": "output"},
            )
        },
        {"input_path"},
    ),
    "an output pieced together although the unknown is accepted": (
        {"undetermined": "allow"},
        {
            "1": node("LoadImage", image=["3", 0]),
            "2": node("PreviewImage", images=["1", 0]),
            "3": node("StringConcatenate", string_a="x.png [out", string_b="put]", delimiter=""),
        },
        {"input_path", "undetermined"},
    ),
    "an output pieced together": (
        {},
        {
            "1": node("LoadImage", image=["3", 0]),
            "2": node("PreviewImage", images=["1", 0]),
            "3": node("StringConcatenate", string_a="x.png [out", string_b="put]", delimiter=""),
        },
        {"input_path", "undetermined"},
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_graph_that_evades_is_refused(name: str, sit: Sit, comfyui: str) -> None:
    rules, made, codes = REFUSED[name]

    async with sit(gpu(**rules), url=comfyui) as desk:
        _, denial = await desk.refusal("run_workflow", workflow=made, wait_seconds=0)

    assert denial["code"] in codes
    assert denial["decision"] == "deny"


async def test_what_the_policy_allows_is_not_refused_with_it(sit: Sit) -> None:
    both = (
        STEPS | SIZE | {"allow_models": {"checkpoints": ["*"]}, "deny_models": {"*": ["secret*"]}}
    )
    made = changed(sampling(), n1={"ckpt_name": "embedded-demo.safetensors"})

    async with sit(gpu(**both)) as desk:
        job = await desk.ask("run_workflow", workflow=made, wait_seconds=60)

    assert job["status"] == "completed"


async def test_files_land_in_the_grants_own_folder(sit: Sit, comfyui: str) -> None:
    async with sit(gpu(output_prefix="agents/{grant}/"), grant="ann", url=comfyui) as desk:
        job = await desk.ask("run_workflow", workflow=card(2), wait_seconds=60)

    assert [output["subfolder"] for output in job["outputs"]] == ["agents/ann"]


async def test_an_agent_may_load_what_its_own_job_made_and_no_other_may(
    sit: Sit, comfyui: str
) -> None:
    async with (
        sit(EVERYTHING, grant="ann", url=comfyui) as ann,
        sit(EVERYTHING, grant="bob", url=comfyui) as bob,
    ):
        made = await ann.ask("run_workflow", workflow=card(31, prefix="anns"), wait_seconds=60)
        name = made["outputs"][0]["filename"]
        again = {
            "1": node("LoadImage", image=f"{name} [output]"),
            "2": node("PreviewImage", images=["1", 0]),
        }
        job = await ann.ask("run_workflow", workflow=again, wait_seconds=60)
        _, denial = await bob.refusal("run_workflow", workflow=again)

    assert job["status"] == "completed"
    assert denial["code"] == "input_path"


async def test_anothers_outputs_are_no_resources_and_its_jobs_cannot_be_stopped(
    sit: Sit, comfyui: str
) -> None:
    async with (
        sit(EVERYTHING, grant="ann", url=comfyui) as ann,
        sit(EVERYTHING, grant="bob", url=comfyui) as bob,
    ):
        made = await ann.ask("run_workflow", workflow=card(32), wait_seconds=60)
        _, seen = await bob.refusal("view_output", uri=made["outputs"][0]["uri"])
        with pytest.raises(Exception, match="not_owner"):
            await bob.client.read_resource(made["outputs"][0]["uri"])
        slow = await ann.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        _, stopped = await bob.refusal("cancel_job", prompt_id=slow["prompt_id"])
        _, by_alias = await bob.refusal("comfy_cancel_generation", prompt_id=slow["prompt_id"])
        await until_running(ann, slow["prompt_id"])
        _, interrupted = await bob.refusal("interrupt_execution")
        left = await ann.ask("get_job", prompt_id=slow["prompt_id"])
        await ann.ask("cancel_job", prompt_id=slow["prompt_id"])

    codes = {denial["code"] for denial in (seen, stopped, by_alias, interrupted)}
    assert codes == {"not_owner"}
    assert left["status"] == "in_progress"


async def until_running(desk: Desk, prompt_id: str) -> None:
    for _ in range(200):
        job = await desk.ask("get_job", prompt_id=prompt_id)
        if job["status"] != "pending":
            return
    pytest.fail("it never ran")


NAMES: dict[str, tuple[dict[str, Any], str]] = {
    "an alias of a hidden tool": ({"default": "allow", "hide": ["cancel_job"]}, "not_listed"),
    "a tool hidden by its alias": (
        {"default": "allow", "hide": ["comfy_cancel_generation"]},
        "not_listed",
    ),
    "an alias of a denied tool": (
        {"default": "allow", "tools": {"cancel_job": {"action": "deny"}}},
        "denied",
    ),
    "a glob that does not catch the alias catches the tool": (
        {"default": "allow", "tools": {"cancel_*": {"action": "deny"}}},
        "denied",
    ),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("called", ["cancel_job", "comfy_cancel_generation"])
async def test_no_name_of_a_tool_gets_round_a_rule(name: str, called: str, sit: Sit) -> None:
    policy, code = NAMES[name]

    async with sit({"version": "1", **policy}) as desk:
        result = await desk.call(called, prompt_id="x" * 8)
        (row,) = [row for row in await desk.services.store.tail(9) if row.record["code"]]

    assert result.is_error
    assert row.record["code"] == code


async def test_a_glob_does_not_allow_what_only_an_alias_is_called(sit: Sit) -> None:
    async with sit({"version": "1", "default": "deny", "tools": {"comfy_*": {}}}) as desk:
        _, denial = await desk.refusal("comfy_cancel_generation", prompt_id="x" * 8)

    assert denial["code"] == "denied"


async def test_an_unknown_tool_stays_unknown_when_everything_is_allowed(sit: Sit) -> None:
    async with sit({"version": "1", "default": "allow"}) as desk:
        result = await desk.call("free_everything")

    assert result.is_error
    assert result.content[0].text == "Unknown tool: free_everything"


@pytest.mark.parametrize("amount", [-5, 0, 0.0000001, "5", True, None, float("-1e300"), [5]])
async def test_an_amount_that_is_none_buys_nothing(amount: Any, sit: Sit) -> None:
    limit = {"counter": "n", "window": "hour", "max": 10, "increment_from": "args.params.n"}
    policy = {**EVERYTHING, "tools": {**EVERYTHING["tools"], "run_workflow": {"limits": [limit]}}}

    async with sit(policy) as desk:
        args = {"workflow": "color_card", "params": {"n": amount}}
        text = [await said(desk, "run_workflow", args) for _ in range(2)]

    assert all("[POLICY DENIED] invalid_args" in one or "never_fits" in one for one in text)


async def test_an_amount_above_the_maximum_never_fits(sit: Sit) -> None:
    limit = {"counter": "s", "window": "hour", "max": 10, "increment_from": "args.wait_seconds"}
    policy = {**EVERYTHING, "tools": {**EVERYTHING["tools"], "run_workflow": {"limits": [limit]}}}

    async with sit(policy) as desk:
        _, denial = await desk.refusal("run_workflow", workflow=card(4), wait_seconds=10.000001)
        await desk.ask("run_workflow", workflow=card(4), wait_seconds=10)

    assert denial["code"] == "never_fits"


async def said(desk: Desk, tool: str, args: dict[str, Any]) -> str:
    result = await desk.call(tool, **args)
    assert result.is_error
    return result.content[0].text


async def test_a_run_in_front_of_others_needs_leave(sit: Sit) -> None:
    async with sit(EVERYTHING) as desk:
        _, denial = await desk.refusal("run_workflow", workflow=card(3), front=True)
    async with sit(gpu(queue_jump="allow")) as desk:
        job = await desk.ask("run_workflow", workflow=card(3), front=True, wait_seconds=60)

    assert denial["rule"] == "/gpu/queue_jump"
    assert job["status"] == "completed"
