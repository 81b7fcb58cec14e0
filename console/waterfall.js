/**
 * Draws a timeline: a line for each round on one time axis, with its calls inside. A round is filled when it is
 * opened, so that a run of 600 calls is 50 lines at first. Positions are relative to `--total`, which is the only
 * thing that changes while time goes on.
 */

import { CallRow } from "./call-row.js";
import { element, replace, setText } from "./dom.js";
import { counted, duration } from "./format.js";
import { drawSpans, placed } from "./spans.js";
import { KINDS } from "./timeline.js";

const NAMES = { model: "model", tools: "tools", waiting: "waiting", overhead: "overhead" };
const TITLES = {
  model: "the model thinks",
  tools: "tools run",
  waiting: "a call waits for a person, or for the run's caller",
  overhead: "everything else: Upcall and AWS",
};
const MAX_OPEN_CALLS = 24;
const TICKS = 5;

export class Waterfall {
  /** `callDetails(group, call)` makes what is shown of a call when it is opened. */
  constructor(timeline, callDetails) {
    this.timeline = timeline;
    this.callDetails = callDetails;
    this.rows = new Map();
    this.legend = element("ul", { class: "legend" });
    this.axis = element("div", { class: "axis track", "aria-hidden": "true" });
    this.list = element("ol", { class: "rounds" });
    this.node = element("div", { class: "waterfall" }, this.legend,
      element("div", { class: "axis-row" }, element("span"), this.axis, element("span")), this.list);
    this.ticks = "";
  }

  /** Draw groups that have changed, and what depends on the time. */
  update(groups, now) {
    for (const group of groups) this.#row(group).update(now);
    this.tick(now);
  }

  /** Time has gone on. */
  tick(now) {
    const total = this.timeline.total(now);
    this.node.style.setProperty("--total", total);
    this.#drawLegend(now);
    this.#drawAxis(total);
    const last = this.timeline.groups.at(-1);
    if (last && last.to === null) this.rows.get(last)?.update(now);
  }

  #row(group) {
    if (!this.rows.has(group)) {
      const row = new GroupRow(this, group);
      this.rows.set(group, row);
      this.list.append(row.node);
    }
    return this.rows.get(group);
  }

  #drawLegend(now) {
    const totals = this.timeline.totals(now);
    if (!this.legend.childElementCount) {
      for (const kind of KINDS) {
        this.legend.append(element("li", { title: TITLES[kind] },
          element("span", { class: `key ${kind}`, "aria-hidden": "true" }), `${NAMES[kind]} `, element("b")));
      }
    }
    KINDS.forEach((kind, index) => {
      setText(this.legend.children[index].querySelector("b"), duration(totals[kind]));
    });
  }

  #drawAxis(total) {
    const step = tickStep(total / TICKS);
    const ticks = [];
    for (let at = 0; at <= total * 0.97; at += step) ticks.push(at);
    if (ticks.join() === this.ticks) return;
    this.ticks = ticks.join();
    replace(this.axis, ticks.map((at) => placed(element("span", { class: "tick" }, at === 0 ? "0" : duration(at)), at)));
  }
}

/** The line of a group. */
class GroupRow {
  constructor(waterfall, group) {
    this.waterfall = waterfall;
    this.group = group;
    this.title = element("span", { class: "row-title" });
    this.words = element("span", { class: "unseen" });
    this.track = element("span", { class: "track", "aria-hidden": "true" });
    this.length = element("span", { class: "row-length" });
    this.callList = element("ol", { class: "calls" });
    this.callRows = new Map();
    const summary = element("summary", { class: "row" }, this.title, this.words, this.track, this.length);
    this.details = element("details", { class: "round", ontoggle: () => this.#fill() }, summary, this.callList);
    this.line = element("div", { class: "row plain" });
    this.node = element("li", null, this.line);
  }

  update(now) {
    this.now = now;
    const { group, waterfall } = this;
    const spans = waterfall.timeline.spans(group, now);
    setText(this.title, groupTitle(group));
    setText(this.length, duration((group.to ?? waterfall.timeline.total(now)) - group.from));
    setText(this.words, ` ${spans.map(({ kind, from, to }) => `${NAMES[kind]} ${duration(to - from)}`).join(", ")}`);
    drawSpans(this.track, spans);
    const isPlain = this.line.parentNode === this.node;
    if (group.calls.size && isPlain) this.#becomeRound();
    else if (isPlain && !this.line.contains(this.title)) {
      this.line.append(this.title, this.words, this.track, this.length);
    }
    if (this.details.open) this.#fill();
  }

  /** A group with calls can be opened; it is open at first if the run is small. */
  #becomeRound() {
    this.details.querySelector("summary").append(this.title, this.words, this.track, this.length);
    this.line.replaceWith(this.details);
    this.details.open = this.waterfall.timeline.calls <= MAX_OPEN_CALLS;
  }

  #fill() {
    if (!this.details.open) return;
    for (const call of this.group.calls.values()) {
      if (!this.callRows.has(call.id)) {
        const row = new CallRow(this.waterfall, this.group, call);
        this.callRows.set(call.id, row);
        this.callList.append(row.node);
      }
      this.callRows.get(call.id).update(this.now);
    }
  }
}

function groupTitle(group) {
  const retry = group.attempt > 1 ? `Attempt ${group.attempt} · ` : "";
  if (group.round !== null) return `${retry}Round ${group.round} · ${counted(group.calls.size, "call")}`;
  if (group.message !== null) return `${retry}Message`;
  return `${retry}${group.ended === null ? "Thinking" : group.ended === "completed" ? "Message" : `Ended: ${group.ended}`}`;
}

function tickStep(least) {
  const units = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 3e4, 6e4, 12e4, 3e5, 6e5, 12e5, 18e5, 36e5, 72e5, 216e5, 432e5, 864e5];
  return units.find((unit) => unit >= least) ?? Math.ceil(least / 864e5) * 864e5;
}
