// Elements, made one way only: what others wrote becomes a text node, never markup.

/** The element with this id. */
export const at = (id) => document.getElementById(id);

/**
 * A new element. `how` sets properties (class, type, hidden ...), `on` listeners, and any name with
 * a hyphen an attribute; children are nodes, texts (made safe by `clean`), or nothing.
 */
export function el(tag, how = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(how)) {
    if (value === undefined || value === null) continue;
    if (name === "class") made.className = value;
    else if (name === "on")
      for (const [event, heard] of Object.entries(value)) made.addEventListener(event, heard);
    else if (name.includes("-") || name === "role" || name === "for")
      made.setAttribute(name, clean(value));
    else made[name] = name === "title" || name === "alt" ? clean(value) : value;
  }
  made.append(...nodes(children));
  return made;
}

/** Give `parent` these children instead of the ones it has. */
export function fill(parent, ...children) {
  parent.replaceChildren(...nodes(children));
  return parent;
}

/** Set the text of an element, only if it is another one: assistive technology hears changes. */
export function write(element, text) {
  const cleaned = clean(text);
  if (element.textContent !== cleaned) element.textContent = cleaned;
  return element;
}

/** Words of somebody else: direction and odd marks stay inside. */
export const said = (text, kind = "") => el("bdi", { class: kind }, String(text ?? ""));

// Control characters (but line end and tab), marks that turn a line's direction, characters without
// width, tags: the server takes them out already; what got here all the same is shown as a box.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]/gu;

/** A text without anything that nobody would see. */
export const clean = (text) => String(text ?? "").replace(UNSEEN, "\ufffd");

/**
 * Have `parent` show `items`, each in an element that is made once and then brought up to date:
 * focus, half-written words and scrolling survive. `make(item)` gives {element, update(item)}.
 * True if an element came, went or moved.
 */
export function keyed(parent, shown, items, key, make) {
  let moved = false;
  const wanted = new Set(items.map(key));
  for (const [name, one] of shown) {
    if (wanted.has(name)) continue;
    one.element.remove();
    shown.delete(name);
    moved = true;
  }
  let next = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let one = shown.get(name);
    if (one === undefined) {
      one = make(item);
      shown.set(name, one);
    }
    one.update(item);
    if (one.element === next) next = next.nextElementSibling;
    else {
      parent.insertBefore(one.element, next);
      moved = true;
    }
  }
  return moved;
}

/** Show or hide. */
export const show = (element, yes) => {
  element.hidden = !yes;
  return element;
};

/** Parts of a line with a space between each two: it is read aloud and copied with them. */
export const spaced = (...children) =>
  nodes(children).flatMap((one, index) => (index ? [document.createTextNode(" "), one] : [one]));

/** Tell those who do not see the page. */
export function announce(text) {
  write(at("announcer"), text);
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(clean(child))));
}
