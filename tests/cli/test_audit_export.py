"""An export is the log as JSON lines, and its last hash proves it later, without any state."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.cli import run
from comfy_mcp.cli.proof import check_lines, head_of
from comfy_mcp.oversight.trail import STRETCH, line
from comfy_mcp.store.chain import GENESIS, canonical, link
from comfy_mcp.store.protocol import AuditRow
from tests.cli.states import decision, edited, written

Rows = list[dict[str, object]]

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def export(state: Path, *words: str) -> int:
    return run(["audit", "export", "--state", str(state), *words])


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state with five rows."""
    return written(tmp_path / "s", *(decision(number=number) for number in range(1, 6)))


def test_every_row_is_a_line_and_the_head_is_told(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(state) == 0

    told = capsys.readouterr()
    rows = [json.loads(line) for line in told.out.splitlines()]
    assert [row["seq"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[2]["record"] == decision(number=3)
    assert told.err == f"head 5:{rows[-1]['hash']}\n"


def test_an_export_can_go_on_where_another_ended(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = tmp_path / "more.jsonl"

    assert export(state, "--after", "3", "--output", str(more)) == 0
    assert export(state) == 0

    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [json.loads(line)["seq"] for line in more.read_text().splitlines()] == [4, 5]
    head = f"3:{rows[2]['hash']}"
    assert run(["audit", "verify", str(more), "--head", head]) == 0
    other = f"3:{rows[1]['hash']}"
    assert run(["audit", "verify", str(more), "--head", other]) == 1


def test_a_file_is_private_and_never_overwritten(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "audit.jsonl"

    assert export(state, "--output", str(file)) == 0
    before = file.read_text()
    assert export(state, "--output", str(file)) == 2

    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text() == before
    assert "is not overwritten" in capsys.readouterr().err


def test_a_log_longer_than_one_stretch_is_exported_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = written(tmp_path / "s", *(decision(number=n) for n in range(2 * STRETCH + 1)))

    assert export(state) == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * STRETCH + 1
    assert check_lines(lines).fault is None


def test_nothing_new_is_no_fault(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(state, "--after", "5") == 0

    told = capsys.readouterr()
    assert told.out == ""
    assert "no head" in told.err


@pytest.mark.parametrize(("seq", "after"), [(3, 0), (1, 0), (4, 3)])
def test_a_changed_log_is_exported_and_told(
    seq: int, after: int, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(state, f"UPDATE audit SET record = '{{}}' WHERE seq = {seq}")  # noqa: S608 - a number

    assert export(state, "--after", str(after)) == 1

    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 5 - after
    assert f"row {seq} was changed" in told.err
    assert "head" not in told.err


def test_a_row_that_was_dropped_right_after_the_start_is_told(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(state, "DELETE FROM audit WHERE seq = 4")

    assert export(state, "--after", "3") == 1
    assert "row 4 is missing" in capsys.readouterr().err


@given(
    st.lists(st.dictionaries(st.text(max_size=9), JSON, max_size=4), min_size=1, max_size=6),
    st.data(),
)
def test_any_log_proves_itself_and_nothing_else(
    records: list[dict[str, object]], data: st.DataObject
) -> None:
    rows: list[AuditRow] = []
    for seq, record in enumerate(records, 1):
        previous = rows[-1].hash if rows else GENESIS
        hashed = link(previous, seq, 1_000 + seq, canonical(record))
        rows.append(AuditRow(seq, 1_000 + seq, previous, hashed, record))
    lines = [line(row) for row in rows]
    place = data.draw(st.integers(0, len(rows) - 1))
    forged = [*lines]
    forged[place] = line(replace(rows[place], record={"forged": len(records)}))

    found = check_lines(lines)

    assert (found.first, found.last, found.fault) == (1, len(rows), None)
    assert check_lines(lines, (rows[place].seq, rows[place].hash)).fault is None
    assert check_lines(forged).fault is not None


def drop(rows: Rows) -> None:
    del rows[2]


def swap(rows: Rows) -> None:
    rows[1], rows[2] = rows[2], rows[1]


def edit(rows: Rows) -> None:
    rows[2]["record"] = {"decision": "allow"}


def backdate(rows: Rows) -> None:
    rows[2]["at_ms"] = 1


def renumber(rows: Rows) -> None:
    rows[0]["seq"] = 2


def graft(rows: Rows) -> None:
    rows[0]["previous"] = "f" * 64


@pytest.mark.parametrize("change", [drop, swap, edit, backdate, renumber, graft])
def test_every_change_of_an_export_is_found(
    change: Callable[[Rows], None],
    state: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    export(state)
    rows: Rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    file = tmp_path / "audit.jsonl"

    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(["audit", "verify", str(file)]) == 0
    change(rows)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(["audit", "verify", str(file)]) == 1
    assert "The audit log was changed: row" in capsys.readouterr().out


def test_a_dropped_tail_shows_against_a_kept_head(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(state)
    told = capsys.readouterr()
    head = told.err.split()[1]
    file = tmp_path / "audit.jsonl"
    file.write_text("".join(told.out.splitlines(keepends=True)[:4]))

    assert run(["audit", "verify", str(file)]) == 0
    assert run(["audit", "verify", str(file), "--head", head]) == 1
    assert "row 5, whose hash was kept, is not in it" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line",
    ["", "[]", "{}", '{"seq": 1}', "\udc80", "[" * 100_000, '{"seq": true, "at_ms": 0}'],
    ids=["empty", "list", "object", "part", "bytes", "deep", "bool"],
)
def test_a_line_that_is_no_row_is_told_by_its_number(line: str) -> None:
    assert check_lines([line]).fault == "line 1 is no row of an audit log"


@pytest.mark.parametrize("text", ["", "5", "5:xyz", f"-1:{'0' * 64}", f"5:{'0' * 63}"])
def test_a_head_that_is_none_is_misuse(text: str) -> None:
    with pytest.raises(ValueError, match="SEQ:HASH"):
        head_of(text)
    assert run(["audit", "verify", "--head", text]) == 2


def test_a_head_may_be_pasted_as_it_was_printed() -> None:
    assert head_of(f"head 5:{'0' * 64}\n") == (5, "0" * 64)
