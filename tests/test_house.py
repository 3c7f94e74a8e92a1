"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "comfy_mcp"
MODULES = sorted(PACKAGE.rglob("*.py"))
NAMES = [str(path.relative_to(PACKAGE)) for path in MODULES]


@pytest.fixture(params=MODULES, ids=NAMES)
def module(request: pytest.FixtureRequest) -> tuple[Path, ast.Module]:
    """One module of the package, parsed."""
    return request.param, ast.parse(request.param.read_text())


def calls(tree: ast.AST) -> list[str]:
    """Names of what a module calls."""
    return [
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]


def test_a_module_says_what_it_is_for_and_what_it_offers(module: tuple[Path, ast.Module]) -> None:
    _, tree = module

    assert ast.get_docstring(tree)
    if any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body):
        assigned = [
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        ]
        assert "__all__" in assigned


def test_a_file_is_short_enough_to_hold_one_thing(module: tuple[Path, ast.Module]) -> None:
    path, _ = module

    assert len(path.read_text().splitlines()) <= 400


def test_a_function_is_short_enough_to_be_read(module: tuple[Path, ast.Module]) -> None:
    _, tree = module
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert [
        node.name
        for node in functions
        if node.end_lineno is not None and node.end_lineno - node.lineno > 60
    ] == []


def test_only_the_command_line_prints(module: tuple[Path, ast.Module]) -> None:
    path, tree = module

    assert "print" not in calls(tree) or path.parent.name == "cli"


def test_only_one_place_makes_permits(module: tuple[Path, ast.Module]) -> None:
    path, tree = module
    made = {"SubmitPermit", "StopPermit"} & set(calls(tree))

    assert not made or path == PACKAGE / "guard" / "granting.py"


SPEAKERS = frozenset({"host", "embedded", "routes", "notify"})
"""Rooms that open connections: to ComfyUI, as ComfyUI, and to webhooks."""


def test_only_the_host_speaks_to_comfyui(module: tuple[Path, ast.Module]) -> None:
    path, tree = module
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (node.module or "").partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not is_a_web_server(node)
    }

    clients = {"aiohttp", "websockets", "httpx", "httpx2", "requests", "urllib3"}
    assert not imported & clients or path.parent.name in SPEAKERS


def is_a_web_server(node: ast.ImportFrom) -> bool:
    """Only what serves is imported: the console opens no connection by itself."""
    return node.module == "aiohttp" and [alias.name for alias in node.names] == ["web"]


@pytest.mark.parametrize(
    "file", sorted((PACKAGE / "console" / "page").iterdir()), ids=lambda file: file.name
)
def test_the_page_makes_no_markup_of_others_words_and_needs_no_other_place(file: Path) -> None:
    text = file.read_text(encoding="utf-8")

    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    elsewhere = r"https?://(?!www\.w3\.org/|127\.0\.0\.1)"
    assert not re.search(f"{forbidden}|{elsewhere}", text)
