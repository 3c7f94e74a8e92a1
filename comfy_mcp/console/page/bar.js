// A bar with a number in words: progress of a job, room in a limit.

import { el } from "./dom.js";

/** {element, set(part, words)}; part is 0 to 1, or null for "nobody knows". */
export function bar(role, label) {
  const inner = el("span", { class: "bar-part" });
  const element = el(
    "span",
    { class: "bar", role, "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 },
    inner,
  );
  return {
    element,
    set(part, words) {
      element.classList.toggle("unknown", part === null);
      if (part === null) element.removeAttribute("aria-valuenow");
      else element.setAttribute("aria-valuenow", String(Math.round(Math.min(1, part) * 100)));
      element.setAttribute("aria-valuetext", words);
      inner.style.width = part === null ? "" : `${Math.min(100, Math.max(0, part * 100))}%`;
    },
  };
}
