/** All events of a run as a list, each with its number. It is made when it is opened, and then goes on. */

import { append, element } from "./dom.js";
import { count, timeOfDay } from "./format.js";
import { shortened } from "./text.js";

const PART = 200;
const HEAD = ["number", "at", "type"];

export class EventLog {
  constructor() {
    this.events = [];
    this.shown = 0;
    this.limit = PART;
    this.list = element("ol", { class: "events" });
    this.more = element("button", { type: "button", class: "quiet more", onclick: () => this.#showMore() });
    this.count = element("span", { class: "muted" });
    this.node = element("details", { class: "event-log", ontoggle: () => this.#draw() },
      element("summary", null, "Events ", this.count), this.list);
  }

  /** Take the next events. */
  add(events) {
    this.events.push(...events);
    this.count.textContent = count(this.events.length);
    this.#draw();
  }

  #draw() {
    if (!this.node.open) return;
    const end = Math.min(this.events.length, this.limit);
    append(this.list, this.events.slice(this.shown, end).map(eventLine));
    this.shown = Math.max(this.shown, end);
    if (this.shown < this.events.length) {
      this.more.textContent = `Show more (${count(this.events.length - this.shown)})`;
      this.node.append(this.more);
    } else this.more.remove();
  }

  #showMore() {
    this.limit += PART;
    this.#draw();
  }
}

function eventLine(event) {
  const fields = Object.entries(event).filter(([name, value]) => !HEAD.includes(name) && value !== null);
  const words = fields.map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(" · ");
  return element("li", { "data-number": event.number },
    element("span", { class: "number" }, String(event.number)), element("time", { datetime: event.at }, timeOfDay(event.at)),
    element("span", { class: "event-type" }, shortened(event.type, 60)), element("span", { class: "muted" }, shortened(words, 300)));
}
