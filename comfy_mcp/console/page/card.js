// One request that waits: everything to decide it by, and what its buttons do.

import { faceOf, drawFigures } from "./card-face.js";
import { el, fill, show, write } from "./dom.js";
import { canChange, editor } from "./edit.js";
import { changed, story } from "./parts.js";
import { get, post } from "./server.js";
import { figures } from "./telling.js";
import { ago, clock, many } from "./words.js";

const SOON_S = 120;
const STEADY_MS = 700; // after a card came or moved, a click may be meant for what was there before

/** How a request ended: its words, and how they look. */
export const OUTCOMES = {
  approved: ["Approved", "yes"],
  spent: ["Approved, used", "yes"],
  denied: ["Denied", "no"],
  cancelled: ["Taken back", "off"],
  expired: ["Expired", "off"],
};

/** The address of one request. */
export const pathOf = (approval) => `api/approvals/${encodeURIComponent(approval.approval_id)}`;

/**
 * {element, update(approval), tick(), allow(), fold(yes), moved()}. `desk` gives now(), place(),
 * queue(), isFrozen(grant), open(pictures, index), connected(), and hears deciding(approval), then
 * decided(approval) or undecided(approval), and learned(approval).
 */
export function card(approval, desk) {
  const face = faceOf(approval, desk);
  const state = { approval, whole: null, form: null, busy: false, drawn: "", steadyAt: 0 };

  face.approve.addEventListener("click", (event) => single(event) && decide("approve"));
  face.deny.addEventListener("click", (event) => single(event) && decide("deny"));
  face.edit.addEventListener("click", () => (state.form ? close() : change()));
  face.line.addEventListener("click", () => {
    fold(false);
    state.opened = true;
    face.title.focus({ preventScroll: true });
  });

  /** The request with all that the agent wrote, uncut. */
  async function whole() {
    state.whole ??= await get(pathOf(state.approval));
    return state.whole;
  }

  async function change() {
    try {
      await whole();
    } catch (refusal) {
      fail(refusal);
      return;
    }
    if (state.approval.status !== "pending") return;
    state.form = editor(state.whole, allow);
    drawBody();
    write(face.edit, "Cancel");
    state.form.first?.focus();
    allow();
  }

  function close() {
    state.form = null;
    drawBody();
    show(face.problem, false);
    write(face.edit, "Edit");
    allow();
  }

  async function showAll() {
    try {
      await whole();
      if (state.form === null) drawBody();
    } catch (refusal) {
      fail(refusal);
    }
  }

  function drawBody() {
    const told = story(state.whole ?? state.approval, { ...desk, whole, showAll });
    const middle = state.form ? [state.form.element] : [told.words, told.values, told.rest];
    const over = state.approval.status !== "pending" ? [changed(state.approval)] : [];
    const main = [...over, told.targets, ...middle].filter(Boolean);
    const side = [told.inputs, told.models, told.nodes].filter(Boolean);
    const column = (kind, parts) => (parts.length ? el("div", { class: kind }, parts) : null);
    fill(face.body, column("card-main", main), column("card-side", side), told.graph);
    show(face.body, face.body.hasChildNodes());
  }

  async function decide(what) {
    if (!ready()) return;
    show(face.problem, false);
    try {
      const reason = face.reason.value.trim();
      const changes = what === "approve" && state.form ? state.form.changes() : {};
      state.busy = true;
      desk.deciding(state.approval);
      allow();
      const body = what === "approve" ? { reason, changes } : { reason };
      finish(await post(`${pathOf(state.approval)}/${what}`, body));
    } catch (refusal) {
      fail(refusal);
    }
  }

  function finish(answer) {
    state.busy = false;
    const waits = answer.approval?.status === "approved" && desk.isFrozen(state.approval.grant);
    const frozen = waits ? " This agent is frozen: it goes on only once you unfreeze it." : "";
    write(face.outcome, answer.message + frozen);
    face.title.focus({ preventScroll: true });
    desk.decided(answer.approval ?? state.approval);
  }

  function fail(refusal) {
    state.busy = false;
    desk.undecided(state.approval);
    write(face.problem, [refusal.message, refusal.fix].filter(Boolean).join(" "));
    show(face.problem, true);
    if (refusal.approval && refusal.approval.status !== "pending") desk.learned(refusal.approval);
    allow();
  }

  const left = () => (state.approval.expires_ms - desk.now()) / 1000;

  const ready = () =>
    !state.busy &&
    state.approval.status === "pending" &&
    left() > 0 &&
    desk.connected() &&
    performance.now() >= state.steadyAt;

  /** Whether the buttons work now, and what the first one says. */
  function allow() {
    const off = String(!ready());
    face.approve.setAttribute("aria-disabled", off);
    face.deny.setAttribute("aria-disabled", off);
    const count = state.form?.count() ?? 0;
    const words = state.form ? "Approve as asked" : "Approve";
    write(face.approve, count ? `Approve with ${many(count, "change")}` : words);
  }

  /** The card came, or it is somewhere else now: for a moment it decides nothing. */
  function moved() {
    state.steadyAt = performance.now() + STEADY_MS;
    allow();
    setTimeout(allow, STEADY_MS + 20);
  }

  function update(next) {
    const before = state.approval;
    state.approval = next;
    const pending = next.status === "pending";
    if (before.status !== next.status) state.whole = null;
    const drawn = stamped([next.status, next.agent_words, next.facts, next.rules]);
    if (drawn !== state.drawn) {
      state.drawn = drawn;
      if (!pending) state.form = null;
      if (state.form === null) drawBody();
    }
    const [words, tone] = OUTCOMES[next.status] ?? ["Waits", "off"];
    face.element.classList.toggle("over", !pending);
    face.element.dataset.tone = pending ? "" : tone;
    if (!pending && !face.outcome.textContent) write(face.outcome, `${words}.`);
    show(face.outcome, !pending);
    show(face.actions, pending);
    show(face.approve, !next.unreadable);
    show(face.edit, canChange(next) && !next.unreadable);
    drawFigures(face.numbers, figures(next, pending ? desk.queue(next) : null));
    tick();
    allow();
  }

  function tick() {
    const seconds = left();
    const pending = state.approval.status === "pending";
    const words = pending ? (seconds > 0 ? `${clock(seconds)} left` : "time is up") : "";
    for (const one of [face.time, face.lineTime]) {
      write(one, words);
      one.classList.toggle("soon", seconds < SOON_S);
    }
    write(face.asked, `asked ${ago(state.approval.created_ms, desk.now())}`);
  }

  /** One line only, until somebody opens it. */
  function fold(yes) {
    const folded = yes && !state.opened && state.form === null && !state.busy;
    show(face.line, folded);
    show(face.full, !folded);
  }

  moved();
  return { element: face.element, update, tick, allow, fold, moved };
}

/** A second click of a double click was meant for what stood there before. */
const single = (event) => event.detail <= 1;

/** Equal for equal values; numbers of any size. */
export const stamped = (value) =>
  JSON.stringify(value, (_, one) => (typeof one === "bigint" ? String(one) : one));
