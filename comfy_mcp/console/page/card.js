// One request that waits: everything to decide it by, and the buttons.

import { el, fill, said, show, write } from "./dom.js";
import { canChange, editor } from "./edit.js";
import { rules, story } from "./parts.js";
import { post } from "./server.js";
import { figures, headline, sentence, warnings } from "./telling.js";
import { ago, clock, many } from "./words.js";

const SOON_S = 120;

/** How a request ended: its words, and how they look. */
export const OUTCOMES = {
  approved: ["Approved", "yes"],
  spent: ["Approved, used", "yes"],
  denied: ["Denied", "no"],
  cancelled: ["Taken back", "off"],
  expired: ["Expired", "off"],
};

/**
 * {element, update(approval), tick(), allow()}. `desk` gives now(), queue(), open(pictures, index),
 * mayDecide(), and hears deciding(approval), then decided(approval) or undecided(approval), and
 * learned(approval).
 */
export function card(approval, desk) {
  const face = faceOf(approval);
  const state = { approval, form: null, busy: false, drawn: "" };

  face.approve.addEventListener("click", (event) => single(event) && decide("approve"));
  face.deny.addEventListener("click", (event) => single(event) && decide("deny"));
  face.edit.addEventListener("click", () => (state.form ? close() : change()));

  function change() {
    state.form = editor(state.approval, allow);
    drawBody();
    write(face.edit, "Leave as asked");
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

  function drawBody() {
    const { words, values, rest, targets, inputs, models, nodes } = story(
      state.approval,
      desk.open,
    );
    const middle = state.form ? state.form.element : [words, values, rest];
    const side = [inputs, models, nodes].filter(Boolean);
    const main = [targets, middle].flat().filter(Boolean);
    fill(
      face.body,
      main.length ? el("div", { class: "card-main" }, main) : null,
      side.length ? el("div", { class: "card-side" }, side) : null,
    );
    show(face.body, main.length + side.length > 0);
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
      const path = `api/approvals/${encodeURIComponent(state.approval.approval_id)}/${what}`;
      finish(await post(path, what === "approve" ? { reason, changes } : { reason }));
    } catch (refusal) {
      fail(refusal);
    }
  }

  function finish(answer) {
    state.busy = false;
    write(face.outcome, answer.message);
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

  const ready = () =>
    !state.busy && state.approval.status === "pending" && left() > 0 && desk.mayDecide();

  const left = () => (state.approval.expires_ms - desk.now()) / 1000;

  /** Whether the buttons work now, and what the first one says. */
  function allow() {
    const off = String(!ready());
    face.approve.setAttribute("aria-disabled", off);
    face.deny.setAttribute("aria-disabled", off);
    const changed = state.form?.count() ?? 0;
    const words = state.form ? "Approve as asked" : "Approve";
    write(face.approve, changed ? `Approve with ${many(changed, "change")}` : words);
  }

  function update(next) {
    state.approval = next;
    const pending = next.status === "pending";
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
    drawFigures(face.numbers, figures(next, pending ? desk.queue() : null));
    tick();
    allow();
  }

  function tick() {
    const seconds = left();
    const pending = state.approval.status === "pending";
    write(face.time, pending ? (seconds > 0 ? `${clock(seconds)} left` : "time is up") : "");
    face.time.classList.toggle("soon", seconds < SOON_S);
    write(face.asked, `asked ${ago(state.approval.created_ms, desk.now())}`);
  }

  return { element: face.element, update, tick, allow };
}

/** A second click of a double click was meant for what stood there before. */
const single = (event) => event.detail <= 1;

/** Equal for equal values; numbers of any size. */
export const stamped = (value) =>
  JSON.stringify(value, (_, one) => (typeof one === "bigint" ? String(one) : one));

/** The elements of a card. */
function faceOf(approval) {
  const titleId = `ask-${approval.approval_id}`;
  const button = (does, kind, words) =>
    el(
      "button",
      { type: "button", class: kind, "data-does": does, "aria-describedby": titleId },
      words,
    );
  const face = {
    time: el("p", { class: "left" }),
    asked: el("span", { class: "fine" }),
    title: el("h3", { id: titleId, class: "ask-title", tabIndex: -1 }, headline(approval)),
    numbers: el("dl", { class: "figures" }),
    body: el("div", { class: "card-body" }),
    problem: el("p", { class: "error", role: "alert", hidden: true }),
    outcome: el("p", { class: "outcome", role: "status", hidden: true }),
    reason: el("input", { type: "text", maxLength: 500, autocomplete: "off" }),
    approve: button("approve", "primary", "Approve"),
    deny: button("deny", "", "Deny"),
    edit: show(button("edit", "quiet", "Edit"), canChange(approval)),
  };
  // A key that is held down repeats: it must not decide what comes under it.
  for (const one of [face.approve, face.deny])
    one.addEventListener("keydown", (event) => event.repeat && event.preventDefault());
  face.actions = el(
    "div",
    { class: "actions" },
    el(
      "label",
      { class: "reason" },
      el("span", {}, "Words for the agent, if you like"),
      face.reason,
    ),
    el("div", { class: "buttons" }, face.approve, face.deny, face.edit),
  );
  const words = sentence(approval);
  face.element = el(
    "article",
    { class: "card", "aria-labelledby": titleId, "data-id": approval.approval_id },
    el("header", { class: "card-head" }, who(approval, face.asked), face.time),
    face.title,
    words ? el("p", { class: "ask-words" }, words) : null,
    warned(approval),
    rules(approval),
    face.numbers,
    face.body,
    face.problem,
    face.outcome,
    face.actions,
  );
  return face;
}

function who(approval, asked) {
  const { client, facts = {} } = approval;
  return el(
    "div",
    { class: "who" },
    el("strong", {}, said(approval.grant)),
    client ? el("span", { class: "fine" }, "calls itself ", said(client)) : null,
    asked,
    facts.urgency ? el("span", { class: "chip" }, "says urgency is ", said(facts.urgency)) : null,
  );
}

/** What speaks against a quick yes. */
export function warned(approval) {
  const found = warnings(approval);
  return found.length
    ? el(
        "ul",
        { class: "warned" },
        found.map((one) => el("li", {}, one)),
      )
    : null;
}

function drawFigures(list, found) {
  const signature = stamped(found);
  if (list.dataset.signature === signature) return;
  list.dataset.signature = signature;
  const cell = ({ label, value, note }) =>
    el(
      "div",
      {},
      el("dt", {}, label),
      el("dd", {}, el("span", { class: "big" }, value), el("span", { class: "fine" }, note)),
    );
  show(fill(list, found.map(cell)), found.length > 0);
}
