"""A file that cannot be trusted or understood is refused, with every fault of every file."""

from __future__ import annotations

import json
import os
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.errors import ConfigError
from comfy_mcp.guard.catalog import TOOLS
from comfy_mcp.guard.decide import decide, listed
from comfy_mcp.guard.loading import BUILT_IN, Loaded, load, parse
from comfy_mcp.guard.question import Cap, Effect, Question
from comfy_mcp.guard.reading import MAX_BYTES

PUBLISHED = Path(__file__).parents[1] / "fixtures" / "policies"
EXAMPLE = Path(__file__).parents[2] / "policy.example.json"
POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has no such permission bits")


def write(folder: Path, name: str, document: dict[str, Any] | str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    if isinstance(document, dict):
        document = json.dumps({"version": "1", **document})
    path.write_bytes(document if isinstance(document, bytes) else document.encode())
    path.chmod(0o600)
    return path


def usable(loaded: Loaded) -> set[str]:
    policy = loaded.policy
    return {t for t in TOOLS if decide(policy, Question(t, "me")).effect is not Effect.DENY}


USUAL = set(TOOLS) - {"free_memory"}
"""What the built-in policy lists: what slows everybody's next job down, an operator has to."""


def refused(*paths: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(paths)
    return caught.value


# The built-in policy.


def test_without_a_file_the_built_in_policy_is_used_and_announced() -> None:
    loaded = load([])
    assert loaded.sources == ("built-in policy",)
    assert loaded.warnings == ()
    assert usable(loaded) == USUAL


def test_what_is_in_force_can_be_shown_as_it_was_read(tmp_path: Path) -> None:
    path = write(tmp_path, "policy.json", '{"version": "1",  "hide": ["get_job"]}')
    loaded = load([path])
    path.unlink()
    assert loaded.texts == (
        (str(path), '{"version": "1",  "hide": ["get_job"]}'),
        (BUILT_IN, EXAMPLE.read_text(encoding="utf-8")),
    )
    assert dict(loaded.texts)[BUILT_IN] not in repr(loaded)


def test_a_webhook_is_a_secret_and_stays_out_of_what_is_printed_for_debugging() -> None:
    text = '{"version": "1", "approvals": {"webhook": "https://h/secret-topic"}}'
    loaded = parse(text, "policy.json")
    assert loaded.policy.webhooks == ("https://h/secret-topic",)
    assert "secret-topic" not in repr(loaded)


def test_the_built_in_policy_is_the_shipped_example_and_names_every_tool_but_one() -> None:
    assert load([]).revision == load([EXAMPLE]).revision
    assert set(json.loads(EXAMPLE.read_text(encoding="utf-8"))["tools"]) == USUAL


@pytest.mark.parametrize(
    ("tool", "most"), [("run_workflow", 10), ("get_job", 240), ("cancel_job", 10)]
)
def test_the_built_in_policy_limits_every_class(tool: str, most: int) -> None:
    [limit] = decide(load([]).policy, Question(tool, "me")).limits
    assert (limit.most, limit.window_ms, limit.per_grant) == (most * 1_000_000, 60_000, True)


def test_the_built_in_policy_lets_four_jobs_be_unfinished() -> None:
    decision = decide(load([]).policy, Question("run_workflow", "me"))
    assert decision.slots == (Cap("/gpu/max_in_flight", 4),)


# The published policies.


@pytest.mark.parametrize(
    ("name", "tools"),
    [
        ("source-run_workflow", {"run_workflow"}),
        ("source-comfy_cancel_generation", {"cancel_job"}),
        ("source-cancel_job", USUAL - {"cancel_job"}),
        ("source-interrupt_execution", USUAL - {"interrupt_execution"}),
        ("source-cancel_interrupt", USUAL - {"cancel_approval"}),
    ],
)
def test_a_published_policy_does_what_its_page_promises(name: str, tools: set[str]) -> None:
    assert usable(load([PUBLISHED / f"{name}.json"])) == tools


def test_all_published_policies_make_one_in_any_order() -> None:
    paths = sorted(PUBLISHED.iterdir())
    loaded = [load(order) for order in permutations(paths)]
    assert {each.revision for each in loaded} == {loaded[0].revision}
    assert all(usable(each) == {"run_workflow"} for each in loaded)


def test_a_file_that_only_hides_is_laid_over_the_built_in_policy_and_says_so(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, "hide.json", {"hide": ["cancel_job"], "gpu": {"max_in_flight": 1}})
    loaded = load([path])
    assert loaded.sources == (str(path), BUILT_IN)
    assert "laid over the built-in policy" in loaded.warnings[0]
    assert not listed(loaded.policy, "cancel_job", "me", 0)
    decision = decide(loaded.policy, Question("run_workflow", "me"))
    assert decision.rule == "built-in policy#/tools/run_workflow"
    assert {cap.rule: cap.value for cap in decision.slots} == {
        "built-in policy#/gpu/max_in_flight": 4,
        "hide.json#/gpu/max_in_flight": 1,
    }


def test_files_that_only_hide_are_laid_over_it_together(tmp_path: Path) -> None:
    one = write(tmp_path, "one.json", {"hide": ["cancel_job"]})
    two = write(tmp_path, "two.json", {"hide": ["interrupt_execution"]})
    assert usable(load([one, two])) == USUAL - {"cancel_job", "interrupt_execution"}


@pytest.mark.parametrize(
    "document",
    [{"default": "deny"}, {"default": "deny", "hide": []}, {"hide": ["get_job"], "tools": {}}],
)
def test_a_file_that_says_nothing_else_allows_nothing(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    loaded = load([write(tmp_path, "policy.json", document)])
    assert usable(loaded) == set()
    assert "Nothing is allowed" in loaded.warnings[-1]
    assert len(loaded.sources) == 1


def test_a_hiding_file_beside_one_that_lists_takes_nothing_from_the_built_in(
    tmp_path: Path,
) -> None:
    hide = write(tmp_path, "hide.json", {"hide": ["cancel_job"]})
    lists = write(tmp_path, "lists.json", {"tools": {"get_job": {}, "cancel_job": {}}})
    assert usable(load([hide, lists])) == {"get_job"}


def test_a_hiding_file_that_allows_the_rest_stands_alone(tmp_path: Path) -> None:
    loaded = load([write(tmp_path, "p.json", {"default": "allow", "hide": ["cancel_job"]})])
    assert usable(loaded) == set(TOOLS) - {"cancel_job"}
    assert loaded.warnings == ()


# Files.


def test_a_missing_file_is_told_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "missing.json"
    [fault] = refused(path).faults
    assert fault.where == str(path)
    assert "no such file" in fault.cause


def test_a_folder_is_no_policy(tmp_path: Path) -> None:
    assert "not a regular file" in str(refused(tmp_path))


@POSIX
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert "not a regular file" in str(refused(path))


@POSIX
def test_a_file_that_everybody_may_change_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "open.json", {"default": "deny"})
    path.chmod(0o646)
    assert "chmod o-w" in str(refused(path))
    path.chmod(0o664)
    load([path])


@POSIX
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, "closed.json", {"default": "deny"})
    path.chmod(0)
    assert "may not be read" in str(refused(path))


def test_a_path_that_no_file_can_have_is_told() -> None:
    assert "cannot be read" in str(refused(Path("a\0b")))


def test_a_file_has_at_most_a_mebibyte(tmp_path: Path) -> None:
    text = '{"version": "1"'
    whole = text + " " * (MAX_BYTES - len(text) - 1) + "}"
    load([write(tmp_path, "fits.json", whole)])
    assert "more than 1048576 bytes" in str(refused(write(tmp_path, "long.json", whole + " ")))


def test_a_file_is_utf_8_with_or_without_a_mark(tmp_path: Path) -> None:
    assert load([write(tmp_path, "mark.json", b'\xef\xbb\xbf{"version": "1"}')])
    latin = write(tmp_path, "latin.json", '{"version": "1", "description": "ü"}'.encode("latin-1"))
    assert "not UTF-8 (byte 33)" in str(refused(latin))


def test_text_that_is_no_json_is_told_with_line_and_column(tmp_path: Path) -> None:
    assert "(line 2, column 1)" in str(refused(write(tmp_path, "p.json", "{\n,}")))


# Several files.


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    one = write(tmp_path, "one.json", {"tols": {}, "default": "no"})
    two = write(tmp_path, "two.json", {"hide": [1]})
    missing = tmp_path / "missing.json"
    error = refused(one, two, missing)
    assert {fault.where for fault in error.faults} == {
        "one.json#/tols",
        "one.json#/default",
        "two.json#/hide/0",
        str(missing),
    }
    for fault in error.faults:
        assert str(fault) in str(error)


def test_faults_of_the_whole_are_told_together_with_those_of_the_shape(tmp_path: Path) -> None:
    path = write(tmp_path, "p.json", {"default": "allow", "hide": ["cancle_job"], "tols": {}})
    assert [fault.where for fault in refused(path).faults] == ["/tols", "/hide/0"]


def test_a_half_understood_limit_is_not_said_to_be_at_odds(tmp_path: Path) -> None:
    limits = [
        {"counter": "c", "window": 60, "max": 1, "algorithm": "fixed"},
        {"counter": "c", "window": 60, "max": 1, "algorithm": "fxed"},
    ]
    path = write(tmp_path, "p.json", {"all_tools": {"limits": limits}})
    assert [fault.where for fault in refused(path).faults] == ["/all_tools/limits/1/algorithm"]


def test_pointers_name_the_file_only_among_several(tmp_path: Path) -> None:
    one = write(tmp_path, "one.json", {"tools": {"get_job": {}}})
    two = write(tmp_path, "two.json", {"default": "allow"})
    question = Question("get_job", "me")
    assert decide(load([one]).policy, question).rule == "/tools/get_job"
    assert decide(load([one, two]).policy, question).rule == "one.json#/tools/get_job"


def test_files_with_the_same_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    one = write(tmp_path / "a", "policy.json", {"tools": {"get_job": {}}})
    two = write(tmp_path / "b", "policy.json", {"tools": {"view_output": {}}})
    loaded = load([one, two])
    assert decide(loaded.policy, Question("get_job", "me")).rule == f"{one}#/tools/get_job"
    assert decide(loaded.policy, Question("view_output", "me")).rule == f"{two}#/tools/view_output"


# The revision.


def test_the_revision_follows_the_content_and_nothing_else(tmp_path: Path) -> None:
    one = write(tmp_path, "one.json", '{"version": "1", "default": "deny"}')
    same = write(tmp_path, "same.json", '{ "default":"deny",\n"version":"1" }')
    other = write(tmp_path, "other.json", '{"version": "1", "default": "allow"}')
    assert load([one]).revision == load([same]).revision
    assert load([one]).revision != load([other]).revision
    assert load([one, other]).revision == load([other, same]).revision
    assert load([one]).revision.startswith("sha256:")
    assert len(load([one]).revision) == len("sha256:") + 64


def revision(value: str) -> str:
    condition = f'{{"path": "args.x", "op": "eq", "value": {value}}}'
    return parse(f'{{"version": "1", "all_tools": {{"require": [{condition}]}}}}', "p").revision


def test_the_revision_tells_a_number_from_its_text() -> None:
    assert revision("1") != revision('"1"')
    assert revision("1.5") != revision('"1.5"')
    assert revision("true") != revision('"true"')
    assert revision("1.5") == revision(" 1.5")


def test_the_revision_of_a_very_long_number_is_no_crash() -> None:
    assert revision("9" * 10_000) != revision("9" * 9_999)


# Grants.


def test_pointers_into_grants_name_the_file_among_several(tmp_path: Path) -> None:
    one = write(tmp_path, "one.json", {"tools": {"get_job": {}}})
    two = write(tmp_path, "two.json", {"default": "allow", "grants": {"ann": {"hide": ["*"]}}})
    [grant] = load([one, two]).policy.grants
    assert grant.where == "two.json#/grants/ann"
    assert grant.layer.hide[0].where == "two.json#/grants/ann/hide/0"


def test_a_grant_that_names_a_caller_twice_over_is_told_across_files(tmp_path: Path) -> None:
    one = write(tmp_path, "one.json", {"grants": {"ann": {}}})
    two = write(tmp_path, "two.json", {"grants": {"bob": {"match": {"stdio": "ann"}}}})
    [fault] = refused(one, two).faults
    assert fault.where == "two.json#/grants/bob"


def test_whether_a_grant_is_over_is_asked_of_the_clock_or_of_the_caller(tmp_path: Path) -> None:
    over = {"expires_at": "1970-01-01T00:00:05Z"}
    path = write(tmp_path, "p.json", {"tools": {"get_job": {}}, "grants": {"ann": over, "bob": {}}})
    text = path.read_text(encoding="utf-8")
    assert load([path], now_ms=4999).warnings == ()
    for loaded in (load([path]), load([path], now_ms=5000), parse(text, "p", now_ms=5000)):
        assert "has expired" in loaded.warnings[0]


# A text without a file.


def test_a_text_is_judged_as_the_only_file() -> None:
    loaded = parse('{"version": "1", "tools": {"run_workflow": {}}}', "draft.json")
    assert loaded.sources == ("draft.json",)
    assert "get_job is not" in loaded.warnings[0]
    with pytest.raises(ConfigError, match=r"draft\.json"):
        parse("{}", "draft.json")
