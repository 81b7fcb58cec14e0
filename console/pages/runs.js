/** The runs, newest first: filtered by status and caller on the server, by the rest here. */

import { replaceQuery } from "../address.js";
import { get } from "../api.js";
import { append, element, pageLink, replace, setText } from "../dom.js";
import { counted, duration } from "../format.js";
import { keepFresh } from "../live.js";
import { empty, loading, problem, showingProblems } from "../notices.js";
import { matches, RunList } from "../run-list.js";
import { RUN_STATUSES, hasEnded, statusBadge, statusWords } from "../status.js";
import { inline, shortened } from "../text.js";
import { relativeTime } from "../times.js";

const PAGE_SIZE = 50;
const MAX_CALLER_CHARACTERS = 256;
const COLUMNS = ["Status", "Prompt", "Assistant", "Model", "Rounds", "Took", "Started"];

export async function show(content, { query, signal }) {
  const list = new RunList();
  const rows = new Map();
  const filters = { status: query.status ?? "", assistant: query.assistant ?? "", caller: query.caller ?? "", text: query.text ?? "" };
  const body = element("tbody");
  const table = element("table", { class: "runs" },
    element("caption", { class: "unseen" }, "Runs, newest first"),
    element("thead", null, element("tr", null, COLUMNS.map((name) => element("th", { scope: "col", class: name.toLowerCase() }, name)))), body);
  const shown = element("p", { class: "muted count", role: "status" });
  const fresh = element("button", { type: "button", class: "fresh primary", hidden: true, onclick: showFresh });
  const more = element("button", { type: "button", class: "more", hidden: true, onclick: loadMore }, "Load more");
  const place = element("div", null, loading());
  const notice = element("div");
  const toolbar = makeToolbar();
  let waiting = null;
  let reading = 0;
  append(content, toolbar.node, notice, fresh, place, element("div", { class: "foot" }, shown, more));

  await load();
  keepFresh(refresh, { signal, onError: (error) => error.status && replace(notice, problem(error)) });

  function read(cursor) {
    return get("/api/runs", { limit: PAGE_SIZE, owner: filters.caller, status: filters.status, cursor }, { signal });
  }

  async function load() {
    const turn = ++reading;
    const page = await showingProblems(place, () => read(null));
    if (turn !== reading) return;
    list.runs.clear();
    list.next = undefined;
    fresh.hidden = true;
    if (!page) return clear();
    list.take(page);
    replace(notice);
    draw();
  }

  /** An error is shown in place of the table, whose runs were those of other filters. */
  function clear() {
    body.replaceChildren();
    rows.clear();
    more.hidden = true;
    setText(shown, "");
  }

  /** What has changed is shown at once; new runs only where they push nothing away that somebody looks at. */
  async function refresh() {
    const turn = reading;
    const page = await read(null);
    if (turn !== reading || signal.aborted) return false;
    replace(notice);
    const added = page.runs.filter(({ run_id }) => !list.runs.has(run_id));
    const isLookedAt = window.scrollY > 80 || body.contains(document.activeElement);
    if (added.length && isLookedAt && list.runs.size) {
      waiting = page;
      fresh.hidden = false;
      setText(fresh, `${added.length}${page.next_cursor > list.sorted[0].run_id ? " or more" : ""} new ${added.length === 1 ? "run" : "runs"}`);
      for (const run of page.runs) if (rows.has(run.run_id)) updateRun(run);
      return true;
    }
    const changed = list.take(page);
    if (changed) draw();
    return changed || page.runs.some(({ status }) => !hasEnded(status));
  }

  function updateRun(run) {
    list.runs.set(run.run_id, run);
    rows.get(run.run_id).update(run);
  }

  function showFresh() {
    list.take(waiting);
    fresh.hidden = true;
    draw();
    window.scrollTo(0, 0);
    body.querySelector("tr:not([hidden]) a.line")?.focus({ preventScroll: true });
  }

  async function loadMore() {
    more.disabled = true;
    const turn = reading;
    const cursor = list.next;
    const page = await showingProblems(notice, () => read(cursor));
    more.disabled = false;
    if (!page || turn !== reading) return;
    list.take(page, cursor);
    draw();
  }

  function draw() {
    if (!table.isConnected) replace(place, table);
    const sorted = list.sorted;
    for (const [id, row] of rows) {
      if (list.runs.has(id)) continue;
      row.node.remove();
      rows.delete(id);
    }
    let before = null;
    for (const run of sorted) {
      if (!rows.has(run.run_id)) rows.set(run.run_id, new RunRow(run));
      const { node } = rows.get(run.run_id);
      rows.get(run.run_id).update(run);
      const follows = before ? before.nextElementSibling : body.firstElementChild;
      if (follows !== node) body.insertBefore(node, follows);
      before = node;
    }
    toolbar.offer(sorted);
    applyFilters();
  }

  function applyFilters() {
    let matching = 0;
    for (const [id, row] of rows) {
      row.node.hidden = !matches(list.runs.get(id), filters);
      matching += row.node.hidden ? 0 : 1;
    }
    more.hidden = !list.next;
    const all = counted(rows.size, "run");
    setText(shown, matching === rows.size ? `${all}${list.next ? " loaded" : ""}` : `${matching} of ${all} loaded match`);
    const isEmpty = !rows.size && list.next === null;
    if (isEmpty) replace(place, nothing(filters));
  }

  function makeToolbar() {
    const status = element("select", { id: "filter-status", onchange: () => change("status", status.value, load) },
      element("option", { value: "" }, "all"), RUN_STATUSES.map((each) => element("option", { value: each }, statusWords(each))));
    status.value = filters.status;
    const assistant = element("select", { id: "filter-assistant", onchange: () => change("assistant", assistant.value, applyFilters) });
    const caller = element("input", { id: "filter-caller", type: "text", autocomplete: "off", spellcheck: "false", maxlength: MAX_CALLER_CHARACTERS, placeholder: "the whole name", value: filters.caller, onchange: () => change("caller", caller.value.trim(), load) });
    const callerField = element("div", { class: "filter wide", hidden: true }, element("label", { for: "filter-caller" }, "Caller"), caller);
    const text = element("input", { id: "filter-text", type: "search", autocomplete: "off", placeholder: "in the loaded runs", value: filters.text, oninput: () => change("text", text.value, applyFilters) });
    const known = new Set();
    const node = element("form", { class: "toolbar", role: "search", onsubmit: (event) => event.preventDefault() },
      element("div", { class: "filter" }, element("label", { for: "filter-status" }, "Status"), status),
      element("div", { class: "filter" }, element("label", { for: "filter-assistant" }, "Assistant"), assistant),
      callerField,
      element("div", { class: "filter wide" }, element("label", { for: "filter-text" }, "Text"), text));
    offerCaller();
    return { node, offer };

    /** Where the user sees only its own runs, there is nothing to choose. If that is not known, the API decides. */
    async function offerCaller() {
      const session = await get("/console/session", {}, { signal }).catch(() => null);
      callerField.hidden = session?.tenancy === "many" && !filters.caller;
    }

    function offer(runs) {
      const names = new Set([...runs.map((run) => run.assistant), filters.assistant].filter(Boolean));
      if (assistant.options.length && [...names].every((name) => known.has(name))) return;
      for (const name of names) known.add(name);
      replace(assistant, element("option", { value: "" }, "all"),
        [...known].sort().map((name) => element("option", { value: name }, shortened(name, 60))));
      assistant.value = filters.assistant;
    }
  }

  function change(name, value, then) {
    filters[name] = value;
    replaceQuery("/runs", filters);
    then();
  }
}

