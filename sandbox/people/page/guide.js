// The newcomer's first minute. What lives here: five steps that tick themselves off. What never does: the steps' work.

import { h, icon, spaced } from "./dom.js";
import { say } from "./composer.js";
import { firstNumber, known, scanAs } from "./phones.js";
import { newestPicture, state, watch } from "./store.js";
import { post } from "./api.js";

const done = new Set();
let brokenAt = 0;
let root = null;

const STEPS = [
  { id: "hello", title: "Say hello", text: "Write to the bot.", label: "Send /start", run: () => say("/start") },
  {
    id: "link",
    title: "Link an account",
    text: "It answers with a QR code.",
    label: "Send /link",
    run: () => say(`/link ${spaced(firstNumber())} ${state.cast.phones[0].name}`),
  },
  {
    id: "scan",
    title: "Scan the code",
    text: "With a phone on the right.",
    label: "Scan",
    ready: () => Boolean(newestPicture()),
    run: () => scanAs(firstNumber()),
  },
  {
    id: "break",
    title: "Break it",
    text: "Crash its page.",
    label: "Crash it",
    ready: () => known.devices.some((device) => device.online),
    run: breakIt,
  },
  { id: "heal", title: "Watch it heal", text: "It comes back by itself." },
];

export function mountGuide(node) {
  root = node;
  if (localStorage.getItem("guide") === "closed") return;
  watch((kind, data) => {
    if (kind === "message" && !data.message.from.is_bot) {
      done.add("hello");
      if (data.message.text.startsWith("/link")) done.add("link");
    }
    if (kind === "broken") {
      brokenAt = Date.now() / 1000;
      done.add("break");
    }
    if (kind === "devices") {
      if (known.devices.length) for (const step of ["hello", "link", "scan"]) done.add(step);
      if (brokenAt && known.devices.some((device) => device.online && device.since > brokenAt + 0.5)) done.add("heal");
    }
    if (["message", "edit", "delete", "broken", "devices", "scanned"].includes(kind)) draw();
  });
  draw();
}

let shape = "";
function draw() {
  const now = STEPS.findIndex((step) => !done.has(step.id));
  const ready = now >= 0 && (STEPS[now].ready?.() ?? true);
  const fresh = JSON.stringify([[...done], now, ready]);
  if (fresh === shape) return;
  shape = fresh;
  root.replaceChildren(
    h(
      "ol",
      {},
      STEPS.map((step, place) =>
        h(
          "li",
          { class: done.has(step.id) ? "done" : place === now ? "now" : "" },
          h("span", { class: "number" }, done.has(step.id) ? icon("check") : String(place + 1)),
          h("div", {}, h("strong", {}, step.title), h("span", {}, step.text)),
          place === now && step.run && h("button", { type: "button", disabled: !ready, onclick: step.run }, step.label),
        ),
      ),
    ),
    h(
      "button",
      {
        type: "button",
        class: "icon-button",
        title: "Close the guide",
        "aria-label": "Close the guide",
        onclick: close,
      },
      icon("close"),
    ),
  );
  root.classList.toggle("finished", now < 0);
}

async function breakIt() {
  await post("/whatsapp/phone/crash", { number: known.devices.find((device) => device.online).number }).catch(() => {});
  brokenAt = Date.now() / 1000;
  done.add("break");
  draw();
}

function close() {
  localStorage.setItem("guide", "closed");
  root.replaceChildren();
}
