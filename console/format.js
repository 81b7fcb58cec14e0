/** Figures and times as people read them. */

const number = new Intl.NumberFormat("en");
const dateTime = new Intl.DateTimeFormat("en-GB", {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3,
});
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** 1234567 → 1,234,567 */
export function count(value) {
  return number.format(value);
}

/** "1 call", "2 calls". */
export function counted(value, noun, plural = `${noun}s`) {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

/** Bytes as B, KB or MB of a thousand each. */
export function bytes(value) {
  if (value < 1000) return `${value} B`;
  return value < 1_000_000 ? `${(value / 1000).toFixed(1)} KB` : `${(value / 1_000_000).toFixed(1)} MB`;
}

/** Dollars with as many digits as small amounts need; "–" if they are not known. */
export function dollars(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "$0";
  const digits = value >= 1 ? 2 : Math.min(7, 1 - Math.floor(Math.log10(value)));
  return `$${value.toFixed(digits)}`;
}

/** A length of time in its two largest units, from milliseconds. */
export function duration(milliseconds) {
  const ms = Math.max(0, milliseconds);
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1000);
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  if (seconds < 3600) return pair(seconds, 60, "min", 1, "s");
  return seconds < 86_400 ? pair(seconds, 3600, "h", 60, "min") : pair(seconds, 86_400, "d", 3600, "h");
}

/** The time of day with milliseconds. */
export function timeOfDay(at) {
  return clock.format(new Date(at));
}

/** A date and a time of day, in the time zone of the reader. */
export function moment(at) {
  return dateTime.format(new Date(at));
}

/** How long ago, or the date if that is longer than a day. */
export function ago(at, now = Date.now()) {
  const seconds = Math.round((now - Date.parse(at)) / 1000);
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h ago` : day.format(new Date(at));
}

/** How much longer, or how long ago. */
export function until(at, now = Date.now()) {
  const left = Date.parse(at) - now;
  return left > 0 ? `${duration(left)} left` : `over since ${duration(-left)}`;
}

function pair(seconds, large, largeName, small, smallName) {
  const rest = Math.floor((seconds % large) / small);
  return `${Math.floor(seconds / large)} ${largeName}${rest ? ` ${rest} ${smallName}` : ""}`;
}
