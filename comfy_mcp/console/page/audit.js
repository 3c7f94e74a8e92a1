// The audit trail, newest first, with a filter.

import { at, el, fill, said, show, write } from "./dom.js";
import { get } from "./server.js";
import { shortStamp, stamp } from "./words.js";

const PAGE = 40;
const PAUSE_MS = 250;
const SOON_MS = 1_000; // what is older when it comes into sight is asked for anew
const FRESH_MS = 5_000; // what is older while it is in sight
const FILTERS = ["q", "grant", "tool", "code"];

/** The section. `start()` loads it; `tick()`, each second, keeps it fresh while it is in sight. */
export function audit(desk) {
  let rows = [];
  let next = null;
  let asked = 0;
  let timer = 0;
  let seen = false;
  let loaded = 0;
  let drawn = "";

  at("audit-filter").addEventListener("submit", (event) => event.preventDefault());
  at("audit-filter").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(load, PAUSE_MS);
  });
  at("audit-more").addEventListener("click", () => load(next));
  new IntersectionObserver((entries) => {
    seen = entries.at(-1).isIntersecting;
    refresh(SOON_MS);
  }).observe(at("audit"));

  async function load(before) {
    const mine = ++asked;
    const older = typeof before === "number";
    const query = new URLSearchParams({ count: String(PAGE) });
    for (const name of FILTERS) {
      const value = at(`audit-${name}`).value.trim();
      if (value) query.set(name, value);
    }
    if (older) query.set("before", String(before));
    loaded = performance.now();
    try {
      const found = await get(`api/audit?${query}`);
      if (mine !== asked) return;
      rows = older ? [...rows, ...found.rows] : found.rows;
      next = found.next ?? null;
      show(at("audit-error"), false);
      if (!isDrawn(query)) draw(older);
    } catch (refusal) {
      if (mine !== asked) return;
      write(at("audit-error"), `${refusal.message} ${refusal.fix}`.trim());
      show(at("audit-error"), true);
    }
  }

  function draw(older) {
    const from = older ? at("audit-rows").childElementCount : 0;
    const made = rows.slice(from).map((row) => line(row, desk.now()));
    if (older) at("audit-rows").append(...made);
    else fill(at("audit-rows"), made);
    const filtered = FILTERS.some((name) => at(`audit-${name}`).value.trim());
    show(at("audit-table"), rows.length > 0);
    show(at("audit-none"), rows.length === 0 && next === null);
    write(at("audit-none"), filtered ? "No row has all of that." : "No entries yet.");
    show(at("audit-more"), next !== null);
    write(at("audit-more"), rows.length < PAGE ? "Look further back" : "Show older rows");
    suggest();
  }

  /** The same rows are not drawn twice: whoever marks a text in them keeps it. */
  function isDrawn(query) {
    const signature = `${query} ${rows.map((row) => row.seq)} ${next}`;
    const same = signature === drawn;
    drawn = signature;
    return same;
  }

  /** Names that were seen are offered in the filter. */
  function suggest() {
    const names = { grants: new Set(desk.grants()), tools: new Set(), codes: new Set() };
    for (const { record } of rows) {
      if (record.grant) names.grants.add(record.grant);
      if (record.tool) names.tools.add(record.tool);
      if (record.code) names.codes.add(record.code);
    }
    for (const [list, found] of Object.entries(names)) {
      fill(
        at(`known-${list}`),
        [...found].sort().map((value) => el("option", { value })),
      );
    }
  }

  /** Look again after *ms*, unless somebody is in the middle of it. */
  function refresh(ms) {
    const untouched = rows.length <= PAGE && !at("audit").contains(document.activeElement);
    if (seen && untouched && !document.hidden && performance.now() - loaded > ms) load();
  }

  return { start: () => load(), tick: () => refresh(FRESH_MS) };
}

function line({ seq, at_ms: atMs, record }, nowMs) {
  const [words, tone] = outcome(record);
  return el(
    "tr",
    {},
    el(
      "td",
      { class: "t-when" },
      el("time", { title: `Row ${seq}, ${stamp(atMs)}` }, shortStamp(atMs, nowMs)),
    ),
    el("td", { class: "t-who" }, said(record.grant === "*" ? "everybody" : (record.grant ?? ""))),
    el(
      "td",
      { class: "t-what" },
      said(what(record)),
      record.workflow ? [" ", el("span", { class: "fine" }, said(record.workflow))] : null,
    ),
    el("td", { class: "t-outcome" }, el("span", { class: "chip", "data-tone": tone }, said(words))),
    el("td", { class: "t-why" }, why(record)),
  );
}

const what = (record) => record.tool || record.action || record.counter || record.kind || "";

const TONES = {
  allow: "yes",
  approved: "yes",
  completed: "yes",
  accepted: "yes",
  deny: "no",
  denied: "no",
  failed: "no",
  lost: "no",
  refused: "no",
  freeze: "no",
};

/** What became of it, in a word, and how that looks. */
function outcome(record) {
  const key = record.decision ?? record.outcome ?? record.status ?? record.action ?? "";
  const code = record.code && record.code !== "allowed" ? record.code : "";
  const words =
    { allow: "allowed", deny: "refused", require_approval: "asks", approval: "asks" }[key] ?? key;
  return [(code && key !== "allow" ? code : words).replaceAll("_", " "), TONES[key] ?? "off"];
}

function why(record) {
  const user = record.user ?? record.by?.user;
  const parts = [];
  const rule = record.code === "allowed" ? "" : record.rule;
  if (rule) parts.push(el("code", {}, said(rule)));
  if (user) parts.push(el("span", {}, "by ", said(user), record.reason ? ":" : ""));
  if (record.reason) parts.push(el("span", {}, said(record.reason)));
  if (record.prompt_id)
    parts.push(el("span", { class: "fine" }, "job ", said(String(record.prompt_id).slice(0, 8))));
  return parts.flatMap((part, index) => (index ? [" ", part] : [part]));
}
