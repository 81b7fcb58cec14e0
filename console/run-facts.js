/** The figures of a run, and what it was started with. */

import { element, pageLink, webLink } from "./dom.js";
import { count, dollars, duration, moment } from "./format.js";
import { factList } from "./facts.js";
import { folded, jsonOrText } from "./json-view.js";
import { inline, textBlock, visible } from "./text.js";
import { relativeTime } from "./times.js";

const LIMIT_NAMES = { rounds: "rounds", calls_per_round: "calls per round", seconds: "seconds", answer_seconds: "seconds for an answer", tokens: "tokens", usd: "dollars" };

/** Figures that change while the run goes on. */
export function runFacts(run) {
  const { usage } = run;
  return factList([
    ["Took", element("span", { "data-took": "" }, took(run))],
    ["Rounds", count(run.round)],
    ["Tool calls", count(run.tool_calls)],
    ["Tokens read", withPart(usage.input_tokens, usage.cached_tokens, "cached")],
    ["Tokens written", withPart(usage.output_tokens, usage.reasoning_tokens, "reasoning")],
    ["Model cost", dollars(usage.usd)],
    ["AWS cost, estimated", dollars(run.aws_usd)],
    run.waited_seconds > 0 && ["Waited", duration(run.waited_seconds * 1000)],
    ["Assistant", inline(run.assistant, 80)],
    ["Model", inline(run.model, 80)],
    ["Started", relativeTime(run.created_at)],
    run.attempt > 1 && ["Attempt", String(run.attempt)],
  ]);
}

/** How long the run took, or has taken so far. */
export function took(run) {
  return duration((run.ended_at ? Date.parse(run.ended_at) : Date.now()) - Date.parse(run.created_at));
}

/** What does not change: the fields of its request, and who sent it. */
export function runSettings(run) {
  return [
    ["Caller", pageLink(`/runs?caller=${encodeURIComponent(run.owner)}`, inline(run.owner, 300))],
    run.started_by && run.started_by !== run.owner && ["Started by", inline(run.started_by, 300)],
    ["Run API", inline(run.run_api, 40)],
    ["Changes are", run.updates ?? "–"],
    ["Created", moment(run.created_at)],
    run.ended_at && ["Ended", moment(run.ended_at)],
    ["Limits", Object.entries(run.limits).filter(([, value]) => value !== null).map(([name, value]) => `${count(value)} ${LIMIT_NAMES[name] ?? name}`).join(" · ")],
    run.previous_run_id && ["Continues", pageLink(`/runs/${run.previous_run_id}`, run.previous_run_id)],
    run.batch_id && ["Batch", [pageLink(`/batches/${run.batch_id}`, run.batch_id), `, line ${run.batch_line}`]],
    run.callback_url && ["Callback", webLink(run.callback_url, visible(run.callback_url))],
    run.temperature != null && ["Temperature", String(run.temperature)],
    run.max_output_tokens != null && ["Output tokens", count(run.max_output_tokens)],
    run.reasoning && ["Reasoning", inline(run.reasoning.effort, 40)],
    run.completion_window && ["Completion window", run.completion_window],
    run.stream && ["Message", "shown as the model writes it"],
    run.instructions && ["Instructions", textBlock(run.instructions)],
    Object.keys(run.metadata ?? {}).length > 0 && ["Metadata", jsonOrText(JSON.stringify(run.metadata))],
    run.tools?.length > 0 && ["Caller's tools", folded(run.tools.map(({ name }) => name).join(", "), () => jsonOrText(JSON.stringify(run.tools)))],
    run.response_format && ["Response format", folded("JSON schema", () => jsonOrText(JSON.stringify(run.response_format)))],
  ];
}

function withPart(all, part, word) {
  return part ? [count(all), element("span", { class: "muted" }, ` (${count(part)} ${word})`)] : count(all);
}
