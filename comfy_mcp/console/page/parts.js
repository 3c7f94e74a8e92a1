// The parts of a request's story, as elements: what the agent wrote stands apart and is marked.

import { el, said } from "./dom.js";
import { addressed, parsed, written } from "./server.js";
import { jobCode } from "./telling.js";
import { bytes, jobStatus, many, number, together } from "./words.js";

const SHORT = 32; // characters of a text that may stand beside another one
const LONG = 600; // characters of a text that scrolls in a box of its own

/**
 * Everything that a card or a row of history shows below its numbers, in parts. `desk` gives
 * open(pictures, index); whole(), the request uncut; and showAll(), which draws that.
 */
export function story(approval, desk) {
  return {
    words: theirWords(approval, desk),
    values: values(approval),
    rest: leftAlone(approval),
    targets: ownTargets(approval),
    inputs: inputs(approval, desk.open),
    models: models(approval),
    nodes: nodes(approval),
    graph: graph(approval, desk),
  };
}

/** All values that the agent gave, the longest words first. */
export function itemsOf(approval) {
  const words = approval.agent_words ?? {};
  const all = ["values", "inputs", "context", "args"].flatMap((list) => words[list] ?? []);
  const weight = (item) => (isText(item) && item.text.length > SHORT ? item.text.length : 0);
  return all.sort((a, b) => weight(b) - weight(a));
}

/** The rules that want a person asked. */
export function rules(approval) {
  const list = approval.rules ?? [];
  if (!list.length) return null;
  return el(
    "ul",
    { class: "rules", "aria-label": "Why you are asked" },
    list.map((one) =>
      el(
        "li",
        {},
        el("span", {}, said(one.reason || "The policy wants a person to decide.")),
        el("code", {}, said(one.rule)),
      ),
    ),
  );
}

const isText = (item) =>
  !("value" in item) || (typeof item.value === "string" && item.value !== "");

/** Neither the agent nor a person said this: the workflow has it, or it was drawn. */
const isLeft = (item) => item.origin === "default" || item.origin === "chance";

/** A text that the agent wrote, as far as anybody knows. */
const isTheirs = (item) => isText(item) && !isLeft(item) && item.origin !== "person";

/** Texts that are shown as facts already: names of files and models, ids of jobs. */
function toldElsewhere(approval) {
  const { inputs: files = [], targets = [], graph } = approval.facts ?? {};
  const models = Object.values(graph?.models ?? {}).flat();
  const named = files.map((one) => one.name);
  return new Set([...models, ...named, ...targets.map((one) => one.prompt_id)]);
}

function theirWords(approval, { showAll }) {
  const { action, left_out: leftOut = 0 } = approval.agent_words ?? {};
  const told = toldElsewhere(approval);
  const texts = itemsOf(approval).filter((item) => isTheirs(item) && !told.has(item.text));
  if (!action && !texts.length && !leftOut) return null;
  const short = leftOut || [action, ...texts].some((item) => item?.cut);
  return el(
    "div",
    { class: "theirs", role: "group", "aria-label": "The agent's words" },
    el("p", { class: "theirs-mark" }, "The agent's words"),
    action ? quotation(null, action) : null,
    texts.map((item) => quotation(item.name, item)),
    leftOut ? el("p", { class: "fine" }, `${many(leftOut, "more value")} not shown here.`) : null,
    short && showAll
      ? el("button", { type: "button", class: "quiet", on: { click: showAll } }, "Show all")
      : null,
  );
}

function quotation(name, item) {
  const missing = [];
  if (item.cut) missing.push(`${many(item.cut, "more character")} not shown`);
  if (item.hidden) missing.push(`${many(item.hidden, "invisible character")} taken out`);
  const long = item.text.length > LONG;
  const how = { tabIndex: 0, role: "group", "aria-label": `Long text, ${name ?? "question"}` };
  const kind = [long ? "long" : "", item.json ? "plain" : ""].filter(Boolean).join(" ");
  return el(
    "figure",
    { class: item.text.length > SHORT || name === null ? "quote" : "quote short" },
    name === null ? null : el("figcaption", {}, said(name)),
    el("blockquote", long ? { class: kind, ...how } : { class: kind }, said(readable(item))),
    missing.length ? el("p", { class: "fine" }, `${together(missing)}.`) : null,
  );
}

/** A list as its items, anything else as it is. */
function readable(item) {
  const list = item.json && !item.cut ? parsed(item.text) : null;
  const flat = Array.isArray(list) && list.every((one) => one === null || typeof one !== "object");
  return flat ? list.map(inWords).join(", ") || "an empty list" : item.text;
}

function values(approval) {
  const found = itemsOf(approval).filter(
    (item) => !isLeft(item) && !isTheirs(item) && item.value !== null,
  );
  return found.length ? block("Values", listed(found)) : null;
}

