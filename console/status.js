/** Statuses of runs and batches, as a word with a sign of its own: colours alone would not do. */

import { element } from "./dom.js";

const SIGNS = {
  queued: ["○", "waiting"],
  validating: ["○", "waiting"],
  in_progress: ["◐", "active"],
  finalizing: ["◐", "active"],
  cancelling: ["◐", "active"],
  requires_action: ["◆", "attention"],
  completed: ["✓", "good"],
  failed: ["✕", "bad"],
  expired: ["✕", "bad"],
  incomplete: ["✕", "bad"],
  cancelled: ["–", "waiting"],
};

export const RUN_STATUSES = [
  "queued", "in_progress", "requires_action", "cancelling",
  "completed", "failed", "cancelled", "incomplete", "expired",
];

const TERMINAL = ["completed", "failed", "cancelled", "incomplete", "expired"];

/** Whether a run or a batch of this status changes no more. */
export function hasEnded(status) {
  return TERMINAL.includes(status);
}

/** A status in words. */
export function statusWords(status) {
  return String(status).replaceAll("_", " ");
}

/** A status with its sign. */
export function statusBadge(status) {
  const [sign, kind] = SIGNS[status] ?? ["?", "waiting"];
  return element("span", { class: `status ${kind}` }, element("span", { "aria-hidden": "true" }, sign), ` ${statusWords(status)}`);
}
