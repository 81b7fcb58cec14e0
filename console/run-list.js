/** The runs that a list has loaded, newest first, and what remains true of them when a page is read again. */

export class RunList {
  constructor() {
    this.runs = new Map();
    /** The cursor of the pages that follow; null if there are none. */
    this.next = undefined;
  }

  /** All runs, newest first. Ids sort by time. */
  get sorted() {
    return [...this.runs.values()].sort((one, other) => (one.run_id < other.run_id ? 1 : -1));
  }

  /**
   * Take the page that was read from `cursor` on; null is the first one. What the page covers and does not hold is in
   * the list no more: it has another status now. Returns whether anything has changed.
   */
  take(page, cursor = null) {
    const newest = this.sorted[0]?.run_id;
    const isCutOff = cursor === null && newest !== undefined && page.next_cursor && page.next_cursor > newest;
    if (isCutOff) this.runs.clear(); // more runs are new than a page holds
    const seen = new Set(page.runs.map(({ run_id }) => run_id));
    let changed = false;
    for (const id of [...this.runs.keys()]) {
      const isCovered = (cursor === null || id < cursor) && (!page.next_cursor || id >= page.next_cursor);
      if (isCovered && !seen.has(id)) changed = this.runs.delete(id) || changed;
    }
    for (const run of page.runs) {
      const before = this.runs.get(run.run_id);
      changed ||= !before || before.status !== run.status || before.round !== run.round || before.ended_at !== run.ended_at;
      this.runs.set(run.run_id, run);
    }
    const next = page.next_cursor ?? null;
    const isLast = this.next === undefined || isCutOff || next === null || (cursor !== null && cursor === this.next);
    if (isLast) this.next = next;
    return changed;
  }
}

/** Whether a loaded run is shown under these filters: its assistant, and a part of its excerpt. */
export function matches(run, { assistant, text }) {
  return (
    (!assistant || run.assistant === assistant) &&
    (!text || includes(`${run.excerpt} ${run.run_id} ${run.model}`, text))
  );
}

function includes(text, part) {
  return text.toLowerCase().includes(part.trim().toLowerCase());
}
