"""The page's own files, read: nothing from elsewhere, nothing that could turn words into markup."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent.parent / "comfy_mcp" / "console" / "page"
SCRIPTS = sorted(PAGE.glob("*.js"))
STYLES = sorted(PAGE.glob("*.css"))
HTML = (PAGE / "index.html").read_text(encoding="utf-8")

MAKES_MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|\bFunction\(|srcdoc"
    r"|createContextualFragment|DOMParser|setHTML|setAttribute\(\s*[\"']on"
)

ELSEWHERE = re.compile(r"https?:|\bdata:|\bblob:|(?<![:\w])//[a-z]|@import|url\(")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_can_turn_words_into_markup_or_code(script: Path) -> None:
    assert MAKES_MARKUP.findall(script.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("file", [*SCRIPTS, *STYLES], ids=lambda path: path.name)
def test_no_file_takes_anything_from_elsewhere(file: Path) -> None:
    assert ELSEWHERE.findall(file.read_text(encoding="utf-8")) == []


def test_the_document_has_no_script_style_or_handler_of_its_own() -> None:
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|//", HTML) == []


def test_every_file_that_is_named_is_there_and_every_one_there_is_used() -> None:
    named = set(re.findall(r'(?:src|href)="([a-z-]+\.(?:js|css|svg))"', HTML))
    for script in SCRIPTS:
        named |= set(re.findall(r'from "\./([a-z-]+\.js)"', script.read_text(encoding="utf-8")))

    assert named == {path.name for path in PAGE.iterdir()} - {"index.html"}


def test_every_element_that_a_script_looks_for_by_id_is_in_the_document() -> None:
    ids = set(re.findall(r'\bid="([^"]+)"', HTML))
    text = "".join(script.read_text(encoding="utf-8") for script in SCRIPTS)

    assert set(re.findall(r'\bat\("([a-z-]+)"\)', text)) - ids == set()


@pytest.mark.parametrize("file", [*SCRIPTS, *STYLES], ids=lambda path: path.name)
def test_a_file_of_the_page_says_what_it_is_for_and_is_short(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()

    assert lines[0].startswith(("// ", "/* "))
    assert len(lines) <= (600 if file.suffix == ".css" else 400)
