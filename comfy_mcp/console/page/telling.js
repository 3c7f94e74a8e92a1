// A request in words and numbers, written from the server's facts only: nothing of the agent's.

import { el, said } from "./dom.js";
import { coarse, jobStatus, many, number, together } from "./words.js";

const ACTS = {
  run_workflow: "Run a workflow",
  run_sweep: "Run a workflow several times",
  export_output: "Write a file",
  cancel_job: "Stop a job",
  interrupt_execution: "Interrupt what runs",
  clear_queue: "Empty the queue",
  free_memory: "Free the GPU's memory",
  upload_input: "Upload a file",
  save_workflow: "Save a workflow",
  delete_workflow: "Delete a workflow",
};

const WHOSE = {
  mine: "the agent's own job",
  "other agent": "another agent's job",
  human: "a person's job",
};

const NAMES_SHOWN = 8;

/** Whether a yes lets nothing through and only answers the agent. */
export const isQuestion = (approval) => approval.kind === "question";

/** What is asked, in a few words: parts of a heading. */
export function headline(approval) {
  const facts = approval.facts ?? {};
  if (isQuestion(approval)) return ["The agent asks you something"];
  const times = facts.runs ? ` ${many(facts.runs, "time")}` : "";
  if (facts.workflow === "inline")
    return [`Run a workflow that the agent wrote itself${times && ","}${times}`];
  if (facts.workflow) return ["Run ", said(facts.workflow), times];
  if (approval.errand) return [approval.errand.act, " ", said(approval.errand.what)];
  const act = ACTS[approval.tool];
  return act ? [act] : ["Call ", said(approval.tool)];
}

/** The same as plain text. */
export const headlineText = (approval) =>
  headline(approval)
    .map((part) => part.textContent ?? part)
    .join("");

/** One sentence under the headline; maybe none. */
export function sentence(approval) {
  const facts = approval.facts ?? {};
  if (isQuestion(approval)) return "Your answer is told to the agent. It lets no call through.";
  if (facts.graph) return ofRun(facts);
  if (approval.errand) return [said(approval.errand.words), "."];
  const targets = facts.targets ?? [];
  const touched = targets.length + (facts.targets_left_out ?? 0);
  if (touched > 1) return `It touches ${many(touched, "job")}.`;
  if (targets.length === 1)
    return targets[0].owner === "mine" ? "It touches a job of the agent's own." : "";
  return facts.class ? `The tool ${approval.tool}, of class ${facts.class}.` : "";
}

function ofRun({ graph, inputs, title, runs }) {
  const parts = [];
  if (graph.steps) parts.push(many(graph.steps, "step"));
  if (graph.width && graph.height)
    parts.push(`${number(graph.width)} × ${number(graph.height)} pixels`);
  if (graph.batch > 1) parts.push(`${number(graph.batch)} at once`);
  if (graph.frames > 1) parts.push(many(graph.frames, "frame"));
  if (!parts.length) parts.push(many(graph.nodes ?? 0, "node"));
  const models = Object.values(graph.models ?? {}).flat().length;
  if (models) parts.push(many(models, "model"));
  if (inputs?.length) parts.push(many(inputs.length, "input file"));
  const of = [title, runs ? `the largest of ${many(runs, "run")}` : ""].filter(Boolean).join(", ");
  return `${of ? `${of}: ` : ""}${together(parts)}.`;
}

/** The numbers that a decision is made by, {label, value, note} each; *queue* as it is now. */
export function figures(approval, queue) {
  const facts = approval.facts ?? {};
  if (!facts.graph) return [];
  return [runs(facts), steps(facts.graph), size(facts.graph), frames(facts.graph), gpuTime(facts)]
    .concat(queued(queue, "in the queue now") ?? queued(facts.queue, "in the queue then"))
    .filter(Boolean);
}

const open = (graph, ...names) => names.some((name) => graph.undetermined?.includes(name));

const runs = ({ runs: count }) =>
  count ? { label: "runs", value: number(count), note: "one yes lets all through" } : null;

function steps(graph) {
  if (!graph.steps && !open(graph, "steps", "total_steps")) return null;
  const all = graph.total_steps ?? graph.steps;
  const note = all === graph.steps ? "for the picture" : `${number(graph.steps)} for each picture`;
  return {
    label: "steps",
    value: all ? number(all) : "?",
    note: all ? note : "cannot be foreseen",
  };
}

function size(graph) {
  if (!graph.megapixels && !open(graph, "megapixels", "width", "height")) return null;
  const times = graph.batch > 1 ? `, ${number(graph.batch)} times` : "";
  return {
    label: "megapixels",
    value: graph.megapixels ? number(graph.megapixels) : "?",
    note: graph.width
      ? `${number(graph.width)} × ${number(graph.height)}${times}`
      : "cannot be foreseen",
  };
}

const frames = (graph) =>
  graph.frames > 1 ? { label: "frames", value: number(graph.frames), note: "of video" } : null;

function gpuTime({ estimate_s: seconds, runs: count }) {
  if (typeof seconds !== "number")
    return { label: "GPU seconds", value: "?", note: "none like it ran before" };
  const value = seconds < 10 ? coarse(seconds) : number(Math.round(seconds));
  return { label: "GPU seconds", value, note: count ? "for all runs" : "as like jobs took" };
}

function queued(queue, label) {
  if (!queue) return null;
  const { running = 0, pending = 0 } = queue;
  const note = `${number(running)} running, ${number(pending)} waiting`;
  return { label, value: number(running + pending), note };
}

/** What speaks against a quick yes: parts of a sentence each. */
export function warnings(approval) {
  const facts = approval.facts ?? {};
  const { targets = [], targets_left_out: more = 0, front, graph = {}, inputs = [] } = facts;
  const found = targets.filter((one) => one.owner !== "mine").map(touched);
  if (approval.unreadable || facts.unreadable)
    found.push(["It cannot be read any more: somebody edited it in the state."]);
  if (more)
    found.push([
      `It touches ${many(more, "more job")} that ${more === 1 ? "is" : "are"} not shown here.`,
    ]);
  for (const one of inputs)
    if (!one.sha256)
      found.push([
        "NOT BOUND to its content: ",
        said(one.name),
        `, ${one.why || "nobody knows why"}.`,
      ]);
  if (front) found.push(["It would run before everything that waits."]);
  if (graph.api_nodes?.length)
    found.push(["It spends credits, by partner nodes: ", names(graph.api_nodes), "."]);
  if (graph.unknown_classes?.length)
    found.push(["What these custom nodes do is not known: ", names(graph.unknown_classes), "."]);
  if (graph.undetermined?.length) {
    const words = graph.undetermined.map((one) => one.replaceAll("_", " "));
    found.push(["Cannot be foreseen, and may be large: ", names(words), "."]);
  }
  return found;
}

function touched(target) {
  return [
    `It touches ${WHOSE[target.owner] ?? "somebody's job"}`,
    target.grant ? [" (", said(target.grant), ")"] : "",
    target.workflow ? [": ", said(target.workflow)] : "",
    target.status ? `, which ${jobStatus(target.status)}` : "",
    ". ",
    jobCode(target),
  ];
}

/** The beginning of a job's id. */
export const jobCode = (target) =>
  el("code", {}, "job ", said(String(target.prompt_id ?? "").slice(0, 8)));

function names(list) {
  const shown = list.slice(0, NAMES_SHOWN);
  const more = list.length - shown.length;
  return [
    shown.map((one, index) => [index ? ", " : "", said(one)]),
    more ? ` and ${more} more` : "",
  ];
}
