/** Follows the events of a run: each one once, in order, also if the connection is lost in between. */

import { get, isAbort, isPassing, retryPause } from "./api.js";
import { pause, untilVisible } from "./live.js";

const WAIT_SECONDS = 20;
const PAGE_SIZE = 200;
const SHORT_WAIT_MS = 2000;
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 10_000;

/**
 * Call `onEvents` with the next events, from number `after + 1` on, and `onText` with the next pieces of what the
 * model writes, from number `textAfter + 1` on, until the run has ended or the page is left. The numbers have no gaps:
 * what comes twice is dropped, and a gap is asked for again. Returns the number of the last event. Raises ApiError for
 * a request that repeating does not help.
 */
export async function followEvents(runId, onEvents, { signal, after = 0, onText = () => {}, textAfter = 0 }) {
  let wait = FIRST_PAUSE_MS;
  let seconds = WAIT_SECONDS;
  while (!signal.aborted) {
    await untilVisible(signal);
    try {
      const sentAt = Date.now();
      const page = await readPage(runId, { after, text_after: textAfter }, seconds, signal);
      const pieces = inOrder(page.text ?? [], textAfter);
      textAfter += pieces.length;
      if (pieces.length) onText(pieces);
      const events = inOrder(page.events, after);
      after += events.length;
      if (events.length) onEvents(events);
      if (page.ended && !page.events.length) return after;
      // too many requests of the caller wait already: this one did not
      if (!events.length && !pieces.length && Date.now() - sentAt < SHORT_WAIT_MS) await pause(SHORT_WAIT_MS, signal);
      seconds = page.ended ? 0 : WAIT_SECONDS;
      wait = FIRST_PAUSE_MS;
    } catch (error) {
      if (isAbort(error) && signal.aborted) return after;
      if (isAbort(error)) continue; // the tab was hidden
      if (!isPassing(error)) throw error;
      await pause(retryPause(error, wait), signal);
      wait = Math.min(wait * 2, MAX_PAUSE_MS);
    }
  }
  return after;
}

/** The events that follow number `after` without a gap. */
export function inOrder(events, after) {
  const following = [];
  for (const event of [...events].sort((one, other) => one.number - other.number)) {
    if (event.number === after + following.length + 1) following.push(event);
  }
  return following;
}

/** A page of events. A hidden tab does not wait: browsers open few connections to one server. */
async function readPage(runId, known, seconds, signal) {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const abortIfHidden = () => document.hidden && abort();
  signal.addEventListener("abort", abort);
  document.addEventListener("visibilitychange", abortIfHidden);
  try {
    const query = { ...known, wait: seconds || null, limit: PAGE_SIZE };
    return await get(`/api/runs/${encodeURIComponent(runId)}/events`, query, { signal: controller.signal });
  } finally {
    signal.removeEventListener("abort", abort);
    document.removeEventListener("visibilitychange", abortIfHidden);
  }
}
