/** How far a batch is: a bar with what completed, failed, was cancelled and is under way. */

import { element } from "./dom.js";
import { count } from "./format.js";

const PARTS = ["completed", "failed", "cancelled", "under_way"];

/** A bar with its figures in words for those who do not see it. */
export function progressBar(batch) {
  const figures = { ...batch.counts, under_way: batch.under_way ?? 0 };
  const ended = figures.completed + figures.failed + figures.cancelled;
  const words = batch.lines ? `${count(ended)} of ${count(batch.lines)} lines ended` : "lines are being counted";
  const bar = element("span", { class: "bar", "aria-hidden": "true" });
  for (const name of PARTS) {
    if (!batch.lines || !figures[name]) continue;
    const part = element("span", { class: name.replace("_", "-") });
    part.style.setProperty("--share", figures[name] / batch.lines);
    bar.append(part);
  }
  return element("span", { class: "progress-box" }, bar, element("span", { class: "progress-words" }, words));
}
