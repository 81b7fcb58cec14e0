/**
 * What happened when, from the events of a run: one group for each round, with the model's thinking before it, its
 * calls, and what we took ourselves. Times are milliseconds since the first event.
 *
 * Kinds of spans: `model` (it thinks), `tools` (functions run), `waiting` (for a person, or for the run's caller)
 * and `overhead` (the rest: our own).
 */

export const KINDS = ["model", "tools", "waiting", "overhead"];

const ENDS = ["run.completed", "run.failed", "run.cancelled", "run.incomplete", "run.expired"];

export class Timeline {
  constructor() {
    this.start = null;
    this.end = null;
    this.latest = 0;
    this.groups = [];
    this.calls = 0;
  }

  /** Take the next events, in the order of their numbers. Returns the groups that have changed. */
  add(events) {
    const changed = new Set();
    for (const event of events) {
      this.start ??= Date.parse(event.at);
      // clocks of functions differ by milliseconds: time does not run backwards
      this.latest = Math.max(this.latest, Date.parse(event.at) - this.start);
      const before = this.groups.at(-1);
      this.#take(event, this.latest);
      changed.add(before).add(this.groups.at(-1));
    }
    changed.delete(undefined);
    return changed;
  }

  /** Milliseconds from the start to the end, or to `now` if the run has not ended. */
  total(now) {
    return Math.max(this.end ?? now - this.start, this.latest, 1);
  }

  /** How long each kind took in all, by kind, and the sum. What happens at the same time counts once. */
  totals(now) {
    const totals = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
    for (const group of this.groups) {
      for (const { kind, from, to } of this.spans(group, now)) totals[kind] += to - from;
    }
    return totals;
  }

  /** The spans of a group, one after the other, without gaps. */
  spans(group, now) {
    const end = this.total(now);
    return group.phases.flatMap(({ kind, from, to }) =>
      kind === "round" ? roundSpans(group, from, to ?? end, end) : [{ kind, from, to: to ?? end, open: to === null }],
    );
  }

  /** The spans of one call of a group. One that never ended takes until the end of the group. */
  callSpans(group, call, now) {
    const end = group.to ?? this.total(now);
    const waits = call.waits.map(({ from, to }) => ({ kind: "waiting", from, to: to ?? end, open: to === null }));
    if (call.ran) return [...waits, { kind: "tools", ...call.ran, open: false }];
    if (call.outcome || waits.some(({ open }) => open)) return waits;
    const from = waits.at(-1)?.to ?? call.asked;
    return [...waits, { kind: "tools", from, to: Math.max(end, from), open: group.to === null }];
  }

  #take(event, at) {
    const take = {
      "run.queued": () => this.#open(at, "overhead", event.attempt),
      "run.in_progress": () => this.#phase(at, "model"),
      "run.requires_action": () => this.#openRound(at, event),
      "tool_call.waiting": () => {
        const call = this.#call(event, at);
        call.waits.push({ from: at, to: null });
        call.waitsFor = event.waits_for;
      },
      "tool_call.answered": () => {
        const call = this.#call(event, at);
        closeWaits(call, at);
        Object.assign(call, { decision: event.decision, decidedBy: event.decided_by });
      },
      "tool_call.ended": () => this.#endCall(event, at),
      "round.ended": () => {
        this.#close(at);
        this.#open(at, "overhead");
      },
      "message.saved": () => {
        this.#phase(at, "overhead");
        this.groups.at(-1).message = event.characters;
      },
    }[event.type];
    if (take) take();
    else if (ENDS.includes(event.type)) this.#finish(event, at);
  }

  /** Begin a group. After a retry, the time between two attempts belongs to nobody. */
  #open(at, kind, attempt) {
    this.#close(at);
    this.end = null;
    this.groups.push({
      number: this.groups.length + 1,
      attempt: attempt ?? this.groups.at(-1)?.attempt ?? 1,
      round: null, from: at, to: null, calls: new Map(), message: null, ended: null,
      phases: [{ kind, from: at, to: null }],
    });
  }

  #close(at) {
    const group = this.groups.at(-1);
    if (!group || group.to !== null) return;
    group.to = at;
    const phase = group.phases.at(-1);
    phase.to ??= at;
    for (const call of group.calls.values()) closeWaits(call, at);
  }

  #phase(at, kind) {
    if (!this.groups.length) this.#open(at, kind);
    const group = this.groups.at(-1);
    group.phases.at(-1).to ??= at;
    group.phases.push({ kind, from: at, to: null });
  }

  #openRound(at, event) {
    this.#phase(at, "round");
    const group = this.groups.at(-1);
    group.round = event.round;
    for (const { call, name } of event.calls ?? []) this.#addCall(group, call, name, at);
  }

  /** The newest call of this id: another attempt may have asked for the same round again. */
  #call({ call: id, name }, at) {
    const group = this.groups.findLast(({ calls }) => calls.has(id));
    return group?.calls.get(id) ?? this.#addCall(this.groups.at(-1), id, name, at);
  }

  #addCall(group, id, name, at) {
    const call = { id, name, asked: at, waits: [], waitsFor: null, ran: null, outcome: null };
    if (!group.calls.has(id)) this.calls += 1;
    group.calls.set(id, call);
    return call;
  }

  #endCall(event, at) {
    const call = this.#call(event, at);
    closeWaits(call, at);
    call.outcome = event.outcome;
    call.bytes = event.output_bytes;
    if (event.started_at) {
      const from = Math.max(Date.parse(event.started_at) - this.start, 0);
      call.ran = { from, to: from + event.duration_ms };
      this.latest = Math.max(this.latest, call.ran.to);
    }
  }

  #finish(event, at) {
    if (!this.groups.length) this.#open(at, "overhead");
    this.groups.at(-1).ended = event.type.slice("run.".length);
    this.#close(at);
    this.end = Math.max(at, this.latest);
  }
}

function closeWaits(call, at) {
  for (const wait of call.waits) wait.to ??= at;
}

/** What the time of a round went to: tools first, then waiting, and the rest is ours. */
function roundSpans(group, from, to, now) {
  const tools = [];
  const waiting = [];
  for (const call of group.calls.values()) {
    if (call.ran) tools.push(call.ran);
    else if (!call.outcome && !call.waits.length) tools.push({ from: call.asked, to: now });
    for (const wait of call.waits) waiting.push({ from: wait.from, to: wait.to ?? now });
  }
  const edges = [from, to, ...[...tools, ...waiting].flatMap((span) => [span.from, span.to])]
    .filter((edge) => edge >= from && edge <= to)
    .sort((one, other) => one - other);
  const spans = [];
  for (let index = 1; index < edges.length; index += 1) {
    const [start, end] = [edges[index - 1], edges[index]];
    if (start === end) continue;
    const kind = covers(tools, start, end) ? "tools" : covers(waiting, start, end) ? "waiting" : "overhead";
    if (spans.at(-1)?.kind === kind) spans.at(-1).to = end;
    else spans.push({ kind, from: start, to: end, open: group.to === null && end === to });
  }
  return spans;
}

function covers(spans, from, to) {
  return spans.some((span) => span.from <= from && span.to >= to);
}
