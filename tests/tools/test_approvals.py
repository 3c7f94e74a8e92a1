"""Requests to people as their agent sees them: it looks, waits, asks and takes back."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.server import now_ms
from comfy_mcp.store.asked import Ruling
from comfy_mcp.store.protocol import Freeze
from comfy_mcp.tools.table import TOOLS
from tests.tools.desk import EVERYTHING, Desk, Sit, card, graph, sent
from tests.tools.person import ASKS, Clock, asking, no, only, until_asked, until_waiting, yes

pytestmark = pytest.mark.anyio

NOBODYS = "apr_0000000000000000"


async def parked(desk: Desk, **arguments: Any) -> str:
    """Call run_workflow, which needs a person here; the id of the request."""
    call = {"workflow": card(1), "wait_seconds": 0, **arguments}
    _, body = await desk.refusal("run_workflow", **call)
    assert body["decision"] == "require_approval"
    return str(body["approval_id"])


async def test_a_parked_call_is_told_in_a_sentence_with_the_command_for_the_user(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        found = await desk.ask("get_approval", approval_id=request)

    assert found["approval_id"] == request
    assert (found["status"], found["kind"]) == ("pending", "call")
    assert found["tool"] == "run_workflow"
    assert found["what"] == "Run a workflow it wrote itself: 2 nodes, 64 x 64 pixels."
    assert 3_500 < found["expires_in_s"] <= 3_600
    wait, _, command = found["next"].partition(" has the answer. Tell the user to run: ")
    assert wait == f'get_approval("{request}", wait_seconds=40)'
    assert f"approvals show {request}" in command


async def test_an_approved_call_is_made_as_next_says_and_its_job_is_told(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        await yes(desk, request, reason="Go ahead.")
        found = await desk.ask("get_approval", approval_id=request)
        assert found["next"] == f'Now run_workflow(approval_id="{request}")'
        job = await desk.ask("run_workflow", approval_id=request)
        after = await desk.ask("get_approval", approval_id=request)

    assert (found["status"], found["reason"]) == ("approved", "Go ahead.")
    assert job["status"] == "completed"
    assert (after["status"], after["prompt_id"]) == ("spent", job["prompt_id"])
    assert after["next"] == f'A yes holds once. Its job: get_job("{job["prompt_id"]}")'
    assert "expires_in_s" not in after


async def test_a_call_without_a_workflow_is_to_be_repeated_exactly(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(asking("interrupt_execution")) as desk:
        job = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        await host.until(lambda now: now.running == job["prompt_id"])
        _, body = await desk.refusal("interrupt_execution", prompt_id=job["prompt_id"])
        await yes(desk, body["approval_id"])
        found = await desk.ask("get_approval", approval_id=body["approval_id"])
        stopped = await desk.ask("interrupt_execution", prompt_id=job["prompt_id"])

    short = job["prompt_id"][:8]
    assert found["what"] == f"interrupt_execution: job {short} of its own."
    assert found["next"] == "Now repeat your interrupt_execution call exactly"
    assert stopped["stopped"] is True


async def test_a_no_is_told_with_the_persons_reason(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        await no(desk, request, reason="Not while I render.")
        found = await desk.ask("get_approval", approval_id=request)

    assert (found["status"], found["reason"]) == ("denied", "Not while I render.")
    assert found["next"] == "Tell the user: it is no. Do not ask for the same again."


async def test_what_a_client_denied_is_not_said_to_be_the_users_no(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        row = await desk.services.store.approval(await parked(desk), now_ms())
        assert row is not None
        await desk.services.gate.requests.answered(row, approve=False, client="claude-code")
        found = await desk.ask("get_approval", approval_id=row.approval_id)

    assert found["next"].startswith("Tell the user: your client did not confirm it.")


async def test_a_reason_is_cleaned_and_cut_whoever_wrote_it(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        ruling = Ruling("denied", {"channel": "x"}, "no\x1b[2J\u202e\u200b\n" + "x" * 10_000)
        await desk.services.store.rule(now_ms(), request, ruling, {"kind": "approval"})
        found = await desk.ask("get_approval", approval_id=request)

    assert found["reason"].startswith("no[2J x")
    assert found["reason"].isprintable()
    assert len(found["reason"]) < 600


async def test_what_a_person_changed_is_told_with_both_values(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk, workflow="color_card", params={"width": 512})
        await yes(desk, request, width=1024, height=768)
        found = await desk.ask("get_approval", approval_id=request)
        job = await desk.ask("run_workflow", approval_id=request)

    assert found["changes"] == {"width": [512, 1024], "height": [512, 768]}
    assert found["what"] == "Run color_card: 7 nodes, 1024 x 768 pixels."
    assert "width: 512 -> 1024" in job["warnings"][0]


async def test_waiting_ends_with_the_answer_and_says_meanwhile_what_is_waited_for(
    sit: Sit,
) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        found: dict[str, Any] = {}

        async def wait() -> None:
            found.update(await desk.ask("get_approval", approval_id=request, wait_seconds=60))

        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(wait)
                await until_waiting(desk)
                await yes(desk, request)

    assert found["status"] == "approved"
    assert desk.progress[0][1] == f"waiting for a person: {request} (0 s)"


async def test_a_wait_that_runs_out_is_no_error(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        found = await desk.ask("get_approval", approval_id=request, wait_seconds=0.1)

    assert found["status"] == "pending"


async def test_nothing_is_waited_for_once_it_is_decided(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        await no(desk, request)
        with anyio.fail_after(20):
            found = await desk.ask("get_approval", approval_id=request, wait_seconds=600)

    assert found["status"] == "denied"


@pytest.mark.parametrize("tool", ["get_approval", "cancel_approval", "cancel_interrupt"])
async def test_anothers_request_is_exactly_as_unknown_as_one_that_is_not_there(
    sit: Sit, tool: str
) -> None:
    async with sit(ASKS, grant="alice") as alice, sit(ASKS, grant="bob") as bob:
        request = await parked(alice)
        theirs = await bob.refusal(tool, approval_id=request)
        nobodys = await bob.refusal(tool, approval_id=NOBODYS)
        listed = await bob.ask("list_approvals")
        row = await only(alice)

    assert theirs[1]["code"] == "approval_not_found"
    assert json.loads(json.dumps(theirs).replace(request, NOBODYS)) == list(nobodys)
    assert listed == {"approvals": []}
    assert row.status == "pending"


@pytest.mark.parametrize("tool", ["get_approval", "cancel_approval"])
@pytest.mark.parametrize("wrong", ["apr_1", "apr_" + "A" * 16, "x" * 10_000, "%", 7])
async def test_what_is_no_id_is_refused_as_an_argument(sit: Sit, tool: str, wrong: Any) -> None:
    async with sit() as desk:
        _, body = await desk.refusal(tool, approval_id=wrong)

    assert body["code"] == "invalid_args"


async def test_requests_are_listed_newest_first_page_by_page(sit: Sit) -> None:
    async with sit(asking(max_pending=5)) as desk:
        requests = [await parked(desk, workflow=card(colour)) for colour in (1, 2, 3)]
        first = await desk.ask("list_approvals", limit=2)
        second = await desk.ask("list_approvals", limit=2, cursor=first["next_cursor"])

    assert [one["approval_id"] for one in first["approvals"]] == [requests[2], requests[1]]
    assert [one["approval_id"] for one in second["approvals"]] == [requests[0]]
    assert "next_cursor" not in second
    assert set(first["approvals"][0]) == {
        *("approval_id", "status", "tool", "what", "expires_in_s"),
    }


async def test_requests_are_listed_by_how_they_stand(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        denied, waiting = [await parked(desk, workflow=card(colour)) for colour in (1, 2)]
        await no(desk, denied)
        listed = {
            status: [
                one["approval_id"]
                for one in (await desk.ask("list_approvals", status=status))["approvals"]
            ]
            for status in ("pending", "denied", "expired")
        }

    assert listed == {"pending": [waiting], "denied": [denied], "expired": []}


@pytest.mark.parametrize(
    "wrong",
    [{"status": "granted"}, {"limit": 0}, {"limit": 101}, {"cursor": "zzz"}, {"cursor": "9" * 40}],
)
async def test_a_list_is_asked_for_as_it_can_be_given(sit: Sit, wrong: dict[str, Any]) -> None:
    async with sit() as desk:
        _, body = await desk.refusal("list_approvals", **wrong)

    assert body["code"] == "invalid_args"


@pytest.mark.parametrize("tool", ["cancel_approval", "cancel_interrupt"])
async def test_a_request_that_is_taken_back_is_not_decided_any_more_and_a_call_asks_anew(
    sit: Sit, tool: str
) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        found = await desk.ask(tool, approval_id=request)
        record = (await desk.services.store.tail(2))[0].record
        again = await parked(desk)

    assert found["status"] == "cancelled"
    assert "make the call again" in found["next"]
    assert (record["action"], record["approval_id"]) == ("cancelled", request)
    assert record["by"]["channel"] == "agent"
    assert again != request


async def test_a_yes_that_was_not_used_can_be_taken_back_and_runs_nothing(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        await yes(desk, request)
        found = await desk.ask("cancel_approval", approval_id=request)
        _, body = await desk.refusal("run_workflow", approval_id=request)

    assert found["status"] == "cancelled"
    assert body["code"] == "approval_cancelled"
    assert sent(host) == []


async def test_what_is_over_is_not_taken_back(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        denied, spent = [await parked(desk, workflow=card(colour)) for colour in (1, 2)]
        await no(desk, denied)
        await yes(desk, spent)
        await desk.ask("run_workflow", approval_id=spent)
        found = [
            (await desk.ask("cancel_approval", approval_id=one))["status"]
            for one in (denied, spent)
        ]

    assert found == ["denied", "spent"]


async def test_a_question_of_the_agents_own_is_kept_as_it_was_written(sit: Sit) -> None:
    action, context = "Use the *large* model\n?", {"model": "sdxl", "why": ["a", {"b": 1.5}]}

    async with sit() as desk:
        asked = await desk.ask("request_approval", action=action, context=context, urgency="high")
        row = await only(desk)

    assert asked["status"] == "pending"
    assert asked["what"] == 'Asks: "Use the large model ?".'
    assert f"approvals show {asked['approval_id']}" in asked["next"]
    assert row.kind == "question"
    assert row.tool == "request_approval"
    assert row.payload == {"kind": "question", "action": action, "context": context}
    assert {row.facts[name] for name in ("urgency", "action")} == {"high", action}


async def test_a_yes_to_a_question_brings_the_context_as_the_person_left_it(sit: Sit) -> None:
    async with sit() as desk:
        context = {"model": "sdxl", "steps": 50}
        asked = await desk.ask("request_approval", action="May I?", context=context)
        await yes(desk, asked["approval_id"], reason="Less.", steps=20)
        found = await desk.ask("get_approval", approval_id=asked["approval_id"])

    assert (found["status"], found["kind"]) == ("approved", "question")
    assert found["context"] == {"model": "sdxl", "steps": 20}
    assert found["changes"] == {"steps": [50, 20]}
    assert found["reason"] == "Less."
    assert found["next"] == "The answer is yes, to what context says now: a person changed it."


async def test_a_no_to_a_question_brings_its_reason_and_no_context(sit: Sit) -> None:
    async with sit() as desk:
        asked = await desk.ask("request_approval", action="May I?", context={"a": 1})
        await no(desk, asked["approval_id"], reason="Rather not.")
        found = await desk.ask("get_approval", approval_id=asked["approval_id"])

    assert (found["status"], found["reason"]) == ("denied", "Rather not.")
    assert "context" not in found


async def test_a_yes_to_a_question_lets_no_call_through(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(ASKS) as desk:
        asked = await desk.ask("request_approval", action="May I run it?")
        await yes(desk, asked["approval_id"])
        _, body = await desk.refusal("run_workflow", approval_id=asked["approval_id"])
        again = await parked(desk)

    assert body["code"] == "approval_unknown"
    assert again != asked["approval_id"]
    assert sent(host) == []


async def test_the_same_question_is_one_request_and_its_answer_is_remembered(sit: Sit) -> None:
    async with sit() as desk:
        first = await desk.ask("request_approval", action="May I?", urgency="low")
        second = await desk.ask("request_approval", action="May I?", urgency="high")
        other = await desk.ask("request_approval", action="May I?", context={"x": 1})
        await no(desk, first["approval_id"])
        third = await desk.ask("request_approval", action="May I?")

    assert first["approval_id"] == second["approval_id"] == third["approval_id"]
    assert other["approval_id"] != first["approval_id"]
    assert third["status"] == "denied"


async def test_an_answer_to_a_question_holds_under_whatever_policy(sit: Sit) -> None:
    async with sit() as desk:
        asked = await desk.ask("request_approval", action="May I?")
        await yes(desk, asked["approval_id"])
    async with sit({**EVERYTHING, "description": "Another."}) as desk:
        again = await desk.ask("request_approval", action="May I?")

    assert (again["approval_id"], again["status"]) == (asked["approval_id"], "approved")


async def test_questions_and_parked_calls_together_are_no_more_than_may_wait(sit: Sit) -> None:
    async with sit(asking(max_pending=2)) as desk:
        await desk.ask("request_approval", action="One?")
        await parked(desk)
        text, body = await desk.refusal("request_approval", action="Two?")
        _, run = await desk.refusal("run_workflow", workflow=card(2), wait_seconds=0)

    assert body["code"] == run["code"] == "approvals_full"
    assert "2 of your requests wait" in text


@pytest.mark.parametrize(("own", "policys", "seconds"), [(60, 600, 60), (86_400, 600, 600)])
async def test_a_question_lives_as_long_as_it_says_and_no_longer_than_the_policy(
    sit: Sit, own: int, policys: int, seconds: int
) -> None:
    clock = Clock()

    async with sit(asking(expires=policys), now_ms=clock.now_ms) as desk:
        asked = await desk.ask("request_approval", action="May I?", expires_in=own)
        clock.skipped_ms = seconds * 1_000 - 1
        before = await desk.ask("get_approval", approval_id=asked["approval_id"])
        clock.skipped_ms = seconds * 1_000
        after = await desk.ask("get_approval", approval_id=asked["approval_id"])
        taken_back = await desk.ask("cancel_approval", approval_id=asked["approval_id"])

    assert [one["status"] for one in (before, after)] == ["pending", "expired"]
    assert after["next"].startswith("Nobody answered in time: that is no yes.")
    assert taken_back["status"] == "expired"


async def test_the_operator_is_told_of_a_question_once(
    sit: Sit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "comfy_mcp.server")

    async with sit() as desk:
        for _ in range(2):
            asked = await desk.ask("request_approval", action="May I?")

    told = [record.message for record in caplog.records if "asks a person" in record.message]
    assert len(told) == 1
    assert f"approvals show {asked['approval_id']}" in told[0]


async def test_a_request_is_written_down_by_digest_without_the_agents_words(sit: Sit) -> None:
    async with sit() as desk:
        await desk.ask("request_approval", action="A secret plan", context={"key": "hush"})
        records = [row.record for row in await desk.services.store.tail(10)]

    (made,) = [record for record in records if record["kind"] == "approval"]
    assert made["action"] == "requested"
    assert made["effect"].startswith("sha256:")
    assert "secret" not in str(records)
    assert "hush" not in str(records)


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": ""},
        {"action": "x" * 201},
        {"action": " \u200b\u202e\t"},
        {"action": ["x"]},
        {"context": "words"},
        {"context": {"x": "y" * 4_090}},
        {"context": {"x": [[[[[[[[1]]]]]]]]}},
        {"urgency": "critical"},
        {"expires_in": 59},
        {"expires_in": 86_401},
        {"callback_url": "http://127.0.0.1/"},
        {"approve": True},
    ],
    ids=str,
)
async def test_a_question_that_nobody_could_read_is_not_asked(
    sit: Sit, wrong: dict[str, Any]
) -> None:
    async with sit() as desk:
        _, body = await desk.refusal("request_approval", **{"action": "May I?", **wrong})
        rows = await desk.services.store.approvals(now_ms(), count=1)

    assert body["code"] == "invalid_args"
    assert rows == ()


@pytest.mark.parametrize("size", [4_096, 4_097])
async def test_a_context_is_measured_in_bytes_of_json(sit: Sit, size: int) -> None:
    context = {"x": "\u00e9" * ((size - 8) // 2) + "y" * ((size - 8) % 2)}
    assert len(json.dumps(context, ensure_ascii=False, separators=(",", ":")).encode()) == size

    async with sit() as desk:
        result = await desk.call("request_approval", action="May I?", context=context)

    assert result.is_error is (size > 4_096)


async def test_a_request_outlives_the_server_that_made_it(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        asked = await desk.ask("request_approval", action="May I?")
        for one in (request, asked["approval_id"]):
            await yes(desk, one)

    async with sit(ASKS) as desk:
        found = await desk.ask("get_approval", approval_id=asked["approval_id"])
        job = await desk.ask("run_workflow", workflow=card(1))

    assert found["status"] == "approved"
    assert job["status"] == "completed"


async def test_next_names_only_tools_that_may_be_called(sit: Sit) -> None:
    tools = {name: ASKS["tools"][name] for name in ("run_workflow", "cancel_approval")}

    async with sit({**ASKS, "tools": tools}) as desk:
        request = await parked(desk)
    async with sit({**ASKS, "hide": ["get_approval", "run_workflow", "get_job"]}) as desk:
        waiting = await desk.ask("cancel_approval", approval_id=request)

    assert "next" not in waiting


async def test_a_frozen_caller_asks_nobody_but_may_look(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        request = await parked(desk)
        freeze = Freeze("local", "Rendering.", keep_reads=True)
        await desk.services.store.freeze(now_ms(), freeze, {"kind": "freeze"})
        found = await desk.ask("get_approval", approval_id=request)
        refused = [
            (await desk.refusal(tool, **arguments))[1]["code"]
            for tool, arguments in (
                ("request_approval", {"action": "May I?"}),
                ("cancel_approval", {"approval_id": request}),
            )
        ]

    assert found["status"] == "pending"
    assert refused == ["frozen", "frozen"]


async def test_the_limits_of_the_policy_hold_for_questions(sit: Sit) -> None:
    tools = {**EVERYTHING["tools"], "request_approval": {"rate_limit": "1/hour"}}

    async with sit({**EVERYTHING, "tools": tools}) as desk:
        await desk.ask("request_approval", action="One?")
        _, body = await desk.refusal("request_approval", action="Two?")

    assert body["code"] == "rate_limited"


async def test_no_tool_decides(sit: Sit) -> None:
    async with sit() as desk:
        listed = (await desk.client.list_tools()).tools
    arguments = {name for tool in listed for name in tool.input_schema.get("properties", {})}

    assert not arguments & {"approve", "approved", "answer", "confirm", "decision", "token"}
    assert [tool.name for tool in TOOLS if "approv" in tool.name] == [
        *("get_approval", "list_approvals", "request_approval", "cancel_approval"),
    ]


async def test_nobody_is_asked_twice_about_what_waits_already(sit: Sit) -> None:
    async with sit(ASKS) as desk:
        first, second = await parked(desk), await parked(desk)
        row = await until_asked(desk)

    assert first == second == row.approval_id
