"""What a person has to be asked: all rules that want it, as one request, the strictest way."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from comfy_mcp.guard.approvals import UNSAID, strictest
from comfy_mcp.guard.decide import decide
from comfy_mcp.guard.policy import Policy
from comfy_mcp.guard.question import Asking, Effect, Question, Run
from comfy_mcp.workflow.facts import Facts
from tests.guard.questions import ALLOWED, ask, policy, question, unknown

HOUR_MS = 3_600_000
LARGE = {"path": "graph.megapixels", "op": "gt", "value": 2}
LONG = {"path": "graph.steps", "op": "gt", "value": 30}


def asking(*documents: dict[str, Any], tool: str = "get_job", **keys: Any) -> Asking:
    """What a person is asked about a call under files of this content."""
    found = decide(policy(*documents), question(tool, **keys)).asking
    assert found is not None
    return found


def test_who_is_asked_and_for_how_long_where_nothing_is_said() -> None:
    found = asking({"tools": {"get_job": {"require_approval": True}}})
    words = "A person has to approve get_job first."
    assert found == Asking("operator", HOUR_MS, {"/tools/get_job/require_approval": words})


def test_nobody_is_asked_about_what_is_allowed_or_denied() -> None:
    assert ask(ALLOWED, "get_job").asking is None
    assert ask({"classes": {"read": {"require_approval": True}}}, "get_job").asking is None


def test_a_rule_says_more_than_its_file() -> None:
    document = {
        "approvals": {"channel": "operator", "expires": 60},
        "tools": {"get_job": {"require_approval": {"channel": "elicitation", "expires": 7200}}},
    }
    found = asking(document)
    assert (found.channel, found.lives_ms) == ("elicitation", 7_200_000)


def test_a_file_says_how_its_rules_ask() -> None:
    document = {
        "approvals": {"channel": "any", "expires": 90},
        "tools": {"get_job": {"action": "require_approval", "reason": "Look."}},
    }
    assert asking(document) == Asking("any", 90_000, {"/tools/get_job/action": "Look."})


def test_all_that_ask_are_told_and_the_first_of_them_decides() -> None:
    document = {
        "tools": {"run_workflow": {"require_approval": {"when": [LARGE], "reason": "Large."}}},
        "classes": {"execute": {"require_approval": {"when": [LONG], "reason": "Long."}}},
        "all_tools": {"action": "require_approval", "reason": "Everything."},
        "gpu": {"api_nodes": "approve", "queue_jump": "approve", "undetermined": "approve"},
    }
    facts = Facts(
        megapixels=3.0, api_nodes={"Dear": "7", "Dearer": "8"}, undetermined=unknown("steps")
    )
    run = Run(facts, front=True)
    decision = ask(document, "run_workflow", run=run)
    assert (decision.rule, decision.reason) == ("/tools/run_workflow/require_approval", "Large.")
    assert decision.asking is not None
    assert list(decision.asking.reasons) == [
        "/tools/run_workflow/require_approval",
        "/classes/execute/require_approval",
        "/all_tools/action",
        "/gpu/api_nodes",
        "/gpu/queue_jump",
    ]
    assert decision.asking.reasons["/gpu/api_nodes"].startswith("A person has to approve node 7")


def test_every_rule_that_waits_for_what_nobody_can_tell_is_told() -> None:
    gpu = {"max_steps": 9, "max_width": 64, "undetermined": "approve"}
    run = Run(Facts(undetermined=unknown("steps", "width")))
    found = asking({**ALLOWED, "gpu": gpu}, tool="run_workflow", run=run)
    assert set(found.reasons) == {"/gpu/max_steps", "/gpu/max_width"}


def test_what_does_not_hold_is_not_asked() -> None:
    rules = {"run_workflow": {"require_approval": {"when": [LARGE], "channel": "operator"}}}
    document = {
        "approvals": {"channel": "elicitation"},
        "tools": rules,
        "classes": {"execute": {"require_approval": {"when": [LONG]}}},
    }
    found = asking(document, tool="run_workflow", run=Run(Facts(megapixels=1.0, steps=31)))
    assert found.channel == "elicitation"
    assert list(found.reasons) == ["/classes/execute/require_approval"]


def test_what_is_not_known_yet_is_not_asked_yet() -> None:
    document = {
        "tools": {"run_workflow": {"require_approval": {"when": [LARGE]}}},
        "classes": {"execute": {"require_approval": {"channel": "elicitation"}}},
    }
    early = decide(policy(document), Question("run_workflow", "me"))
    assert early.asking is not None
    assert early.asking.channel == "elicitation"
    final = asking(document, tool="run_workflow", run=Run(Facts(megapixels=3.0)))
    assert final.channel == "operator"


@pytest.mark.parametrize("channels", [*permutations(["operator", "any", "elicitation"])])
def test_the_strictest_channel_and_the_shortest_time_of_all_count(channels: Any) -> None:
    places = ("tools", "classes", "all_tools")
    rules = [
        {"require_approval": {"channel": channel, "expires": 100 * (at + 1)}}
        for at, channel in enumerate(channels)
    ]
    entries = [{"get_job": rules[0]}, {"read": rules[1]}, rules[2]]
    found = asking(dict(zip(places, entries, strict=True)))
    assert (found.channel, found.lives_ms) == ("operator", 100_000)
    del entries[channels.index("operator")]
    weaker = [place for place in places if place != places[channels.index("operator")]]
    found = asking({**ALLOWED, **dict(zip(weaker, entries, strict=True))})
    assert found.channel == "any"


def test_the_strictest_channel_is_operator_then_any_then_elicitation() -> None:
    assert strictest(["elicitation", "any"]) == "any"
    assert strictest(["any", "operator", "elicitation"]) == "operator"
    assert strictest(["elicitation"]) == "elicitation"
    assert strictest([]) == "operator"


ASKS = {"tools": {"get_job": {"require_approval": True}}}
OPEN = {"default": "allow"}
WEAK = {"approvals": {"channel": "elicitation", "expires": 86400, "max_pending": 99, "wait_s": 50}}


@pytest.mark.parametrize("files", [*permutations([ASKS, {**OPEN, **WEAK}])])
def test_no_other_file_weakens_what_a_silent_file_asks(files: Any) -> None:
    found = policy(*files)
    assert found.approvals == UNSAID
    assert (asking(*files).channel, asking(*files).lives_ms) == ("operator", HOUR_MS)


@pytest.mark.parametrize(
    "also",
    [
        {"approvals": {"channel": "operator", "expires": 60, "max_pending": 1, "wait_s": 0}},
        {"approvals": {"expires": 60, "max_pending": 1, "wait_s": 0}, "all_tools": {}},
    ],
)
def test_what_several_files_say_holds_by_its_strictest(also: dict[str, Any]) -> None:
    found = policy({**ASKS, **WEAK}, {**OPEN, **also}).approvals
    said = also["approvals"].get("channel", "elicitation")
    assert (found.channel, found.expires_ms) == (said, 60_000)
    assert (found.most_pending, found.wait_ms) == (1, 0)


@pytest.mark.parametrize(
    "asks",
    [
        *({"gpu": {key: "approve"}} for key in ("api_nodes", "queue_jump", "undetermined")),
        {"all_tools": {"gpu": {"global_interrupt": "approve"}}},
        {"classes": {"read": {"action": "require_approval"}}},
        {"tools": {"get_job": {"require_approval": {"when": [LARGE]}}}},
        {"grants": {"ann": {"tools": {"get_job": {"require_approval": True}}}}},
        {"grants": {"ann": {"gpu": {"api_nodes": "approve"}}}},
    ],
)
def test_a_file_that_asks_in_any_way_means_the_operator_unless_it_says_otherwise(
    asks: dict[str, Any],
) -> None:
    assert policy(asks, {**OPEN, **WEAK}).approvals.channel == "operator"
    assert policy({**asks, **WEAK}, {**OPEN, **WEAK}).approvals.channel == "elicitation"


@pytest.mark.parametrize("quiet", [ALLOWED, {"gpu": {"api_nodes": "allow", "max_steps": 9}}])
def test_a_file_that_asks_nobody_says_nothing_about_asking(quiet: dict[str, Any]) -> None:
    assert policy(quiet, {**OPEN, **WEAK}).approvals.channel == "elicitation"


def test_without_files_people_are_asked_as_usual() -> None:
    assert Policy().approvals == UNSAID


def test_words_of_gpu_ask_as_the_file_says() -> None:
    document = {**ALLOWED, "gpu": {"global_interrupt": "approve"}, "approvals": {"channel": "any"}}
    keys = {"owner": "human", "whatever_runs": True}
    found = asking(document, tool="interrupt_execution", **keys)
    assert (found.channel, list(found.reasons)) == ("any", ["/gpu/global_interrupt"])


def test_a_grant_can_only_ask_more_strictly() -> None:
    base = {"tools": {"get_job": {"require_approval": {"channel": "any", "expires": 600}}}}

    def under(own: dict[str, Any]) -> Asking:
        rule = {"all_tools": {"require_approval": own}}
        return asking({**base, "grants": {"me": rule}})

    stricter, weaker = under({"channel": "operator", "expires": 60}), under({"expires": 6000})
    assert (stricter.channel, stricter.lives_ms) == ("operator", 60_000)
    assert (weaker.channel, weaker.lives_ms) == ("operator", 600_000)
    assert under({"channel": "elicitation"}).channel == "any"


def test_every_webhook_of_every_file_is_told_once_in_an_order_of_its_own() -> None:
    urls = ["https://b/x", "https://a/x", "https://b/x"]
    files = [{**OPEN, "approvals": {"webhook": url}} for url in urls]
    assert policy(*files).webhooks == ("https://a/x", "https://b/x")
    assert policy(*reversed(files)).webhooks == ("https://a/x", "https://b/x")
    assert policy(ALLOWED, {"approvals": {}}).webhooks == ()


def test_an_approval_keeps_what_the_call_takes() -> None:
    rule = {"require_approval": {"channel": "any"}, "rate_limit": "3/minute"}
    decision = ask({"tools": {"get_job": rule}}, "get_job")
    assert decision.effect is Effect.APPROVAL
    assert [limit.rule for limit in decision.limits] == ["/tools/get_job/rate_limit"]
