// The history of a phone. Contents: the newest lines and the strip of the last minutes on each card, and the
// panel with everything. Not here: polling; phones.js does that, for all at once.

import { clock, h } from "./dom.js";
import { state } from "./store.js";

const SHOWN = 3;
const STRIP_SECONDS = 300;
const known = { run: "", last: 0, entries: [] };
let panel = null;

/** Stores the answer of `/phones`; `take.path()` is the next request's path. */
export function take(found) {
  if (found.run !== known.run) Object.assign(known, { run: found.run, last: 0, entries: [] });
  const fresh = found.timeline.filter((entry) => entry.number > known.last);
  known.entries.push(...fresh);
  if (fresh.length) known.last = fresh[fresh.length - 1].number;
  if (fresh.length && panel) drawPanel();
}

take.path = () => `/phones?after=${known.last}&run=${known.run}`;

const of = (number) => known.entries.filter((entry) => entry.phone === null || entry.phone === number);

/** Draws a phone's newest lines and its state in the last minutes. */
export function drawTimeline(node, number) {
  const entries = of(number);
  const shape = `${entries.at(-1)?.number}`;
  if (node.dataset.shape !== shape) {
    node.dataset.shape = shape;
    node.replaceChildren(
      h("div", { class: "strip", role: "img" }),
      h("ol", { class: "lines", "aria-label": "What happened" }, entries.slice(-SHOWN).map(line)),
    );
    node.hidden = !entries.length;
  }
  if (!node.hidden) drawStrip(node.querySelector(".strip"), entries);
}

function line(entry) {
  return h(
    "li",
    { class: entry.kind },
    h("time", {}, clock(entry.at, { withSeconds: true })),
    h("span", {}, entry.text, entry.seconds !== null && h("strong", {}, ` again, after ${spoken(entry.seconds)}`)),
  );
}

export const spoken = (seconds) => (seconds < 60 ? `${seconds}\u00a0s` : `${Math.round(seconds / 60)}\u00a0min`);

function drawStrip(strip, entries) {
  const now = Date.now() / 1000;
  const from = now - STRIP_SECONDS;
  const turns = entries.filter((entry) => entry.link_state !== null);
  const spans = [];
  let at = from;
  let state = turns.filter((entry) => entry.at <= from).at(-1)?.link_state || "none";
  for (const entry of [...turns.filter((turn) => turn.at > from), { at: now, link_state: null }]) {
    if (entry.at > at) spans.push({ state, seconds: entry.at - at });
    at = Math.max(at, entry.at);
    state = entry.link_state;
  }
  const good = spans.filter((span) => span.state === "good").reduce((sum, span) => sum + span.seconds, 0);
  strip.setAttribute("aria-label", `Connected for ${spoken(Math.round(good))} of the last five minutes`);
  strip.title = strip.getAttribute("aria-label");
  strip.replaceChildren(
    ...spans.map((span) => {
      const part = h("i", { class: span.state });
      part.style.flexGrow = String(span.seconds);
      return part;
    }),
  );
}

/** Creates the body of the panel with the history of all phones, newest first. */
export function timelineBody(count) {
  panel = { list: h("ol", { class: "lines all", tabIndex: 0, "aria-label": "What happened to all phones" }), count };
  drawPanel();
  return panel.list;
}

function drawPanel() {
  const nameOf = (number) => state.cast.phones.find((phone) => phone.number === number)?.name || number;
  panel.count.textContent = String(known.entries.length);
  panel.list.replaceChildren(
    ...known.entries
      .slice(-100)
      .reverse()
      .map((entry) => {
        const node = line(entry);
        node.insertBefore(h("em", {}, entry.phone ? nameOf(entry.phone) : "All"), node.lastChild);
        return node;
      }),
  );
}
