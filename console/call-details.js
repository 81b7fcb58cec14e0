/** What a call of a run was asked, and what came back. A round of the ledger is read when one of its calls is opened. */

import { get, isAbort } from "./api.js";
import { element, replace } from "./dom.js";
import { counted, duration, moment, timeOfDay } from "./format.js";
import { factList } from "./facts.js";
import { jsonOrText, outputView, sizeOf } from "./json-view.js";
import { loading, problem } from "./notices.js";
import { inline, textBlock } from "./text.js";

const MAX_PAGE_SIZE = 100;

export class Ledger {
  constructor(runId, signal) {
    Object.assign(this, { runId, signal, rounds: new Map() });
  }

  /** The arguments and the output of a call, or what is known before it has ended. */
  details(group, call, openCalls) {
    if (call.outcome === null) return unfinished(group, openCalls.find(({ id }) => id === call.id));
    const place = element("div", null, loading());
    this.#show(place, group, call);
    return place;
  }

  async #show(place, group, call) {
    try {
      const entries = await this.#round(group);
      const entry = entries.find(({ round, position }) => `${round}-${position}` === call.id);
      replace(place, entry ? entryView(entry) : element("p", { class: "muted" }, "The call is not in the ledger."));
    } catch (error) {
      this.rounds.delete(group);
      if (!isAbort(error)) replace(place, problem(error));
    }
  }

  /** The cursor of the ledger is the round and the position of the last call before the page. */
  #round(group) {
    if (!this.rounds.has(group)) {
      const query = { cursor: `${String(group.round).padStart(4, "0")}#0000`, limit: Math.min(group.calls.size, MAX_PAGE_SIZE) };
      const page = get(`/api/runs/${encodeURIComponent(this.runId)}/calls`, query, { signal: this.signal });
      this.rounds.set(group, page.then(({ calls }) => calls));
    }
    return this.rounds.get(group);
  }
}

function unfinished(group, openCall) {
  if (group.to !== null) return element("p", { class: "muted" }, "The run ended before this round did, so the call is not in the ledger.");
  const words = openCall
    ? "The call waits for an answer, see above."
    : "The call has not ended. Its arguments and its output are shown when all calls of the round have.";
  return [element("p", { class: "muted" }, words), openCall && element("h3", { class: "minor" }, "Arguments"), openCall && jsonOrText(openCall.arguments)];
}

function entryView({ call, output, decision }) {
  return [
    element("h3", { class: "minor" }, "Arguments"),
    jsonOrText(call.arguments, { label: "arguments" }),
    decision && element("h3", { class: "minor" }, decision.decision === "approve" ? "Approved" : "Denied"),
    decision && factList([
      ["By", inline(decision.decided_by, 200)], ["At", moment(decision.decided_at)],
      decision.reason && ["Reason", textBlock(decision.reason)],
      ["SHA-256", element("code", { class: "digest" }, decision.arguments_digest)],
    ]),
    element("h3", { class: "minor" }, output.outcome === "ok" ? "Output" : output.outcome === "error" ? "Error" : "Outcome unknown"),
    output.outcome === "unknown" && element("p", { class: "muted" }, "The call may have had its effect; nobody can tell."),
    outputView(output.output),
    element("p", { class: "muted small" }, [
      output.started_at && `started ${timeOfDay(output.started_at)}`,
      `took ${duration(output.duration_ms)}`,
      output.waited_seconds && `waited ${counted(output.waited_seconds, "second")}`,
      sizeOf(output.output),
    ].filter(Boolean).join(" · ")),
  ];
}
