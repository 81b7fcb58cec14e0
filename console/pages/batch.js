/** One batch: how far it is, what it costs, its results. */

import { setTitle } from "../address.js";
import { get, isAbort, post } from "../api.js";
import { append, element, replace, setText, webLink } from "../dom.js";
import { bytes, count, counted, dollars, moment } from "../format.js";
import { explain } from "../failures.js";
import { factList } from "../facts.js";
import { folded, jsonOrText } from "../json-view.js";
import { keepFresh } from "../live.js";
import { loading, problem, showingProblems } from "../notices.js";
import { progressBar } from "../progress.js";
import { hasEnded, statusBadge } from "../status.js";
import { exact, inline, textBlock } from "../text.js";
import { relativeTime } from "../times.js";

export async function show(content, { parameter: id, signal, head, heading }) {
  const path = `/api/batches/${encodeURIComponent(id)}`;
  setText(heading, id);
  setTitle(id);
  const status = element("span", { role: "status" });
  const cancel = element("button", { type: "button", hidden: true, onclick: cancelBatch }, "Cancel the batch");
  append(head, element("div", { class: "head-line" }, status, cancel));
  const place = element("div", null, loading());
  const notice = element("div");
  const results = element("section", { hidden: true });
  append(content, notice, place, results);
  let shown = "";

  const first = await showingProblems(place, () => get(path, {}, { signal }));
  if (!first) return;
  draw(first);
  keepFresh(refresh, { signal, first: 1000, most: 10_000, onError: (error) => error.status && replace(notice, problem(error)) });

  async function refresh() {
    const before = shown;
    draw(await get(path, {}, { signal }));
    replace(notice);
    return before !== shown;
  }

  function draw(batch) {
    const text = JSON.stringify(batch);
    if (text === shown) return;
    shown = text;
    replace(status, statusBadge(batch.status));
    cancel.hidden = hasEnded(batch.status) || batch.status === "cancelling" || batch.status === "finalizing";
    replace(place, failureOf(batch), element("div", { class: "big-progress" }, progressBar(batch)), facts(batch), settings(batch));
    if (batch.results_url && results.hidden) showResults();
  }

  async function cancelBatch() {
    cancel.disabled = true;
    try {
      draw(await post(`${path}/cancel`));
    } catch (error) {
      if (!isAbort(error)) replace(notice, problem(error));
    }
    cancel.disabled = false;
  }

  async function showResults() {
    results.hidden = false;
    const list = element("div", null, loading());
    replace(results, element("h2", null, "Results"), list);
    const found = await showingProblems(list, () => get(`${path}/results`, {}, { signal }));
    if (!found) return;
    replace(list, element("p", { class: "muted" }, "The links are valid for an hour. Whoever has one can read the results."),
      element("ul", { class: "files" },
        found.files.map((file) => element("li", null,
          webLink(file.url, `Lines ${count(file.first_line)} to ${count(file.first_line + file.lines - 1)}`),
          element("span", { class: "muted" }, ` ${bytes(file.bytes)}`),
          file.failures_url && [" · ", webLink(file.failures_url, counted(file.failures, "failure"))])),
        element("li", null, webLink(found.manifest_url, "Manifest"))));
  }
}

function facts(batch) {
  const { counts } = batch;
  return factList([
    ["Lines", batch.lines === null || batch.lines === undefined ? "being counted" : count(batch.lines)],
    ["Completed", count(counts.completed)],
    ["Failed", count(counts.failed)],
    ["Cancelled", count(counts.cancelled)],
    ["Under way", count(batch.under_way ?? 0)],
    ["Waiting", batch.waiting === null || batch.waiting === undefined ? "–" : count(batch.waiting)],
    ["Tokens", count(counts.usage.total_tokens)],
    ["Model cost", dollars(counts.usage.usd)],
    ["Budget", batch.budget_usd === null || batch.budget_usd === undefined ? "none" : dollars(batch.budget_usd)],
    ["Started", relativeTime(batch.created_at)],
    batch.ended_at ? ["Ended", moment(batch.ended_at)] : batch.estimated_end_at && ["Likely to end", moment(batch.estimated_end_at)],
  ]);
}

function failureOf(batch) {
  if (!batch.failure) return null;
  const [why, what] = explain(batch.failure);
  return element("section", { class: "failure" }, element("p", null, element("strong", null, why), ` ${what}`),
    element("p", { class: "muted" }, inline(batch.failure.message, 500)));
}

function settings(batch) {
  return folded("How it was started", () => factList([
    ["Caller", inline(batch.owner, 200)],
    ["Inputs", element("code", null, exact(batch.input_key))],
    ["Format", batch.input_format],
    ["Concurrency", count(batch.concurrency)],
    ["Tolerated failures", `${Math.round(batch.tolerated_failures * 1000) / 10} %`],
    batch.prompt_template && ["Prompt template", textBlock(batch.prompt_template)],
    Object.keys(batch.defaults ?? {}).length > 0 && ["Defaults", jsonOrText(JSON.stringify(batch.defaults))],
    Object.keys(batch.metadata ?? {}).length > 0 && ["Metadata", jsonOrText(JSON.stringify(batch.metadata))],
  ]));
}
