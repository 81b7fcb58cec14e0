/** The calls that wait for a person, or for the run's caller, those that have waited longest first. */

import { get } from "../api.js";
import { append, element, replace, setText } from "../dom.js";
import { counted } from "../format.js";
import { keepFresh } from "../live.js";
import { empty, loading, problem, showingProblems } from "../notices.js";
import { openCallCard } from "../open-call.js";

const PAGE_SIZE = 20;

export async function show(content, { signal }) {
  const cards = new Map();
  const list = element("div", { class: "cards" });
  const state = element("p", { class: "muted", role: "status" });
  const notice = element("div", null, loading());
  const more = element("button", { type: "button", class: "more", hidden: true, onclick: loadMore }, "Load more");
  const pages = [null];
  let next = null;
  append(content, element("p", { class: "muted" }, "A decision holds for exactly the arguments that are shown. It is taken once."),
    state, notice, list, more);

  await showingProblems(notice, refresh);
  keepFresh(refresh, { signal, first: 3000, onError: (error) => error.status && replace(notice, problem(error)) });

  /** Read the pages that are shown again. A card stays as it was shown until the page is left. */
  async function refresh() {
    const runs = [];
    for (const cursor of pages) {
      const page = await get("/api/runs", { status: "requires_action", limit: PAGE_SIZE, cursor }, { signal });
      runs.push(...page.runs);
      next = page.next_cursor ?? null;
    }
    const views = await Promise.all(runs.map(readRun));
    const found = views.flatMap((run) => (run?.open_calls ?? []).map((call) => ({ run, call })));
    found.sort((one, other) => (one.call.since < other.call.since ? -1 : 1));
    const open = new Set();
    let changed = false;
    for (const { run, call } of found) {
      const id = `${run.run_id} ${run.attempt} ${call.id} ${call.arguments_digest}`;
      open.add(id);
      if (cards.has(id)) continue;
      const card = openCallCard({ ...run, excerpt: run.prompt ?? run.input?.at(-1)?.content }, call, { withRun: true });
      cards.set(id, { node: card });
      list.append(card);
      changed = true;
    }
    for (const [id, { node }] of cards) if (!open.has(id)) markGone(node);
    more.hidden = next === null;
    replace(notice, !cards.size && empty("No call waits. Tools that need an approval, and tools of callers, show up here."));
    setText(state, open.size ? `${counted(open.size, "call waits", "calls wait")}.` : "");
    return changed;
  }

  /** Somebody else has answered, or the run has ended. */
  function markGone(card) {
    const result = card.querySelector(".result");
    card.classList.add("gone");
    if (!result.textContent) setText(result, "This call waits no more.");
  }

  /** A run that has ended meanwhile has no open calls. */
  async function readRun({ run_id: runId }) {
    try {
      return await get(`/api/runs/${runId}`, {}, { signal });
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }

  async function loadMore() {
    pages.push(next);
    more.disabled = true;
    await showingProblems(notice, refresh);
    more.disabled = false;
  }
}
