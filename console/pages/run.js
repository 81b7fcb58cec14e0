/** One run: where it stands, what it asked, what came back, what it cost, and why it failed. */

import { setTitle } from "../address.js";
import { get, isAbort, isPassing, post, retryPause } from "../api.js";
import { Ledger } from "../call-details.js";
import { append, element, pageLink, replace, setText } from "../dom.js";
import { EventLog } from "../event-log.js";
import { followEvents } from "../events.js";
import { explain } from "../failures.js";
import { factList } from "../facts.js";
import { folded } from "../json-view.js";
import { pause } from "../live.js";
import { messageView, writtenView } from "../message.js";
import { loading, problem } from "../notices.js";
import { openCallCard } from "../open-call.js";
import { runFacts, runSettings, took } from "../run-facts.js";
import { hasEnded, statusBadge } from "../status.js";
import { inline, shortened, textBlock } from "../text.js";
import { Timeline } from "../timeline.js";
import { Waterfall } from "../waterfall.js";

const TICK_MS = 500;
const TITLE_CHARACTERS = 110;
const SHORT_PROMPT = 600;

export async function show(content, { parameter: id, signal, head, heading }) {
  const path = `/api/runs/${encodeURIComponent(id)}`;
  const page = new RunPage(id, path, signal, head, heading);
  append(content, page.nodes);
  page.follow();
  await page.load();
}

