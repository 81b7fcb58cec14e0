/** What keeps a page up to date without asking more than it must: nothing is asked while nobody looks. */

import { isAbort, retryPause } from "./api.js";

/** Wait for so long; returns at once if the page is left, which `signal` tells. */
export function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done, { once: true });
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
  });
}

/** Wait until the tab is visible, or the page is left. */
export function untilVisible(signal) {
  if (!document.hidden || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    document.addEventListener("visibilitychange", check);
    signal.addEventListener("abort", check);
    function check() {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", check);
      signal.removeEventListener("abort", check);
      resolve();
    }
  });
}

/**
 * Call `refresh` again and again until the page is left. It returns whether something has changed. While nothing
 * changes, pauses grow from `first` to `most` milliseconds; after an error they do, too.
 */
export async function keepFresh(refresh, { signal, first = 2000, most = 15_000, onError = () => {} }) {
  let wait = first;
  while (!signal.aborted) {
    await pause(wait, signal);
    await untilVisible(signal);
    if (signal.aborted) return;
    try {
      wait = (await refresh()) ? first : Math.min(wait * 1.5, most);
    } catch (error) {
      if (isAbort(error)) return;
      onError(error);
      wait = Math.min(retryPause(error, wait * 2), most);
    }
  }
}