/** A line of the table. Only what has changed is written. */
class RunRow {
  constructor(run) {
    this.status = element("td", { class: "status-cell" });
    this.rounds = element("td", { class: "rounds number" });
    this.took = element("td", { class: "took number" });
    const details = element("span", { class: "details muted" }, inline(run.assistant, 60), " · ", inline(run.model, 60));
    const link = pageLink(`/runs/${run.run_id}`, inline(run.excerpt, 200));
    link.className = "line";
    this.node = element("tr", { "data-run": run.run_id }, this.status,
      element("td", { class: "prompt" }, link, details),
      element("td", { class: "assistant" }, inline(run.assistant, 60)),
      element("td", { class: "model" }, inline(run.model, 60)),
      this.rounds, this.took, element("td", { class: "started" }, relativeTime(run.created_at)));
  }

  update(run) {
    if (this.shownStatus !== run.status) replace(this.status, statusBadge(run.status));
    this.shownStatus = run.status;
    setText(this.rounds, String(run.round));
    setText(this.took, run.ended_at ? duration(Date.parse(run.ended_at) - Date.parse(run.created_at)) : "–");
  }
}

function nothing({ status, caller }) {
  if (caller) return empty(status ? `No run of this caller is ${statusWords(status)}.` : "There is no run of this caller.");
  if (status) return empty(`No run is ${statusWords(status)}.`);
  return empty("There are no runs yet. ", pageLink("/start", "Start a run"), ".");
}
