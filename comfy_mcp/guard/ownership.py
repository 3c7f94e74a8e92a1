"""The steps about whose jobs and files a call touches."""

from __future__ import annotations

from comfy_mcp.guard.case import Case
from comfy_mcp.guard.catalog import OWN_JOBS_ONLY
from comfy_mcp.guard.verdict import Verdict, deny
from comfy_mcp.guard.wording import node_in_words, shown, undetermined_in_words
from comfy_mcp.guard.words import Word

__all__ = ["input_path", "interrupt_of_others", "not_owner"]


def not_owner(case: Case) -> Verdict | None:
    """The call stops, or looks into, a job that is not the caller's."""
    word = _word(case)
    if word is None or word.value in {"any", "allow", "approve"}:
        return None
    whose = "another agent" if case.question.owner == "other agent" else "a human"
    return deny(
        "not_owner",
        word.rule,
        f"This job belongs to {whose}; you may look into and stop only jobs that you started.",
    )


def interrupt_of_others(case: Case) -> Word | None:
    """What asks a person before whatever runs is interrupted, if it is not the caller's."""
    word = _word(case)
    return word if word is not None and word.value == "approve" else None


def input_path(case: Case) -> Verdict | None:
    """The graph reads a file that somebody else's job made."""
    word = case.force.words.ownership
    if case.run is None or word.value == "any":
        return None
    untold = case.run.facts.undetermined.get("job_files")
    if untold:
        # Whatever is accepted elsewhere: a file that nobody can name may be anybody's.
        return deny("undetermined", word.rule, undetermined_in_words("job_files", untold[0]))
    if not case.run.foreign:
        return None
    file = case.run.foreign[0]
    if not file.filename:
        where = node_in_words(file.node_id, file.class_type, first=True)
        return deny(
            "input_path",
            word.rule,
            f"{where} reads a file by a name that leads out of ComfyUI's input folder; give a name"
            " within it.",
        )
    name = shown(f"{file.subfolder}/{file.filename}".lstrip("/"))
    return deny(
        "input_path",
        word.rule,
        f"{node_in_words(file.node_id, file.class_type, first=True)} reads {name} [{file.type}],"
        " which no job of yours made; read only files that your own jobs made.",
    )


def _word(case: Case) -> Word | None:
    """The word that counts for a job of somebody else; None for the caller's own, or for none."""
    question = case.question
    own_only = question.reads_output or case.tool in OWN_JOBS_ONLY
    if not own_only or not question.final or question.owner in {None, "mine"}:
        return None
    words = case.force.words
    return words.global_interrupt if question.whatever_runs else words.ownership
