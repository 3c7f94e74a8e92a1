// The form in which a person changes the values of a request before saying yes.

import { el, said } from "./dom.js";
import { itemsOf } from "./parts.js";
import { parsed } from "./server.js";
import { isQuestion } from "./telling.js";

const ROOMY = 12; // characters that need a field of double width

let made = 0;

/** Some value of this request can be changed. */
export const canChange = (approval) =>
  approval.shortened || itemsOf(approval).some((item) => item.changeable);

/**
 * The form: {element, first, changes()}. `changes()` gives the values that are other ones now, by
 * name, or throws an Error with a sentence for the person. `heard` is called at every keystroke.
 */
export function editor(approval, heard) {
  const items = itemsOf(approval);
  const fields = items.filter((item) => item.changeable).map((item) => field(item, heard));
  const fixed = items.filter((item) => !item.changeable);
  const element = el(
    "div",
    { class: "edit", role: "group", "aria-label": "Values to change" },
    el(
      "p",
      { class: "edit-lead" },
      isQuestion(approval)
        ? "Change what you like: the agent is told what you changed."
        : "Change what you like. The policy looks at the result again, and the agent is told what you changed.",
    ),
    el(
      "div",
      { class: "edit-grid" },
      fields.map((one) => one.element),
    ),
    fixed.length
      ? el(
          "p",
          { class: "fine" },
          "Stays as it is: ",
          fixed.slice(0, 8).flatMap((item, index) => [index ? ", " : "", said(item.name)]),
          fixed.length > 8 ? ` and ${fixed.length - 8} more.` : ".",
        )
      : null,
  );
  return {
    element,
    first: fields[0]?.control ?? null,
    changes() {
      const found = {};
      for (const one of fields) if (one.isChanged()) found[one.name] = one.value();
      return found;
    },
    count: () => fields.filter((one) => one.isChanged()).length,
  };
}

/** Which way an item is edited. */
function kindOf(item) {
  if (item.json) return JSON_TEXT;
  if (!("value" in item)) return TEXT;
  if (typeof item.value === "boolean") return SWITCH;
  if (typeof item.value === "number" || typeof item.value === "bigint") return NUMBER;
  return item.value === null ? NOTHING : TEXT;
}

const NUMBER = {
  control: (item) =>
    el("input", {
      type: "text",
      inputMode: "decimal",
      value: String(item.value),
      autocomplete: "off",
    }),
  before: (item) => String(item.value),
  read(control, name) {
    const text = control.value.trim();
    if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text))
      throw new Error(`${name} has to be a number.`);
    return /^[-+]?\d{16,}$/.test(text) ? BigInt(text) : Number(text);
  },
  text: (control) => control.value.trim(),
};

const SWITCH = {
  control: (item) =>
    el(
      "select",
      {},
      [
        ["true", "yes"],
        ["false", "no"],
      ].map(([value, words]) =>
        el("option", { value, selected: String(item.value) === value }, words),
      ),
    ),
  before: (item) => (item.value ? "yes" : "no"),
  read: (control) => control.value === "true",
  text: (control) => control.value,
};

const TEXT = {
  control: (item) =>
    item.text.length > 40
      ? el("textarea", {
          value: item.value ?? item.text,
          rows: Math.min(8, Math.max(2, Math.ceil(item.text.length / 60))),
          spellcheck: false,
        })
      : el("input", {
          type: "text",
          value: item.value ?? item.text,
          autocomplete: "off",
          spellcheck: false,
        }),
  before: () => "",
  read: (control) => control.value,
  text: (control) => control.value,
};

const JSON_TEXT = {
  ...TEXT,
  read(control, name) {
    const value = parsed(control.value);
    if (value === null && control.value.trim() !== "null")
      throw new Error(`${name} has to be JSON, as it was.`);
    return value;
  },
};

const NOTHING = {
  ...TEXT,
  control: () =>
    el("input", { type: "text", value: "", placeholder: "nothing", autocomplete: "off" }),
  read: (control) =>
    /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(control.value.trim())
      ? Number(control.value)
      : control.value,
};

function field(item, heard) {
  const kind = kindOf(item);
  const id = `edit-${++made}`;
  const control = kind.control(item);
  control.id = id;
  control.dataset.name = item.name;
  const was = kind.text(control);
  const before = el("span", { class: "was" });
  const notes = [];
  if (item.cut)
    notes.push("Only the beginning is shown: what you write takes the place of the whole.");
  else if (item.hidden)
    notes.push("Invisible characters are left out here: if you change this, they are gone.");
  const size = control.tagName === "TEXTAREA" ? "wide" : was.length > ROOMY ? "roomy" : "";
  const element = el(
    "div",
    { class: `field ${size}` },
    el(
      "label",
      { for: id },
      said(item.name),
      item.class ? el("span", { class: "fine" }, said(item.class)) : null,
    ),
    control,
    before,
    notes.map((note) => el("p", { class: "fine" }, note)),
  );
  const isChanged = () => kind.text(control) !== was;
  const changed = () => {
    const yes = isChanged();
    element.classList.toggle("changed", yes);
    before.textContent =
      yes && kind.before(item) ? `was ${kind.before(item)}` : yes ? "changed" : "";
    heard();
  };
  control.addEventListener("input", changed);
  control.addEventListener("change", changed);
  return {
    name: item.name,
    element,
    control,
    isChanged,
    value: () => kind.read(control, item.name),
  };
}
