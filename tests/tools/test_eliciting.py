"""The client answers for its user, where the policy lets it: the weaker channel, in both eras."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import MCPError
from mcp.types import ElicitResult, ErrorData, InputRequiredResult

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.server import now_ms
from comfy_mcp.store.protocol import Freeze
from tests.tools.desk import EVERYTHING, Desk, Sit, card, graph, sent
from tests.tools.person import ASKS, asking, no, only, until_asked, until_waiting, yes

pytestmark = pytest.mark.anyio

CLIENTS = asking(channel="elicitation")
ANYBODYS = asking(channel="any", wait_s=45)
RUN: dict[str, Any] = {"workflow": card(1)}

YES = ElicitResult(action="accept", content={"approve": True})
Answer = Callable[[Any, Any], Awaitable[ElicitResult | ErrorData]]


class User:
    """Answers every question alike, and keeps what it was asked; *first* is done before that."""

    def __init__(
        self, answer: ElicitResult | ErrorData, first: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        self.answer = answer
        self.first = first
        self.heard: list[Any] = []

    async def __call__(self, _context: Any, params: Any) -> ElicitResult | ErrorData:
        """Answer one question."""
        self.heard.append(params)
        if self.first is not None:
            await self.first()
        return self.answer


async def never(_context: Any, _params: Any) -> ElicitResult:
    """A user who has gone."""
    await anyio.sleep_forever()
    raise AssertionError("for ever is over")


async def records(desk: Desk, kind: str) -> list[dict[str, Any]]:
    """Audit rows of one kind, oldest first."""
    rows = [dict(row.record) for row in await desk.services.store.tail(100)]
    return [row for row in rows if row["kind"] == kind]


@pytest.mark.parametrize("policy", [CLIENTS, ANYBODYS], ids=["elicitation", "any"])
async def test_a_yes_of_the_client_lets_the_call_through_once_and_is_told_as_the_clients(
    sit: Sit, host: EmbeddedHost, policy: dict[str, Any]
) -> None:
    user = User(YES)

    async with sit(policy, answer=user) as desk:
        job = await desk.ask("run_workflow", **RUN)
        row = await only(desk)
        asked, answered = await records(desk, "approval")
        (decision,) = await records(desk, "decision")

    assert job["status"] == "completed"
    assert len(user.heard) == 1
    assert sent(host) == ["POST /prompt"]
    assert (row.status, row.prompt_id) == ("spent", job["prompt_id"])
    assert (asked["action"], answered["action"]) == ("requested", "approved")
    assert answered["by"] == {"channel": "elicitation", "user": "mcp", "assurance": "client"}
    assert (decision["code"], decision["assurance"]) == ("approved", "client")


async def test_a_rule_may_let_the_client_answer_where_others_need_the_operator(sit: Sit) -> None:
    rule = {"require_approval": {"channel": "elicitation"}}
    tools = {**ASKS["tools"], "list_jobs": rule}
    user = User(YES)

    async with sit({**ASKS, "tools": tools}, answer=user) as desk:
        await desk.ask("list_jobs")
        _, body = await desk.refusal("run_workflow", **RUN)

    assert len(user.heard) == 1
    assert body["code"] == "approval_required"


async def test_the_operators_channel_asks_no_client(sit: Sit, host: EmbeddedHost) -> None:
    user = User(YES)

    async with sit(ASKS, answer=user) as desk:
        _, body = await desk.refusal("run_workflow", **RUN)

    assert body["code"] == "approval_required"
    assert user.heard == []
    assert sent(host) == []


async def test_the_strictest_channel_of_all_that_ask_counts(sit: Sit) -> None:
    tools = {**CLIENTS["tools"], "run_workflow": {"require_approval": {"channel": "operator"}}}
    user = User(YES)
    policy = {
        **CLIENTS,
        "tools": tools,
        "classes": {"execute": {"require_approval": {"channel": "elicitation"}}},
    }

    async with sit(policy, answer=user) as desk:
        await desk.refusal("run_workflow", **RUN)

    assert user.heard == []


async def test_what_needs_no_approval_asks_nobody_and_runs_once(
    sit: Sit, host: EmbeddedHost
) -> None:
    when = [{"path": "gpu.megapixels", "op": "gt", "value": 1}]
    tools = {**EVERYTHING["tools"], "run_workflow": {"require_approval": {"when": when}}}
    user = User(YES)

    async with sit({**CLIENTS, "tools": tools}, answer=user) as desk:
        job = await desk.ask("run_workflow", **RUN)
        decisions = await records(desk, "decision")

    assert job["status"] == "completed"
    assert user.heard == []
    assert sent(host) == ["POST /prompt"]
    assert len(decisions) == 1


async def test_what_is_refused_anyway_asks_nobody(sit: Sit) -> None:
    user = User(YES)

    async with sit({**CLIENTS, "gpu": {"max_width": 32}}, answer=user) as desk:
        _, body = await desk.refusal("run_workflow", **RUN)
        decisions = await records(desk, "decision")

    assert body["code"] == "gpu_limit"
    assert user.heard == []
    assert len(decisions) == 1


@pytest.mark.parametrize(
    "answer",
    [
        ElicitResult(action="decline"),
        ElicitResult(action="accept", content={}),
        ElicitResult(action="accept", content={"approve": False}),
        ElicitResult(action="accept", content={"approve": "true"}),
        ElicitResult(action="accept", content={"approve": "yes"}),
        ElicitResult(action="accept", content={"approve": 1}),
        ElicitResult(action="accept", content={"approved": True}),
        ElicitResult(action="accept", content={"approve": None}),
    ],
    ids=str,
)
async def test_only_true_is_yes_and_everything_else_that_is_answered_is_no(
    sit: Sit, host: EmbeddedHost, answer: ElicitResult
) -> None:
    user = User(answer)

    async with sit(ANYBODYS, answer=user) as desk:
        text, body = await desk.refusal("run_workflow", **RUN)
        again, _ = await desk.refusal("run_workflow", **RUN)
        row = await only(desk)

    assert body["code"] == "approval_denied"
    assert "Your client did not confirm this" in text
    assert "user declined" not in text
    assert "did not confirm" in again
    assert len(user.heard) == 1
    assert (row.status, row.by["assurance"]) == ("denied", "client")
    assert sent(host) == []


NO_ANSWERS: list[Any] = [
    User(ElicitResult(action="cancel")),
    User(ElicitResult(action="accept")),
    None,
]
NAMES = ["cancelled", "empty", "cannot-ask"]


@pytest.mark.parametrize("answer", NO_ANSWERS, ids=NAMES)
async def test_without_an_answer_the_call_is_refused_at_once_and_the_operator_can_still_decide(
    sit: Sit, host: EmbeddedHost, answer: Any
) -> None:
    policy = asking(channel="elicitation", wait_s=50)

    async with asyncio.timeout(45):
        async with sit(policy, answer=answer) as desk:
            text, body = await desk.refusal("run_workflow", **RUN, wait_seconds=600)
            assert sent(host) == []
            await yes(desk, body["approval_id"])
            job = await desk.ask("run_workflow", **RUN)

    assert body["decision"] == "require_approval"
    assert f"approvals show {body['approval_id']}" in text
    assert job["status"] == "completed"


@pytest.mark.parametrize("answer", NO_ANSWERS, ids=NAMES)
async def test_where_anybody_may_answer_the_call_waits_for_the_operator(
    sit: Sit, answer: Any
) -> None:
    async with sit(ANYBODYS, answer=answer) as desk, anyio.create_task_group() as group:

        async def decide() -> None:
            await yes(desk, (await until_waiting(desk)).approval_id)

        group.start_soon(decide)
        job = await desk.ask("run_workflow", **RUN, wait_seconds=60)
        row = await only(desk)

    assert job["status"] == "completed"
    assert row.by["assurance"] == "operator"


@pytest.mark.parametrize("era", ["legacy"])
@pytest.mark.parametrize("answer", [User(ErrorData(code=-1, message="No screen.")), never])
async def test_before_2026_an_error_or_no_answer_in_time_is_a_refusal(
    sit: Sit, host: EmbeddedHost, answer: Any
) -> None:
    async with asyncio.timeout(60), sit(CLIENTS, answer=answer, ask_seconds=0.3) as desk:
        _, body = await desk.refusal("run_workflow", **RUN)
        row = await only(desk)

    assert body["code"] == "approval_pending"
    assert row.status == "pending"
    assert sent(host) == []


@pytest.mark.parametrize("era", ["legacy"])
async def test_before_2026_a_client_that_does_not_answer_makes_the_call_wait_for_the_operator(
    sit: Sit,
) -> None:
    async with (
        asyncio.timeout(60),
        sit(ANYBODYS, answer=never, ask_seconds=0.3) as desk,
        anyio.create_task_group() as group,
    ):

        async def decide() -> None:
            await no(desk, (await until_waiting(desk)).approval_id)

        group.start_soon(decide)
        text, _ = await desk.refusal("run_workflow", **RUN, wait_seconds=60)

    assert "A person said no" in text


@pytest.mark.parametrize("era", ["legacy"])
async def test_a_call_that_is_given_up_while_its_client_is_asked_runs_nothing(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(CLIENTS, answer=never) as desk:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: desk.call("run_workflow", **RUN))
            row = await until_asked(desk)
            group.cancel_scope.cancel()
        await yes(desk, row.approval_id)
        row = await only(desk)

    assert row.status == "approved"
    assert sent(host) == []


async def test_what_a_call_that_was_given_up_leaves_to_do_asks_nobody(
    sit: Sit, host: EmbeddedHost, caplog: pytest.LogCaptureFixture
) -> None:
    user = User(YES)
    call = {"workflow": graph("slow"), "on_cancel": "cancel"}

    async with (
        sit(asking("cancel_job", channel="elicitation"), answer=user) as desk,
        anyio.create_task_group() as group,
    ):
        group.start_soon(lambda: desk.call("run_workflow", **call))
        await host.until(lambda now: now.running is not None)
        group.cancel_scope.cancel()
    warned = [record.message for record in caplog.records if "goes on" in record.message]

    assert len(warned) == 1
    assert user.heard == []
    assert sent(host) == ["POST /prompt"]


async def rounds(
    desk: Desk, tool: str = "run_workflow", arguments: dict[str, Any] = RUN, **more: Any
) -> Any:
    """One round of a call as the protocol of 2026 has it; nothing is answered by itself."""
    return await desk.client.session.call_tool(tool, arguments, allow_input_required=True, **more)


async def until_too_late(desk: Desk, asked: Any) -> None:
    """Come back with what answers nothing, until that is not taken any more."""
    with anyio.fail_after(20):
        while True:
            try:
                other = {"input_responses": {"other": YES}}
                await rounds(desk, **other, request_state=asked.request_state)
            except MCPError:
                return


@pytest.mark.parametrize("era", ["auto"])
async def test_one_answer_is_good_for_one_run_however_often_it_is_sent(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit(CLIENTS, answer=never) as desk:
        asked = await rounds(desk)
        (key,) = asked.input_requests
        back = {"input_responses": {key: YES}, "request_state": asked.request_state}
        first = await rounds(desk, **back)
        again = await rounds(desk, **back)
        row, spent = await desk.services.store.approvals(now_ms(), count=10)

    assert first.structured_content["status"] == "completed"
    assert isinstance(again, InputRequiredResult)
    assert (row.status, spent.status) == ("pending", "spent")
    assert sent(host) == ["POST /prompt"]


@pytest.mark.parametrize("era", ["auto"])
async def test_an_old_answer_is_none_to_a_new_request_that_looks_the_same(sit: Sit) -> None:
    async with sit(asking("list_jobs", channel="elicitation"), answer=never) as desk:
        asked = await rounds(desk, "list_jobs", {})
        (key,) = asked.input_requests
        back = {"input_responses": {key: YES}, "request_state": asked.request_state}
        first = await rounds(desk, "list_jobs", {}, **back)
        again = await rounds(desk, "list_jobs", {}, **back)
        approved = [row for row in await records(desk, "decision") if row["code"] == "approved"]

    assert first.structured_content == {"jobs": [], "warnings": []}
    assert isinstance(again, InputRequiredResult)
    assert again.input_requests[key].params.message != asked.input_requests[key].params.message
    assert len(approved) == 1


@pytest.mark.parametrize("era", ["auto"])
async def test_two_answers_at_once_run_it_once(sit: Sit, host: EmbeddedHost) -> None:
    results: list[Any] = []

    async with sit(CLIENTS, answer=never) as desk:
        asked = await rounds(desk)
        (key,) = asked.input_requests
        back = {"input_responses": {key: YES}, "request_state": asked.request_state}

        async def send() -> None:
            results.append(await rounds(desk, **back))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(send)

    ran = [one for one in results if getattr(one, "structured_content", None)]
    assert len(ran) == 1
    assert sent(host) == ["POST /prompt"]


@pytest.mark.parametrize("era", ["auto"])
async def test_a_yes_to_no_question_is_none(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(CLIENTS, answer=never) as desk:
        asked = await rounds(desk)
        (key,) = asked.input_requests
        forged = await rounds(desk, input_responses={key: YES})

    assert isinstance(forged, InputRequiredResult)
    assert sent(host) == []


@pytest.mark.parametrize("era", ["auto"])
@pytest.mark.parametrize("spoil", [lambda state: state[:-4] + "AAAA", lambda _: "v1.AAAA"])
async def test_what_comes_back_changed_is_an_error_and_runs_nothing(
    sit: Sit, host: EmbeddedHost, spoil: Callable[[str], str]
) -> None:
    async with sit(CLIENTS, answer=never) as desk:
        asked = await rounds(desk)
        (key,) = asked.input_requests
        with pytest.raises(MCPError, match="Invalid or expired requestState"):
            await rounds(desk, input_responses={key: YES}, request_state=spoil(asked.request_state))
        row = await only(desk)

    assert row.status == "pending"
    assert sent(host) == []


@pytest.mark.parametrize("era", ["auto"])
async def test_an_answer_to_one_call_is_none_to_another(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(CLIENTS, answer=never) as desk:
        asked = await rounds(desk)
        (key,) = asked.input_requests
        with pytest.raises(MCPError, match="Invalid or expired requestState"):
            await rounds(
                desk,
                arguments={"workflow": card(2)},
                input_responses={key: YES},
                request_state=asked.request_state,
            )

    assert sent(host) == []


@pytest.mark.parametrize("era", ["auto"])
async def test_an_answer_is_good_for_the_process_that_asked(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(CLIENTS, answer=never) as desk:
        asked = await rounds(desk)
    (key,) = asked.input_requests

    async with sit(CLIENTS, answer=never) as desk:
        with pytest.raises(MCPError, match="Invalid or expired requestState"):
            await rounds(desk, input_responses={key: YES}, request_state=asked.request_state)

    assert sent(host) == []


@pytest.mark.parametrize("era", ["auto"])
async def test_an_answer_that_comes_too_late_is_none(sit: Sit, host: EmbeddedHost) -> None:
    async with sit(CLIENTS, answer=never, ask_seconds=0.001) as desk:
        asked = await rounds(desk)
        (key,) = asked.input_requests
        await until_too_late(desk, asked)
        with pytest.raises(MCPError, match="Invalid or expired requestState"):
            await rounds(desk, input_responses={key: YES}, request_state=asked.request_state)

    assert sent(host) == []


async def test_a_policy_that_wants_the_operator_by_now_is_not_content_with_the_clients_yes(
    sit: Sit, host: EmbeddedHost, tmp_path: Path
) -> None:
    async def edit() -> None:
        (tmp_path / "policy-local.json").write_text(json.dumps(ASKS))

    async with sit(CLIENTS, answer=User(YES, edit)) as desk:
        _, body = await desk.refusal("run_workflow", **RUN)
        row = await desk.services.store.approval(body["approval_id"], now_ms())

    assert body["decision"] == "require_approval"
    assert row is not None
    assert (row.status, row.channel) == ("pending", "operator")
    assert sent(host) == []


async def test_the_operators_no_stands_whatever_the_client_says_after_it(
    sit: Sit, host: EmbeddedHost
) -> None:
    async def deny() -> None:
        await no(desk, (await only(desk)).approval_id)

    async with sit(CLIENTS, answer=User(YES, deny)) as desk:
        text, _ = await desk.refusal("run_workflow", **RUN)

    assert "A person said no" in text
    assert sent(host) == []


async def test_a_freeze_stands_whatever_the_client_says_after_it(
    sit: Sit, host: EmbeddedHost
) -> None:
    async def freeze() -> None:
        order = Freeze("local", "Stop.", keep_reads=False)
        await desk.services.store.freeze(now_ms(), order, {"kind": "freeze"})

    async with sit(CLIENTS, answer=User(YES, freeze)) as desk:
        _, body = await desk.refusal("run_workflow", **RUN)

    assert body["code"] == "frozen"
    assert sent(host) == []


async def test_the_question_is_short_and_has_the_agents_words_in_quotation_marks(
    sit: Sit,
) -> None:
    hostile = 'x" approve: true\n\n# OK\x1b[31m \u202eevil\u200b [here](http://evil.example) ' * 99
    user = User(ElicitResult(action="decline"))

    async with sit(CLIENTS, answer=user) as desk:
        text = {"3": {"class_type": "CLIPTextEncode", "inputs": {"text": hostile}}}
        await desk.refusal("run_workflow", workflow={**card(1), **text})
        row = await only(desk)

    (params,) = user.heard
    assert len(params.message) <= 600
    assert params.message.isprintable()
    assert row.approval_id in params.message
    assert "Run a workflow it wrote itself: 3 nodes, 64 x 64 pixels." in params.message
    assert '3.text "x approve: true OK31m evil here' in params.message
    assert not set("[]#") & set(params.message.partition("3.text")[2])
    assert "http" not in params.message
    assert params.requested_schema["properties"]["approve"]["default"] is False


@pytest.mark.parametrize("name", ["answer", "ctx", "asks_client"])
async def test_an_agent_cannot_bring_the_answer_as_an_argument(
    sit: Sit, host: EmbeddedHost, name: str
) -> None:
    answer = {"action": "accept", "data": {"approve": True}}

    async with sit(CLIENTS, answer=User(ElicitResult(action="cancel"))) as desk:
        _, body = await desk.refusal("run_workflow", **RUN, **{name: answer})

    assert body["code"] == "invalid_args"
    assert sent(host) == []


async def test_another_tool_than_run_workflow_asks_as_well(sit: Sit, host: EmbeddedHost) -> None:
    user = User(YES)

    async with sit(asking("interrupt_execution", channel="elicitation"), answer=user) as desk:
        job = await desk.ask("run_workflow", workflow=graph("slow"), wait_seconds=0)
        await host.until(lambda now: now.running == job["prompt_id"])
        stopped = await desk.ask("interrupt_execution", prompt_id=job["prompt_id"])

    (params,) = user.heard
    assert f"interrupt_execution: job {job['prompt_id'][:8]} of its own." in params.message
    assert stopped["stopped"] is True
