/** The line of a call in a timeline. Its arguments and its output are made when it is opened. */

import { element, replace, setText } from "./dom.js";
import { bytes, duration } from "./format.js";
import { drawSpans } from "./spans.js";
import { inline } from "./text.js";

const OUTCOMES = {
  ok: ["✓", "good", "ok"],
  error: ["✕", "bad", "error"],
  unknown: ["?", "attention", "outcome unknown"],
};

export class CallRow {
  constructor(waterfall, group, call) {
    Object.assign(this, { waterfall, group, call });
    this.sign = element("span", { class: "sign" });
    this.hint = element("span", { class: "hint" });
    this.track = element("span", { class: "track", "aria-hidden": "true" });
    this.length = element("span", { class: "row-length" });
    this.body = element("div", { class: "call-body" });
    const title = element("span", { class: "row-title" }, this.sign, inline(call.name, 80), this.hint);
    this.details = element("details", { class: "call", "data-call": call.id, ontoggle: () => this.#open() },
      element("summary", { class: "row" }, title, this.track, this.length), this.body);
    this.node = element("li", null, this.details);
  }

  update(now) {
    const { group, call, waterfall } = this;
    const spans = waterfall.timeline.callSpans(group, call, now);
    const [sign, kind, words] = OUTCOMES[call.outcome] ?? openState(group, call);
    if (this.state !== words) {
      this.state = words;
      replace(this.sign, element("span", { class: `status ${kind}`, "aria-hidden": "true" }, sign),
        element("span", { class: "unseen" }, `${words}: `));
      if (this.details.open) this.#open();
    }
    setText(this.hint, hint(call));
    setText(this.length, duration(spans.reduce((sum, { from, to }) => sum + to - from, 0)));
    drawSpans(this.track, spans);
  }

  #open() {
    if (!this.details.open || this.shown === this.state) return;
    this.shown = this.state;
    replace(this.body, this.waterfall.callDetails(this.group, this.call));
  }
}

function openState(group, call) {
  if (group.to !== null) return ["–", "waiting", "not ended"];
  return call.waits.at(-1)?.to === null ? ["◆", "attention", "waits"] : ["◐", "active", "runs"];
}

function hint(call) {
  if (call.decision) return call.decision === "approve" ? "approved" : "denied";
  if (call.waits.at(-1)?.to === null) return call.waitsFor === "approval" ? "needs approval" : "needs an output";
  return call.bytes === undefined ? "" : bytes(call.bytes);
}
