/** The batches, newest first. */

import { get } from "../api.js";
import { append, element, pageLink, replace } from "../dom.js";
import { count, dollars } from "../format.js";
import { keepFresh } from "../live.js";
import { empty, loading, problem, showingProblems } from "../notices.js";
import { progressBar } from "../progress.js";
import { hasEnded, statusBadge } from "../status.js";
import { inline } from "../text.js";
import { relativeTime } from "../times.js";

const PAGE_SIZE = 20;
const COLUMNS = ["Status", "Batch", "Progress", "Lines", "Failed", "Cost", "Started"];

export async function show(content, { signal }) {
  const batches = new Map();
  const rows = new Map();
  const body = element("tbody");
  const table = element("table", { class: "batches" }, element("caption", { class: "unseen" }, "Batches, newest first"),
    element("thead", null, element("tr", null, COLUMNS.map((name) => element("th", { scope: "col", class: name.toLowerCase() }, name)))), body);
  const place = element("div", null, loading());
  const notice = element("div");
  const more = element("button", { type: "button", class: "more", hidden: true, onclick: () => load(next) }, "Load more");
  let next;
  append(content, notice, place, more);

  await load(null);
  keepFresh(() => load(null, true), { signal, onError: (error) => error.status && replace(notice, problem(error)) });

  async function load(cursor, isRefresh = false) {
    const read = () => get("/api/batches", { limit: PAGE_SIZE, cursor }, { signal });
    const page = isRefresh ? await read() : await showingProblems(batches.size ? notice : place, read);
    if (!page) return false;
    replace(notice);
    let changed = false;
    for (const batch of page.batches) changed = take(batch) || changed;
    if (next === undefined || cursor !== null) next = page.next_cursor ?? null;
    more.hidden = next === null;
    const sorted = [...batches.values()].sort((one, other) => (one.created_at < other.created_at ? 1 : -1));
    sorted.forEach(({ batch_id: id }, index) => {
      if (body.children[index] !== rows.get(id)) body.insertBefore(rows.get(id), body.children[index] ?? null);
    });
    if (!batches.size) replace(place, empty("There are no batches yet. `upcall batch submit` starts one."));
    else if (!table.isConnected) replace(place, table);
    return changed || sorted.some(({ status }) => !hasEnded(status));
  }

  function take(batch) {
    const before = JSON.stringify(batches.get(batch.batch_id));
    batches.set(batch.batch_id, batch);
    if (before === JSON.stringify(batch)) return false;
    if (!rows.has(batch.batch_id)) rows.set(batch.batch_id, element("tr", { "data-batch": batch.batch_id }));
    const row = rows.get(batch.batch_id);
    if (row.contains(document.activeElement)) return true; // somebody is about to open it
    replace(row, cells(batch));
    return true;
  }
}

function cells(batch) {
  const link = pageLink(`/batches/${batch.batch_id}`, batch.batch_id);
  link.className = "line";
  const name = batch.input_key.split("/").at(-1);
  return [
    element("td", { class: "status-cell" }, statusBadge(batch.status)),
    element("td", { class: "batch" }, link, element("span", { class: "muted details always" }, inline(name, 80))),
    element("td", { class: "progress" }, progressBar(batch)),
    element("td", { class: "lines number" }, batch.lines === null || batch.lines === undefined ? "–" : count(batch.lines)),
    element("td", { class: "failed number" }, count(batch.counts.failed)),
    element("td", { class: "cost number" }, dollars(batch.counts.usage.usd)),
    element("td", { class: "started" }, relativeTime(batch.created_at)),
  ];
}
