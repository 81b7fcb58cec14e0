/** The health of the stack: messages that nobody could handle, alarms, quotas, and what is stopped. */

import { get } from "../api.js";
import { append, element, replace } from "../dom.js";
import { count, counted, dollars } from "../format.js";
import { factList } from "../facts.js";
import { keepFresh } from "../live.js";
import { loading, problem, showingProblems } from "../notices.js";
import { exact, inline } from "../text.js";
import { relativeTime } from "../times.js";

const QUOTAS = { runs: ["Runs today", count], tokens: ["Tokens today", count], usd: ["Dollars today", dollars], concurrent: ["Open runs", count] };
const ALARM_STATES = { OK: ["✓", "good"], ALARM: ["✕", "bad"], INSUFFICIENT_DATA: ["○", "waiting"] };

export async function show(content, { signal }) {
  const notice = element("div");
  const place = element("div", null, loading());
  append(content, notice, place);
  let shown = "";
  const [session, health] = await Promise.all([
    showingProblems(notice, () => get("/console/session", {}, { signal })),
    showingProblems(place, () => get("/console/health", {}, { signal })),
  ]);
  if (!health) return;
  draw(health);
  keepFresh(async () => draw(await get("/console/health", {}, { signal })), {
    signal, first: 15_000, most: 60_000, onError: (error) => error.status && replace(notice, problem(error)),
  });

  function draw(found) {
    const text = JSON.stringify(found);
    if (text === shown) return false;
    shown = text;
    replace(place, verdict(found), deadLetters(found.dead_letters), alarms(found.alarms), quotas(found.quotas), stops(found.stopped), unknown(found.unknown ?? []), session && stack(session));
    return true;
  }
}

function verdict({ dead_letters: queues, alarms: all, stopped, unknown: reasons = [] }) {
  const ringing = all.filter(({ state }) => state === "ALARM").length;
  const letters = queues.reduce((sum, { messages }) => sum + messages, 0);
  const wrong = [
    ringing && counted(ringing, "alarm is active", "alarms are active"),
    letters && counted(letters, "message is in a dead-letter queue", "messages are in dead-letter queues"),
    stopped.length && "the start of runs is stopped",
  ].filter(Boolean);
  if (!wrong.length && reasons.length) return element("p", { class: "verdict", role: "status" }, "Not everything could be read.");
  const kind = wrong.length ? "bad" : "good";
  return element("p", { class: `verdict ${kind}`, role: "status" },
    element("span", { class: `status ${kind}`, "aria-hidden": "true" }, wrong.length ? "✕ " : "✓ "),
    wrong.length ? `${sentence(wrong)}.` : "Nothing needs attention.");
}

function deadLetters(queues) {
  return section("Dead letters", queues.length ? queues.map(({ queue, messages }) =>
    line(messages ? ["✕", "bad"] : ["✓", "good"], element("code", null, exact(queue)), counted(messages, "message"))) : none("There are no queues for dead letters."));
}

function alarms(all) {
  const order = ["ALARM", "INSUFFICIENT_DATA", "OK"];
  const sorted = [...all].sort((one, other) => order.indexOf(one.state) - order.indexOf(other.state));
  return section("Alarms", sorted.length ? sorted.map(({ name, state, reason, since }) =>
    line(ALARM_STATES[state] ?? ["?", "waiting"], inline(name, 120), state.toLowerCase().replaceAll("_", " "), since && relativeTime(since), reason && element("p", { class: "muted" }, inline(reason, 500)))) : none("The stack has no alarms."));
}

function quotas(all) {
  if (!all) return section("Quotas", none("There are no quotas."));
  return section("Quotas", Object.entries(QUOTAS).filter(([name]) => all[name]).map(([name, [words, format]]) => {
    const { used, limit } = all[name];
    const meter = element("span", { class: "bar", "aria-hidden": "true" });
    if (limit) {
      const part = element("span", { class: used >= limit ? "failed" : "completed" });
      part.style.setProperty("--share", Math.min(used / limit, 1));
      meter.append(part);
    }
    return element("li", { class: "quota" }, element("span", null, words), limit ? meter : element("span"), element("span", { class: "number" }, limit ? `${format(used)} of ${format(limit)}` : `${format(used)}, no limit`));
  }));
}

function stops(stopped) {
  return section("Stops", stopped.length ? stopped.map((each) => line(["✕", "bad"], inline(each, 200))) : none("Nothing is stopped."));
}

/** What could not be read, and why: a permission is missing, say. */
function unknown(reasons) {
  return reasons.length > 0 && section("Not known", reasons.map((each) => line(["?", "attention"], inline(each, 300))));
}

function stack(session) {
  return element("section", null, element("h2", null, "Stack"), factList([
    ["Name", inline(session.stack, 100)],
    ["Region", session.region ? inline(session.region, 40) : "this machine"],
    ["API", element("code", null, exact(session.address))],
  ]));
}

function section(name, lines) {
  return element("section", null, element("h2", null, name), element("ul", { class: "health" }, lines));
}

function line([sign, kind], ...parts) {
  return element("li", null, element("span", { class: `status ${kind}`, "aria-hidden": "true" }, sign), parts.filter(Boolean).map((part) => element("span", null, part)));
}

function none(words) {
  return element("li", { class: "muted" }, words);
}

function sentence(parts) {
  const text = parts.length > 1 ? `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}` : parts[0];
  return text[0].toUpperCase() + text.slice(1);
}
