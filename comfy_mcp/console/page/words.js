// Numbers, times and names as a person reads them. Pure.

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const COARSE = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** 1,180.5; a large whole number keeps all its digits. */
export function number(value) {
  if (typeof value === "bigint") return value.toString();
  return typeof value === "number" && Number.isFinite(value) ? NUMBER.format(value) : "not known";
}

/** One digit behind the point at most. */
export const coarse = (value) => (Number.isFinite(value) ? COARSE.format(value) : "not known");

/** "1 job", "3 jobs". */
export const many = (count, one, more = `${one}s`) =>
  `${number(count)} ${count === 1 ? one : more}`;

/** "45 s", "1 min 34 s", "2 h 5 min". */
export function lasting(seconds) {
  if (!Number.isFinite(seconds)) return "not known";
  if (seconds > 0 && seconds < 1) return "under 1 s";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600)
    return whole % 60 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${whole / 60} min`;
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
}

/** Time that is left, as a clock: "58:12", "1:02:09". */
export function clock(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = (part) => String(part).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** "just now", "3 min ago", "2 h ago"; older: the date. */
export function ago(ms, nowMs) {
  const seconds = (nowMs - ms) / 1000;
  if (seconds < 10) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return stamp(ms);
}

/** 2025-11-21 15:50:03, on this machine's clock. */
export function stamp(ms) {
  const when = new Date(ms);
  if (Number.isNaN(when.getTime())) return "at an unknown time";
  const two = (part) => String(part).padStart(2, "0");
  const day = `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())}`;
  return `${day} ${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}`;
}

/** The clock only, for today; else the whole stamp. */
export function shortStamp(ms, nowMs) {
  const whole = stamp(ms);
  return whole.slice(0, 10) === stamp(nowMs).slice(0, 10) ? whole.slice(11) : whole;
}

/** Milliseconds since the epoch, of a number of those or an ISO text. */
export function instant(value) {
  const ms = typeof value === "number" ? value : Date.parse(value);
  return Number.isFinite(ms) ? ms : 0;
}

/** "12 kB", "3.4 MB". */
export function bytes(count) {
  if (!Number.isFinite(count)) return "";
  if (count < 1000) return many(count, "byte");
  return count < 1e6 ? `${Math.round(count / 1000)} kB` : `${coarse(count / 1e6)} MB`;
}

const WINDOWS = { 1: "second", 60: "minute", 3600: "hour", 86_400: "day", 604_800: "week" };

/** "minute", "90 s". */
export const windowOf = (seconds) => WINDOWS[seconds] ?? lasting(seconds);

/** "a", "a and b", "a, b and c". */
export function together(names) {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** Everybody's sign in the API. */
export const EVERYBODY = "*";

/** A grant's name in a sentence. */
export const whom = (grant) => (grant === EVERYBODY ? "everybody" : grant);

const STATUS = {
  pending: "waits",
  in_progress: "runs",
  submitting: "is being sent",
  stopping: "is being stopped",
  completed: "done",
  failed: "failed",
  cancelled: "cancelled",
  lost: "lost",
  refused: "refused",
};

/** A job's status in a word or two. */
export const jobStatus = (status) => STATUS[status] ?? status;
