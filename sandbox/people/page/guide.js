// The newcomer's first minutes. Contents: five steps, each ticked by the actual state and not by clicks; and
// the next thing to do, whatever went wrong. Not here: performing the steps.

import { attempt, post } from "./api.js";
import { say } from "./composer.js";
import { h, icon, spaced } from "./dom.js";
import { hasCode, known, scanAs, wantedNumber } from "./phones.js";
import { state, watch } from "./store.js";

const PATIENCE_MS = 45_000; // until a code that has not come is requested again
const SCAN_MS = 6_000; // a scan links within that time, or has failed
const HEAL_MS = 30_000;
const CRASH_TRIES = 10;
const facts = { askedAt: 0, codeAt: 0, broken: null };
let root = null;

const deviceOf = (number) => known.devices.filter((device) => device.number === number).pop();

/** The current state: the number that somebody wants to link, and how far that is. */
function look() {
  const number = wantedNumber();
  const wanted = deviceOf(number);
  const code = hasCode(number);
  const now = Date.now();
  if (code) Object.assign(facts, { codeAt: now, askedAt: 0 });
  if (!wanted) facts.broken = null; // what is no longer linked cannot recover
  const linked = Boolean(wanted);
  if (linked) facts.codeAt = 0; // that code has been used
  const scanning = now - facts.codeAt < SCAN_MS;
  const asked = now - facts.askedAt < PATIENCE_MS;
  const said = [...state.messages.values()].some((messages) =>
    [...messages.values()].some((message) => message.from && !message.from.is_bot),
  );
  const healed = Boolean(facts.broken && wanted?.online && wanted.since * 1000 > facts.broken + 500);
  return { number, wanted, code, linked, scanning, asked, said, healed, now };
}

const STEPS = [
  {
    id: "hello",
    past: "The bot knows you.",
    title: "Say hello",
    done: (is) => is.said,
    text: () => "Write to the bot.",
    label: "Send /start",
    run: () => say("/start"),
  },
  {
    id: "link",
    past: "It sent a QR code.",
    title: "Link an account",
    done: (is) => is.linked || is.code || is.scanning,
    text: (is) =>
      is.asked ? "It is on its way." : facts.codeAt ? "The code is gone." : "A QR code comes.",
    label: "Send /link",
    ready: (is) => !is.asked,
    run: (is) => {
      facts.askedAt = Date.now();
      const name = state.cast.phones.find((phone) => phone.number === is.number)?.name || "";
      return say(`/link ${spaced(is.number)} ${name}`.trim());
    },
  },
  {
    id: "scan",
    past: "The phone is linked.",
    title: "Scan the code",
    done: (is) => is.linked,
    text: (is) => (is.code ? "With its phone." : "With a phone on the right."),
    label: "Scan",
    ready: (is) => is.code,
    run: (is) => scanAs(is.number),
  },
  {
    id: "break",
    past: "You hurt it.",
    title: "Break it",
    done: () => facts.broken !== null,
    text: (is) => (is.linked && !is.wanted.online ? "Not connected now." : "Crash its page."),
    label: "Crash it",
    ready: (is) => Boolean(is.wanted?.online),
    run: (is) => attempt(() => crash(is.number).then(() => broke())),
  },
  {
    id: "heal",
    past: "It came back by itself.",
    title: "Watch it heal",
    done: (is) => is.healed,
    text: (is) =>
      facts.broken && is.now - facts.broken > HEAL_MS ? "Does it need you? See the chat." : "It comes back by itself.",
  },
];

/** Crash the page, as soon as one is open: after a new link it is loaded once more, and away for a moment. */
async function crash(number) {
  for (let tries = 1; ; tries++) {
    try {
      return await post("/whatsapp/phone/crash", { number });
    } catch (error) {
      if (tries === CRASH_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

function broke() {
  facts.broken = Date.now();
  draw();
}

export function mountGuide(node) {
  root = node;
  if (localStorage.getItem("guide") === "closed") return;
  watch((kind, data) => {
    if (kind === "broken" && data.number === wantedNumber() && deviceOf(data.number)) broke();
    if (["message", "edit", "delete", "devices", "scanned", "code"].includes(kind)) draw();
  });
  draw();
}

let shape = "";
function draw() {
  if (!root || localStorage.getItem("guide") === "closed") return;
  const is = look();
  let open = true; // a step counts only after those before it
  const steps = STEPS.map((step) => {
    open = open && Boolean(step.done(is));
    return { step, done: open, text: open ? step.past : step.text(is), ready: step.ready?.(is) ?? true };
  });
  const now = steps.findIndex((each) => !each.done);
  const fresh = JSON.stringify([steps.map((each) => [each.done, each.text, each.ready]), now]);
  if (fresh === shape) return;
  shape = fresh;
  const hadFocus = root.querySelector("li button") === document.activeElement && document.activeElement !== null;
  root.replaceChildren(
    h(
      "ol",
      {},
      steps.map(({ step, done, text, ready }, place) =>
        h(
          "li",
          { class: done ? "done" : place === now ? "now" : "", "aria-current": place === now ? "step" : null },
          h("span", { class: "number" }, done ? icon("check") : String(place + 1)),
          h("div", {}, h("strong", {}, step.title), h("span", {}, text)),
          place === now &&
            step.run &&
            h("button", { type: "button", disabled: !ready, onclick: () => step.run(look()) }, step.label),
        ),
      ),
    ),
    h(
      "button",
      { type: "button", class: "icon-button", title: "Close the guide", "aria-label": "Close the guide", onclick: close },
      icon("close"),
    ),
  );
  root.classList.toggle("finished", now < 0);
  const current = root.querySelector("li.now");
  if (hadFocus) current?.querySelector("button")?.focus();
  const row = root.querySelector("ol");
  if (current && row.scrollWidth > row.clientWidth) row.scrollTo({ left: current.offsetLeft - row.offsetLeft });
}

function close() {
  localStorage.setItem("guide", "closed");
  root.replaceChildren();
}
