// The console's HTTP surface. Everything goes to this page's own origin.

const SILENCE_MS = 40_000; // the server speaks at least every 15 s
const ANSWER_MS = 30_000;
const PATIENCE_MS = 1_000;
const LONGEST_MS = 10_000;

const TOKEN = "comfy-mcp-guard-console-token";
const SIGN_IN = "api/sign-in";

let unkept = ""; // where a browser keeps nothing, the token lasts as long as the page

/** The page's own secret. Cookies are sent to every port of this machine; this is this origin's. */
function token() {
  try {
    return localStorage.getItem(TOKEN) ?? unkept;
  } catch {
    return unkept;
  }
}

function keep(value) {
  unkept = value;
  try {
    if (value) localStorage.setItem(TOKEN, value);
    else localStorage.removeItem(TOKEN);
  } catch {
    // Then it is in `unkept` only.
  }
}

/** *path* with the token: for pictures and streams, with which a browser sends no headers. */
export function addressed(path) {
  return `${path}${path.includes("?") ? "&" : "?"}t=${encodeURIComponent(token())}`;
}

/** A refusal of the server: its sentence, and what to do about it. */
export class Refusal extends Error {
  constructor(status, body) {
    super(body?.error || `The console answered ${status}.`);
    this.status = status;
    this.fix = body?.fix ?? "";
    this.approval = body?.approval ?? null;
  }
}

/** Who is signed in: {user, state, place, version}. Throws Refusal 401 for nobody. */
export const session = () => get("api/session");

/** Turn a link's key into a cookie and the page's token. */
export async function signIn(key) {
  keep((await ask("POST", SIGN_IN, { key })).token);
}

/** JSON of a GET. */
export const get = (path) => ask("GET", path);

/** JSON (or null) of a POST with an effect. */
export async function post(path, body = {}) {
  const read = await ask("POST", path, body);
  if (path.startsWith("api/sign-out")) keep("");
  return read;
}

async function ask(method, path, body) {
  const headers = { Accept: "application/json" };
  const sent = token();
  if (method === "POST") headers["Content-Type"] = "application/json";
  if (sent && path !== SIGN_IN) headers["X-CSRF-Token"] = sent;
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: method === "POST" ? written(body) : undefined,
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
  } catch {
    throw new Refusal(0, {
      error: "The console does not answer. Nothing was changed as far as this page knows.",
    });
  }
  const text = await answer.text();
  const read = text ? parsed(text) : null;
  // Another tab may have signed in meanwhile: its token stays.
  if (answer.status === 401 && sent === token()) keep("");
  if (!answer.ok) throw new Refusal(answer.status, read);
  return read;
}

/** JSON in which a whole number too large for a JavaScript number is a BigInt: seeds keep their digits. */
export function parsed(text) {
  try {
    return JSON.parse(text, (_, value, context) =>
      typeof value === "number" && /^-?\d{16,}$/.test(context?.source ?? "")
        ? BigInt(context.source)
        : value,
    );
  } catch {
    return null;
  }
}

/** JSON of plain values, BigInts among them. */
export function written(value) {
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return `[${value.map(written).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const pairs = Object.entries(value).filter(([, one]) => one !== undefined);
    return `{${pairs.map(([name, one]) => `${JSON.stringify(name)}:${written(one)}`).join(",")}}`;
  }
  return JSON.stringify(value ?? null);
}

/**
 * The stream of states. `heard.state(snapshot)`, `heard.lost()` and `heard.signedOut()` are called;
 * it reconnects by itself, later and later. Gives {stop, now}: `now` tries at once.
 */
export function live(heard) {
  let source = null;
  let timer = 0;
  let silence = 0;
  let wait = PATIENCE_MS;
  let stopped = false;

  function open() {
    clearTimeout(timer);
    source?.close();
    source = new EventSource(addressed("api/events"));
    source.addEventListener("state", (event) => {
      const snapshot = parsed(event.data);
      if (snapshot === null || stopped) return;
      wait = PATIENCE_MS;
      listen();
      heard.state(snapshot);
    });
    source.addEventListener("error", fail);
    listen();
  }

  function listen() {
    clearTimeout(silence);
    silence = setTimeout(fail, SILENCE_MS);
  }

  async function fail() {
    source?.close();
    clearTimeout(silence);
    clearTimeout(timer);
    if (stopped) return;
    heard.lost();
    timer = setTimeout(retry, wait);
    wait = Math.min(wait * 2, LONGEST_MS);
  }

  async function retry() {
    try {
      await session();
    } catch (refusal) {
      if (stopped) return;
      if (refusal.status === 401) heard.signedOut(refusal);
      else fail();
      return;
    }
    if (!stopped) open();
  }

  open();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
      clearTimeout(silence);
      source?.close();
    },
    now() {
      wait = PATIENCE_MS;
      clearTimeout(timer);
      retry();
    },
  };
}