function leftAlone(approval) {
  const told = toldElsewhere(approval);
  const found = itemsOf(approval).filter((item) => isLeft(item) && !told.has(item.text));
  return found.length ? block("Left to the workflow", listed(found, "values quiet")) : null;
}

const listed = (items, kind = "values") =>
  el(
    "dl",
    { class: kind },
    items.map((item) =>
      el("div", {}, el("dt", {}, said(item.name)), el("dd", {}, said(valueOf(item)))),
    ),
  );

function valueOf(item) {
  const words = "value" in item ? inWords(item.value) : item.text;
  return item.origin === "chance" ? `${words}, drawn` : words;
}

/** A value as a person reads it. */
export function inWords(value) {
  if (value === null || value === undefined) return "nothing";
  if (value === "") return "empty";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return typeof value === "string" ? value : written(value);
}

function ownTargets(approval) {
  const list = (approval.facts?.targets ?? []).filter((one) => one.owner === "mine");
  if (!list.length) return null;
  const rows = list.map((one) =>
    el("li", {}, said(one.workflow || "a job"), `, ${jobStatus(one.status ?? "")} `, jobCode(one)),
  );
  return block("The agent's own jobs that it touches", el("ul", { class: "targets" }, rows));
}

function inputs(approval, open) {
  const list = approval.facts?.inputs ?? [];
  if (!list.length) return null;
  const shown = list.map((one, index) => input(approval.approval_id, one, index, open));
  return block("Reads", el("div", { class: "inputs" }, shown));
}

function input(approvalId, file, index, open) {
  const size = file.sha256 ? bytes(file.bytes) : "";
  const caption = el("figcaption", {}, said(file.name), el("span", { class: "fine" }, size));
  if (!file.picture || !file.sha256) return el("figure", { class: "input" }, caption);
  const path = `api/approvals/${encodeURIComponent(approvalId)}/inputs/${index}`;
  const picture = el("img", { src: addressed(path), alt: "", loading: "lazy", decoding: "async" });
  const button = el(
    "button",
    {
      type: "button",
      class: "picture",
      "aria-label": `Enlarge ${file.name}`,
      on: { click: () => open([{ path, title: file.name, words: size }], 0) },
    },
    picture,
  );
  const gone = "This picture cannot be shown: it is not there any more, or another one by now.";
  picture.addEventListener("error", () => button.replaceWith(el("p", { class: "gone" }, gone)));
  return el("figure", { class: "input" }, button, caption);
}

function models(approval) {
  const folders = Object.entries(approval.facts?.graph?.models ?? {});
  const rows = folders
    .filter(([, names]) => names.length)
    .map(([folder, names]) => [
      el("dt", {}, said(folder)),
      names.map((name) => el("dd", {}, said(name))),
    ]);
  return rows.length ? block("Models", el("dl", { class: "models" }, rows)) : null;
}

function nodes(approval) {
  const graph = approval.facts?.graph;
  if (!graph?.nodes) return null;
  const classes = Object.entries(graph.classes ?? {});
  const rows = classes.map(([name, count]) =>
    el("li", {}, said(name), count > 1 ? ` × ${number(count)}` : ""),
  );
  return el(
    "details",
    { class: "fold" },
    el("summary", {}, many(graph.nodes, "node")),
    el("ul", { class: "classes" }, rows),
  );
}

const block = (title, ...content) => el("div", { class: "block" }, el("h4", {}, title), ...content);

/** The whole graph, asked for when somebody opens it. */
function graph(approval, { whole }) {
  if (!approval.facts?.graph || !whole) return null;
  const text = el("pre", { tabIndex: 0, role: "group", "aria-label": "The whole graph" });
  const fold = el(
    "details",
    { class: "fold" },
    el("summary", {}, "The whole graph"),
    el("p", { class: "fine" }, "The agent chose what stands in it."),
    text,
  );
  fold.addEventListener("toggle", async () => {
    if (!fold.open || text.firstChild) return;
    try {
      const found = (await whole()).graph;
      const none = "There is no graph any more, or it is too large to be shown.";
      text.append(said(found ? indented(found) : none));
    } catch (refusal) {
      text.append(said(refusal.message));
    }
  });
  return fold;
}

const indented = (value) =>
  JSON.stringify(value, (_, one) => (typeof one === "bigint" ? String(one) : one), 2);

/** What a person changed. */
export function changed(approval) {
  const list = approval.changes ?? [];
  if (!list.length) return null;
  const rows = list.map(({ name, before, after }) =>
    el(
      "li",
      {},
      ["Changed ", said(name), ": "],
      el("s", {}, said(inWords(before))),
      [" → "],
      el("b", {}, said(inWords(after))),
    ),
  );
  return el("ul", { class: "changes" }, rows);
}
