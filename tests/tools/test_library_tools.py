"""Promise: an agent finds, describes, keeps, runs and deletes workflows, and nobody else's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost
from tests.shelf.conftest import editor
from tests.tools.desk import EVERYTHING, Sit, card, sent
from tests.tools.person import yes
from tests.tools.sweeping import graph_of

pytestmark = pytest.mark.anyio

LIBRARY = ("list_workflows", "describe_workflow", "save_workflow", "delete_workflow")


def policy(**rules: Any) -> dict[str, Any]:
    tools = {**EVERYTHING["tools"], **{name: {} for name in LIBRARY}, **rules}
    return {**EVERYTHING, "tools": tools}


def put(host: EmbeddedHost, where: str, content: object) -> None:
    path = host.folder / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def files_below(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*.json")}


def size() -> dict[str, Any]:
    return {
        "name": "size",
        "type": "integer",
        "description": "Width.",
        "default": 64,
        "fills": [{"node": "1", "input": "width"}],
    }


async def test_a_workflow_is_brought_described_run_and_taken_away(sit: Sit) -> None:
    async with sit(policy()) as desk:
        kept = await desk.ask(
            "save_workflow", name="mine", workflow=card(5), parameters=[size()], title="My card"
        )
        listed = await desk.ask("list_workflows", query="my card")
        told = await desk.ask("describe_workflow", name="mine")
        job = await desk.ask("run_workflow", workflow="mine", params={"size": 80})
        gone = await desk.ask("delete_workflow", name="mine")
        words, _ = await desk.refusal("run_workflow", workflow="mine")

    assert kept == {"name": "saved/mine", "parameters": ["size"], "status": "saved", "notes": []}
    assert [row["name"] for row in listed["workflows"]] == ["saved/mine"]
    assert told["parameters"]["properties"]["size"]["default"] == 64
    assert (job["status"], job["workflow"]) == ("completed", "saved/mine")
    assert gone == {"deleted": "saved/mine"}
    assert "no workflow" in words


async def test_a_graph_of_the_editor_is_kept_as_what_can_be_run(sit: Sit, tmp_path: Path) -> None:
    async with sit(policy()) as desk:
        kept = await desk.ask("save_workflow", name="drawn", workflow=editor(9))
        job = await desk.ask("run_workflow", workflow="saved/drawn", params={"width": 32})

    file = json.loads((tmp_path / "state" / "workflows" / "drawn.json").read_text())
    assert kept["status"] == "saved"
    assert file["graph"]["1"]["inputs"]["color"] == 9
    assert job["status"] == "completed"


async def test_what_the_host_keeps_is_listed_described_and_run(
    sit: Sit, host: EmbeddedHost
) -> None:
    put(host, "user/default/workflows/portraits/ann.json", editor(3))
    put(host, "templates/index.json", [{"title": "Image", "templates": [{"name": "first"}]}])
    put(host, "templates/first.json", editor(4))

    async with sit(policy()) as desk:
        listed = await desk.ask("list_workflows")
        told = await desk.ask("describe_workflow", name="host/portraits/ann")
        jobs = [
            await desk.ask("run_workflow", workflow=name, params={"width": 32})
            for name in ("host/portraits/ann", "template/first")
        ]

    names = [row["name"] for row in listed["workflows"]]
    assert names == [*sorted(names[:4]), "host/portraits/ann", "template/first"]
    assert told["runnable"] is True
    assert [(job["status"], job["workflow"]) for job in jobs] == [
        ("completed", "host/portraits/ann"),
        ("completed", "template/first"),
    ]


async def test_pages_follow_each_other(sit: Sit) -> None:
    async with sit(policy()) as desk:
        first = await desk.ask("list_workflows", source="library", limit=3)
        second = await desk.ask(
            "list_workflows", source="library", limit=3, cursor=first["next_cursor"]
        )

    assert first["total"] == second["total"] == 4
    assert [len(page["workflows"]) for page in (first, second)] == [3, 1]
    assert "next_cursor" not in second


async def test_without_the_host_the_library_is_still_told(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(policy()) as desk, host.away():
        listed = await desk.ask("list_workflows")
        told = await desk.ask("describe_workflow", name="txt2img")

    assert listed["total"] == 4
    assert "not listed" in listed["warnings"][0]
    assert "runnable" not in told
    assert "prompt" in told["parameters"]["required"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "x", "workflow": {}}, "empty"),
        ({"name": "x", "workflow": {"1": {"class_type": "A"}}}, "inputs"),
        ({"name": "x", "workflow": {"graph": card(1)}}, "Give the nodes themselves"),
        ({"name": "x", "workflow": {"graph": 5}}, "Node graph"),
        ({"name": "x", "workflow": {"nodes": [{}], "links": []}}, "no id that can be used"),
        ({"name": "x", "workflow": card(1), "parameters": [{"name": "a"}]}, "parameters.0.type"),
        (
            {
                "name": "x",
                "workflow": card(1),
                "parameters": [{**size(), "fills": [{"node": "7", "input": "width"}]}],
            },
            "no such node",
        ),
        ({"name": "x", "workflow": card(1), "title": "a\x1b[2J"}, "plain text"),
        ({"name": "x", "workflow": card(1), "description": "a\u202eb"}, "plain text"),
        ({"name": "txt2img", "workflow": card(1), "overwrite": True}, "of the library"),
    ],
)
async def test_what_cannot_be_run_is_not_kept(
    sit: Sit, tmp_path: Path, arguments: dict[str, Any], words: str
) -> None:
    async with sit(policy()) as desk:
        said, _ = await desk.refusal("save_workflow", **arguments)

    assert words in said
    assert not (tmp_path / "state" / "workflows").exists()


@pytest.mark.parametrize(
    "name",
    [
        *("../x", "/etc/x", "a/b", "saved/x", "C:\\x", "\\\\server\\x", "x\x00", "x\n", "%2e%2e"),
        *("X", "\u0445x", "x" * 65, "x" * 100_000, "", "con"),
    ],
)
async def test_no_name_leads_out_of_the_folder(sit: Sit, tmp_path: Path, name: str) -> None:
    async with sit(policy()) as desk:
        said, error = await desk.refusal("save_workflow", name=name, workflow=card(1))
        await desk.refusal("delete_workflow", name=name)
        await desk.refusal("describe_workflow", name=f"saved/{name}")

    assert files_below(tmp_path) == {"policy-local.json"}
    assert error["code"] in {"invalid_args", "workflow"}
    assert len(said) < 2_000


async def test_one_grant_has_nothing_to_do_with_what_another_saved(sit: Sit) -> None:
    async with sit(policy(), grant="ann") as ann, sit(policy(), grant="bob") as bob:
        await ann.ask("save_workflow", name="mine", workflow=card(1), description="Trust me.")
        listed = await bob.ask("list_workflows", source="saved")
        said = [
            (await bob.refusal("describe_workflow", name="saved/mine"))[0],
            (await bob.refusal("run_workflow", workflow="saved/mine"))[0],
            (await bob.refusal("delete_workflow", name="saved/mine"))[0],
            (await bob.refusal("save_workflow", name="mine", workflow=card(2), overwrite=True))[0],
        ]
        still = await ann.ask("describe_workflow", name="mine")

    assert listed["total"] == 0
    assert not [words for words in said if "Trust me" in words]
    assert "taken" in said[3]
    assert still["description"] == "Trust me."


# -- what policies say of names ------------------------------------------------------------------

ONLY_POSTER = {
    "require": [{"path": "args.workflow", "op": "in", "value": ["poster"]}],
}


async def test_what_an_agent_saves_is_not_what_a_policy_means_by_that_name(
    sit: Sit, host: EmbeddedHost, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "poster.json").write_text(json.dumps(card(1)))
    rules = policy(run_workflow=ONLY_POSTER)

    async with sit(rules, workflows=(own,)) as desk:
        assert (await desk.ask("run_workflow", workflow="poster"))["status"] == "completed"
        (own / "poster.json").unlink()
        await desk.ask("save_workflow", name="poster", workflow=card(2))
        before = len(sent(host))
        for name in ("poster", "saved/poster"):
            words, denial = await desk.refusal("run_workflow", workflow=name)
            assert words.startswith("[POLICY DENIED]"), words
            assert denial["code"] == "require_failed", denial

    assert len(sent(host)) == before


async def test_a_rule_against_what_was_saved_holds_however_it_is_called(
    sit: Sit, host: EmbeddedHost
) -> None:
    rules = policy(
        run_workflow={
            "deny_if": [{"path": "args.workflow", "op": "in", "value": ["saved/mine"]}],
        }
    )
    async with sit(rules) as desk:
        await desk.ask("save_workflow", name="mine", workflow=card(1))
        for name in ("mine", "saved/mine"):
            words, _ = await desk.refusal("run_workflow", workflow=name)
            assert words.startswith("[POLICY DENIED]"), words
        for name in ("saved//mine", "Saved/mine", "saved/mine/", " saved/mine", "saved\\mine"):
            await desk.refusal("run_workflow", workflow=name)

    assert "POST /prompt" not in sent(host)


async def test_the_audit_log_has_the_whole_name(sit: Sit) -> None:
    async with sit(policy()) as desk:
        await desk.ask("save_workflow", name="mine", workflow=card(1))
        job = await desk.ask("run_workflow", workflow="mine")
        rows = (await desk.ask("list_jobs"))["jobs"]

    assert [row["workflow"] for row in rows] == ["saved/mine"] == [job["workflow"]]


@pytest.mark.parametrize("tool", LIBRARY)
async def test_a_denied_tool_reads_and_writes_nothing(
    sit: Sit, host: EmbeddedHost, tmp_path: Path, tool: str
) -> None:
    arguments: dict[str, dict[str, Any]] = {
        "list_workflows": {},
        "describe_workflow": {"name": "host/x"},
        "save_workflow": {"name": "x", "workflow": editor()},
        "delete_workflow": {"name": "x"},
    }
    async with sit({"version": "1", "default": "deny"}) as desk:
        before = len(host.seen)
        await desk.refusal(tool, **arguments[tool])

    assert len(host.seen) == before
    assert not (tmp_path / "state" / "workflows").exists()


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("where", ["parameters", "inputs", "editor"])
async def test_what_is_nested_deeply_is_refused_and_nothing_breaks(sit: Sit, where: str) -> None:
    drawn, plain = editor(), card(1)
    drawn["nodes"][0]["widgets_values"] = nested(180)
    plain["1"]["inputs"]["color"] = nested(180)
    arguments: dict[str, dict[str, Any]] = {
        "parameters": {"workflow": card(1), "parameters": [{"name": nested(180)}]},
        "inputs": {"workflow": plain},
        "editor": {"workflow": drawn},
    }
    async with sit(policy()) as desk:
        _, error = await desk.refusal("save_workflow", name="deep", **arguments[where])
        after = await desk.ask("list_workflows", source="saved")

    assert error["code"] == "workflow"
    assert after["total"] == 0


async def test_a_policy_can_keep_agents_from_what_people_saved_in_the_editor(
    sit: Sit, host: EmbeddedHost
) -> None:
    put(host, "user/default/workflows/private.json", editor(3))
    others = {"path": "args.source", "op": "in", "value": ["library", "saved", "template"]}

    def never(argument: str) -> dict[str, Any]:
        return {"deny_if": [{"path": f"args.{argument}", "op": "glob", "value": "host/*"}]}

    rules = policy(
        list_workflows={"require": [others]},
        describe_workflow=never("name"),
        run_workflow=never("workflow"),
        validate_workflow=never("workflow"),
    )
    async with sit(rules) as desk:
        said = [
            await desk.refusal("list_workflows"),
            await desk.refusal("list_workflows", source="host"),
            await desk.refusal("describe_workflow", name="host/private"),
            await desk.refusal("run_workflow", workflow="host/private"),
            await desk.refusal("validate_workflow", workflow="host/private"),
        ]
        listed = await desk.ask("list_workflows", source="template")

    assert all(words.startswith("[POLICY DENIED]") for words, _ in said), said
    assert listed["total"] == 0
    assert not [seen.path for seen in host.seen if "userdata" in seen.path]


async def test_a_misspelt_name_is_told_with_what_the_caller_saved(sit: Sit) -> None:
    async with sit(grant="one") as one:
        await one.ask("save_workflow", name="sun-blend", workflow=card(1))
        near, _ = await one.refusal("run_workflow", workflow="sun-blendd")
        far, _ = await one.refusal("run_workflow", workflow="qqqqqqqq")
        async with sit(grant="two") as two:
            theirs, _ = await two.refusal("run_workflow", workflow="sun-blendd")

    assert near.endswith('Did you mean "saved/sun-blend"?')
    assert far.endswith("You saved: saved/sun-blend.")
    assert "saved/" not in theirs


async def test_any_value_in_a_workflow_of_ones_own_can_be_given(sit: Sit) -> None:
    async with sit(policy(run_sweep={}, get_sweep={})) as desk:
        await desk.ask("save_workflow", name="mine", workflow=card(5), parameters=[size()])
        told = await desk.ask("describe_workflow", name="mine")
        job = await desk.ask("run_workflow", workflow="mine", params={"size": 80, "1.color": 9})
        again = await desk.ask(
            "run_workflow", from_prompt_id=job["prompt_id"], params={"1.height": 48}
        )
        swept = await desk.ask("run_sweep", workflow="mine", axes={"1.color": [1, 2]})
        ran = [job["prompt_id"], again["prompt_id"], swept["table"][1]["prompt_id"]]
        graphs = [await graph_of(desk, prompt_id) for prompt_id in ran]

    found = [
        [graph["1"]["inputs"][name] for name in ("width", "height", "color")] for graph in graphs
    ]
    assert found == [[80, 64, 9], [80, 48, 9], [64, 64, 2]]
    assert job["workflow"] == again["workflow"] == swept["workflow"] == "saved/mine"
    assert "NODE_ID.input" in told["parameters"]["additionalProperties"]["description"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"1.width": 32}, "1.width is filled by the parameter size: give only that one"),
        ({"1.color": "red"}, "1.color must be"),
        ({"colour": 3}, 'Did you mean "1.color"?'),
        ({"2.images": 3}, "linked to another node"),
    ],
)
async def test_what_cannot_be_given_to_a_workflow_of_ones_own_is_told(
    sit: Sit, host: EmbeddedHost, params: dict[str, Any], words: str
) -> None:
    async with sit(policy()) as desk:
        await desk.ask("save_workflow", name="mine", workflow=card(5), parameters=[size()])
        told, _ = await desk.refusal("run_workflow", workflow="mine", params=params)

    assert words in told
    assert sent(host) == []


async def test_a_workflow_of_somebody_elses_takes_its_parameters_only(
    sit: Sit, host: EmbeddedHost
) -> None:
    put(host, "user/default/workflows/theirs.json", card(5))

    async with sit(policy()) as desk:
        for name in ("color_card", "host/theirs"):
            told, _ = await desk.refusal("run_workflow", workflow=name, params={"1.color": 9})
            assert 'There is no parameter "1.color"' in told
            assert "NODE_ID" not in told
    assert sent(host) == []


async def test_a_person_may_change_a_value_in_a_workflow_of_the_agents(sit: Sit) -> None:
    tools = {**policy()["tools"], "run_workflow": {"require_approval": True}}
    asks = {**EVERYTHING, "tools": tools, "approvals": {"wait_s": 0}}

    async with sit(asks) as desk:
        await desk.ask("save_workflow", name="mine", workflow=card(5), parameters=[size()])
        _, body = await desk.refusal("run_workflow", workflow="mine", params={"1.color": 9})
        await yes(desk, body["approval_id"], "", **{"1.color": 7, "size": 96})
        job = await desk.ask("run_workflow", approval_id=body["approval_id"])
        graph = await graph_of(desk, job["prompt_id"])

    assert (graph["1"]["inputs"]["color"], graph["1"]["inputs"]["width"]) == (7, 96)


NO_SAVE = {"1": card(1)["1"]}
MISSPELT = {**card(1), "1": {**card(1)["1"], "class_type": "EmptyImag"}}


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (MISSPELT, "no node class EmptyImag. Did you mean EmptyImage?"),
        (NO_SAVE, "No node of the graph puts anything out."),
    ],
)
async def test_what_comfyui_would_refuse_is_kept_and_said_to_be(
    sit: Sit, graph: dict[str, Any], words: str
) -> None:
    async with sit(policy()) as desk:
        kept = await desk.ask("save_workflow", name="bad", workflow=graph, parameters=[])
        told = await desk.ask("describe_workflow", name="bad")

    assert kept["status"] == "saved"
    assert kept["notes"][0].startswith("ComfyUI would refuse it: ")
    assert words in kept["notes"][0]
    assert told["runnable"] is False


async def test_what_a_caller_has_to_give_is_no_fault_of_a_graph_that_is_kept(sit: Sit) -> None:
    graph = card(1)
    graph["1"]["inputs"]["width"] = "PARAM_INT_SIZE"
    needed = {key: value for key, value in size().items() if key != "default"}

    async with sit(policy()) as desk:
        kept = [
            await desk.ask("save_workflow", name=f"w{at}", workflow=graph, parameters=parameters)
            for at, parameters in enumerate(([needed], [size()]))
        ]

    assert [one["notes"] for one in kept] == [[], []]


async def test_without_the_host_a_graph_is_kept_without_its_word(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(policy()) as desk, host.away():
        kept = await desk.ask("save_workflow", name="bad", workflow=MISSPELT, parameters=[])

    assert (kept["status"], kept["notes"]) == ("saved", [])


async def test_a_host_without_templates_is_said_to_have_none(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(policy()) as desk:
        none = await desk.ask("list_workflows", source="template")
        put(host, "templates/index.json", [{"title": "Image", "templates": [{"name": "first"}]}])

    async with sit(policy()) as desk:
        one = await desk.ask("list_workflows", source="template", query="nothing-like-it")

    assert none["warnings"] == ["This ComfyUI serves no workflow templates."]
    assert (one["total"], one["warnings"]) == (0, [])