class RunPage {
  constructor(id, path, signal, head, heading) {
    Object.assign(this, { id, path, signal, heading, run: null, after: 0, textAfter: 0, written: "", cards: new Map() });
    this.status = element("span", { role: "status" });
    this.cancel = element("button", { type: "button", hidden: true, onclick: () => this.#act("cancel") }, "Cancel the run");
    this.retry = element("button", { type: "button", hidden: true, onclick: () => this.#act("retry") }, "Retry");
    this.again = pageLink(`/start?like=${encodeURIComponent(id)}`, "Start one like it");
    append(head, element("div", { class: "head-line" }, this.status, element("code", { class: "id" }, id),
      element("span", { class: "spring" }), this.cancel, this.retry, this.again));
    this.notice = element("div", null, loading());
    this.failure = element("div");
    this.open = element("div", { class: "cards" });
    this.message = element("section", { class: "message", hidden: true });
    this.facts = element("div");
    this.prompt = element("section", { hidden: true });
    this.settings = element("div");
    this.timeline = new Timeline();
    this.ledger = new Ledger(id, signal);
    this.waterfall = new Waterfall(this.timeline, (group, call) => this.ledger.details(group, call, this.run?.open_calls ?? []));
    this.chart = element("section", { hidden: true }, element("h2", null, "Timeline"), this.waterfall.node);
    this.log = new EventLog();
    this.nodes = [this.notice, this.failure, this.open, this.facts, this.message, this.chart, this.prompt, this.settings, this.log.node];
    const timer = setInterval(() => this.#tick(), TICK_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  /** Read the run as it is now, and again if that was wished meanwhile, or as soon as there is a connection. */
  async load() {
    this.loadAgain = true;
    if (this.loading) return;
    this.loading = true;
    while (this.loadAgain && !this.signal.aborted) {
      this.loadAgain = false;
      try {
        this.#draw(await get(this.path, {}, { signal: this.signal }));
      } catch (error) {
        this.loadAgain = isPassing(error);
        if (this.loadAgain) await pause(retryPause(error), this.signal);
        else if (!isAbort(error)) replace(this.notice, problem(error));
      }
    }
    this.loading = false;
  }

  /** Take events until the run has ended. After a retry it goes on where it was. */
  async follow() {
    this.followAgain = this.following;
    if (this.following) return;
    this.following = true;
    try {
      const known = { after: this.after, textAfter: this.textAfter };
      const onText = (pieces) => this.#write(pieces);
      await followEvents(this.id, (events) => this.#take(events), { signal: this.signal, onText, ...known });
    } catch (error) {
      if (!isAbort(error)) replace(this.chart, element("h2", null, "Timeline"), problem(error));
      this.chart.hidden = false;
    }
    this.following = false;
    if (this.followAgain) this.follow();
  }

  #take(events) {
    this.after = events.at(-1).number;
    this.chart.hidden = false;
    this.waterfall.update(this.timeline.add(events), Date.now());
    this.log.add(events);
    if (this.written && events.some(({ type, round }) => type === "run.requires_action" && round > this.writtenRound)) {
      this.written = ""; // what it wrote before it asked for tools is no part of the message
      this.#showWritten();
    }
    const isEnded = this.run && hasEnded(this.run.status);
    if (!isEnded || events.some(({ type }) => type === "run.queued")) this.load();
  }

  /** Show what the model has written so far. A piece with the offset 0 begins anew. */
  #write(pieces) {
    this.textAfter = pieces.at(-1).number;
    for (const { offset, text, round } of pieces) {
      this.written = offset === 0 ? text : this.written + text;
      this.writtenRound = round;
    }
    if (!this.run || !hasEnded(this.run.status)) this.#showWritten();
  }

  #showWritten() {
    this.message.hidden = this.written === "";
    replace(this.message, this.written && writtenView(this.written));
  }

  #tick() {
    if (document.hidden || !this.timeline.groups.length || this.timeline.end !== null) return;
    this.waterfall.tick(Date.now());
    if (this.run && !hasEnded(this.run.status)) setText(this.facts.querySelector("[data-took]"), took(this.run));
  }

  #draw(run) {
    const isFirst = this.run === null;
    this.run = run;
    replace(this.notice);
    if (isFirst) this.#drawPrompt(run);
    if (this.status.dataset.status !== run.status) {
      this.status.dataset.status = run.status;
      replace(this.status, statusBadge(run.status));
    }
    this.cancel.hidden = hasEnded(run.status);
    this.retry.hidden = !hasEnded(run.status) || run.status === "completed";
    replace(this.facts, runFacts(run));
    replace(this.failure, run.failure && failureView(run.failure));
    this.#drawOpenCalls(run);
    const isOver = this.written !== "" && hasEnded(run.status);
    if (isOver || this.shownMessage !== run.message || this.shownUrl !== run.message_url) {
      this.written = isOver ? "" : this.written;
      this.shownMessage = run.message;
      this.shownUrl = run.message_url;
      const view = messageView(run, this.signal);
      this.message.hidden = view === null;
      replace(this.message, view);
    }
  }

  #drawPrompt(run) {
    const items = run.input ?? [{ role: "user", content: run.prompt ?? "" }];
    const last = items.at(-1).content;
    replace(this.heading, inline(last, TITLE_CHARACTERS));
    setTitle(shortened(last, 60));
    this.prompt.hidden = false;
    const views = items.map(({ role, content }) => [items.length > 1 && element("h3", { class: "role" }, role), textBlock(content, { links: true, label: "prompt" })]);
    const isShort = items.length === 1 && last.length <= SHORT_PROMPT;
    replace(this.prompt, isShort ? [element("h2", null, "Prompt"), views] : folded("Prompt", () => element("div", null, views), { className: "prompt" }));
    replace(this.settings, folded("How it was started", () => factList(runSettings(run))));
  }

  /** Cards stay as they were shown, so that nothing moves under somebody's hand; answered ones leave. */
  #drawOpenCalls(run) {
    const keys = new Set();
    for (const call of run.open_calls ?? []) {
      const key = `${run.attempt} ${call.id} ${call.arguments_digest}`;
      keys.add(key);
      if (this.cards.has(key)) continue;
      const card = openCallCard(run, call, { onAnswered: () => this.#answered() });
      this.cards.set(key, card);
      this.open.append(card);
    }
    for (const [key, card] of this.cards) {
      if (keys.has(key)) continue;
      card.remove();
      this.cards.delete(key);
    }
  }

  /** The card leaves the page, and the focus with it. */
  #answered() {
    this.heading.focus({ preventScroll: true });
    this.load();
  }

  async #act(action) {
    const button = this[action];
    button.disabled = true;
    try {
      this.#draw(await post(`${this.path}/${action}`));
      if (action === "retry") this.follow();
    } catch (error) {
      if (!isAbort(error)) replace(this.notice, problem(error));
    }
    button.disabled = false;
  }
}

function failureView(failure) {
  const [why, what] = explain(failure);
  return element("section", { class: "failure", "aria-labelledby": "why" },
    element("h2", { id: "why" }, failure.status === "cancelled" ? "Why it was cancelled" : "Why it failed"),
    element("p", null, element("strong", null, why), ` ${what}`),
    element("div", { class: "muted" }, textBlock(failure.message, { label: "message" })),
    element("p", { class: "muted small" }, "Code ", element("code", null, shortened(failure.code, 200))));
}
