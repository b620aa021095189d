// The phones on the right, one per number. Contents: the cards and the actions on a number.
// Not here: the chat. The sandbox is polled once a second for linked devices and events.

import { get, post } from "./api.js";
import { avatar, clock, h, icon, spaced, toast } from "./dom.js";
import { drawTimeline, take } from "./timeline.js";
import { codesInChats, meantFor, numbersIn, state, tell, watch } from "./store.js";

const EVERY_MS = 1000;
const cards = new Map(); // number → data and elements of a phone
const parts = {};
export const known = { devices: [], reachable: true };

export function mountPhones(root) {
  parts.root = root;
  for (const phone of state.cast.phones) addPhone(phone.number, phone.name);
  for (const phone of JSON.parse(localStorage.getItem("phones") || "[]")) addPhone(phone.number, phone.name);
  root.append(adder());
  watch((kind, data) => {
    if (kind === "message" && !data.message.from.is_bot) addLinked(data.message.text);
    if (["message", "edit", "delete", "opened", "code"].includes(kind)) {
      for (const message of codesInChats()) addOwner(message);
      drawScans();
    }
    if (kind === "scan-here") scan(meantFor(data.message, [...cards.values()]) || cards.get(firstNumber()), data.message);
  });
  for (const message of codesInChats()) addOwner(message);
  drawScans();
  poll();
}

export const firstNumber = () => state.cast.phones[0].number;

function addPhone(number, name) {
  if (cards.has(number)) return;
  const card = { number, name, lost: false, silent: false, passkey: false, device: null, shape: "" };
  card.node = h("article", { class: "phone", data: { number }, "aria-label": `Phone ${name}` });
  card.happened = h("div", { class: "happened" });
  cards.set(number, card);
  parts.root.insertBefore(card.node, parts.root.querySelector(".phone-adder"));
  draw(card);
}

const LINK = /^(?:\/link(?:@\w+)?\s+)?(\+|00)([\d ()/.-]{7,24})(.*)$/;

/** The number in a /link command, or sent alone as the answer to one; or null. */
function numberIn(text) {
  const digits = LINK.exec(text)?.[2].replace(/\D/g, "") || "";
  return digits.length < 8 || digits.length > 15 ? null : `+${digits}`;
}

/** Shows the phone whose number somebody links. */
function addLinked(text) {
  const number = numberIn(text);
  if (number) addPhone(number, LINK.exec(text)[3].trim() || `Phone ${number.slice(-4)}`);
}

/** Shows the phone that a code is for, however its number came to be linked: from a list, or as a contact card. */
function addOwner(message) {
  const numbers = numbersIn(message);
  if (numbers.length !== 1 || cards.has(numbers[0])) return;
  const before = message.text.split("\n")[0].split(" · ").slice(0, -1).pop() || "";
  const name = before.replace(/^[^\p{L}\p{N}]+/u, "");
  addPhone(numbers[0], /\p{L}{2}/u.test(name) && !/^\d+ of \d+$/.test(name) ? name : `Phone ${numbers[0].slice(-4)}`);
}

function adder() {
  const number = h("input", { type: "tel", placeholder: "+4915112345670", "aria-label": "Number of a new phone" });
  const add = (event) => {
    event.preventDefault();
    const digits = `+${number.value.replace(/\D/g, "")}`;
    if (digits.length < 9) return toast("A number looks like +4915112345670.", "bad");
    const name = `Phone ${digits.slice(-4)}`;
    addPhone(digits, name);
    const more = JSON.parse(localStorage.getItem("phones") || "[]");
    localStorage.setItem("phones", JSON.stringify([...more, { number: digits, name }]));
    number.value = "";
  };
  return h(
    "form",
    { class: "phone-adder", onsubmit: add },
    h("strong", {}, "One more phone"),
    h("div", {}, number, h("button", { type: "submit" }, icon("plus"), "Add")),
  );
}

async function poll() {
  try {
    const found = await get(take.path());
    const devices = found.devices;
    known.reachable = found.reachable;
    known.devices = devices;
    take(found);
    for (const device of devices)
      if (!cards.has(device.number)) addPhone(device.number, `Phone ${device.number.slice(-4)}`);
    for (const card of cards.values()) {
      card.device = devices.filter((device) => device.number === card.number).pop() || null;
      draw(card);
      drawTimeline(card.happened, card.number);
    }
  } catch {
    known.reachable = false;
  }
  tell("devices");
  setTimeout(poll, EVERY_MS);
}

function draw(card) {
  const device = card.device;
  const shape = JSON.stringify([
    device?.state,
    device?.online,
    device?.page,
    device?.linked_at,
    card.lost,
    card.silent,
    card.passkey,
  ]);
  if (shape === card.shape) return;
  card.shape = shape;
  const status = linkState(card);
  card.node.dataset.state = status.kind;
  const focused = card.node.contains(document.activeElement) ? document.activeElement.dataset.act : null;
  card.scanLabel = h("span", {}, "");
  card.scan = h(
    "button",
    { type: "button", class: "scan", onclick: () => scanAs(card.number), data: { act: "scan" } },
    icon("scan"),
    card.scanLabel,
  );
  card.node.replaceChildren(
    h(
      "div",
      { class: "phone-bar" },
      h("span", {}, clock(Date.now() / 1000)),
      h("span", { class: "phone-signal" }, card.silent && icon("silence"), icon(card.lost ? "nowifi" : "wifi")),
    ),
    h(
      "div",
      { class: "phone-owner" },
      avatar(card.name),
      h("div", {}, h("strong", {}, card.name), h("span", {}, spaced(card.number))),
    ),
    h(
      "div",
      { class: "linked" },
      h("span", { class: "linked-title" }, "Linked devices"),
      h(
        "div",
        { class: "linked-row" },
        h("span", { class: "light" }),
        h("div", {}, h("strong", {}, status.title), h("span", {}, status.detail)),
      ),
    ),
    card.scan,
    card.happened,
    h(
      "div",
      { class: "acts" },
      act(card, card.lost ? "wifi" : "nowifi", card.lost ? "Network back" : "Lose network", toggleNetwork, {
        toggle: true, pressed: card.lost,
      }),
      act(card, "silence", card.silent ? "Server answers" : "Server silent", toggleSilence, { toggle: true, pressed: card.silent }),
      act(card, "crash", "Crash page", (number) => post("/whatsapp/phone/crash", { number }), { needsPage: true }),
      act(card, "conflict", "Conflict", (number) => post("/whatsapp/phone/conflict", { number }), {
        needsPage: true,
      }),
      act(card, "logout", "Log out", (number) => post("/whatsapp/phone/logout", { number }), { needsDevice: true }),
      act(
        card,
        "message",
        "Message",
        (number) => post("/whatsapp/phone/message", { number, body: "Are you open today?" }),
        { needsDevice: true, calm: true },
      ),
      act(card, "hang", "Hang page", (number) => post("/whatsapp/phone/hang", { number }), { needsPage: true }),
      act(card, "reload", "Reload page", (number) => post("/whatsapp/phone/reload", { number }), { needsPage: true }),
      act(card, "key", card.passkey ? "Give passkey" : "Ask passkey", togglePasskey, { toggle: true, pressed: card.passkey }),
    ),
  );
  drawScans();
  if (focused) card.node.querySelector(`[data-act="${focused}"]`)?.focus();
}

function linkState({ device, lost }) {
  if (!device) return { kind: "none", title: "No linked device", detail: "Scan a code to link one." };
  const since = `linked ${clock(device.linked_at)}`;
  const page = device.state ? `its page: ${device.state.toLowerCase()}` : since;
  if (lost) return { kind: "bad", title: "Network lost", detail: page };
  if (device.online) return { kind: "good", title: "Switchboard · active now", detail: since };
  if (device.page) return { kind: "busy", title: "Switchboard · connecting", detail: page };
  return { kind: "away", title: "Switchboard · offline", detail: since };
}

function act(
  card,
  name,
  label,
  action,
  { needsPage = false, needsDevice = false, pressed = false, toggle = false, calm = false } = {},
) {
  const off = (needsPage && !card.device?.page) || (needsDevice && !card.device);
  const run = async () => {
    try {
      await action(card.number, card);
      if (!calm) tell("broken", { number: card.number, label });
      card.shape = "";
      draw(card);
    } catch (error) {
      toast(error.message, "bad");
    }
  };
  return h(
    "button",
    {
      type: "button",
      class: "act",
      disabled: off,
      "aria-pressed": toggle ? String(pressed) : null,
      onclick: run,
      data: { act: label },
    },
    icon(name),
    label,
  );
}

async function toggleNetwork(number, card) {
  await post("/whatsapp/phone/network", { number, lost: !card.lost });
  card.lost = !card.lost;
}

async function toggleSilence(number, card) {
  await post("/whatsapp/phone/silence", { number, on: !card.silent });
  card.silent = !card.silent;
}

async function togglePasskey(number, card) {
  await post("/whatsapp/phone/passkey", { number, action: card.passkey ? "approve" : "require" });
  card.passkey = !card.passkey;
  if (card.passkey) toast("The next scan by this phone asks for a passkey.");
}

/** The code that a phone would scan: the one meant for it, else the newest of the others, which is the wrong one. */
function codeFor(card) {
  const codes = codesInChats().map((message) => ({ message, owner: meantFor(message, [...cards.values()]) }));
  const own = codes.find((code) => code.owner === card) || (!card.device && codes.find((code) => code.owner === null));
  return own ? { ...own, own: true } : codes[0] ? { ...codes[0], own: false } : null;
}

/** Shows on each phone whether there is a code to scan, and for whom. */
function drawScans() {
  for (const card of cards.values()) {
    const code = codeFor(card);
    card.scan.disabled = !code;
    card.scan.classList.toggle("ready", Boolean(code?.own));
    card.scan.classList.toggle("wrong", Boolean(code && !code.own));
    card.scanLabel.textContent = !code
      ? "No code to scan"
      : code.own
        ? "Scan its code"
        : code.owner
          ? `Scan ${code.owner.name}’s code`
          : "Scan the code";
    card.scan.title = !code
      ? "There is no code in the chat. Ask the bot for one: /link"
      : code.own
        ? "Hold this phone in front of the chat"
        : "The wrong phone for that code: see what the bot makes of it";
  }
}

/** Scans the code in the chat with a phone; the picture is really decoded. */
export async function scanAs(number) {
  const card = cards.get(number);
  const code = codeFor(card);
  if (!code) return toast("There is no code in the chat. Ask the bot for one: /link", "bad");
  return scan(card, code.message);
}

async function scan(card, message) {
  card.node.classList.remove("scanning");
  void card.node.offsetWidth; // restarts the animation
  card.node.classList.add("scanning");
  try {
    const found = await post("/scan", { chat_id: message.chat_id, message_id: message.message_id, as: card.number });
    toast(found.passkey ? `${card.name}: WhatsApp asks for a passkey` : `${card.name} scanned the code`, "good");
    tell("scanned", { number: card.number });
  } catch (error) {
    toast(`${card.name}: ${error.message}`, "bad");
  }
}

/** Whether a chat contains a code that is meant for this number. */
export const hasCode = (number) => Boolean(cards.get(number) && codeFor(cards.get(number))?.own);

/** The number of anybody's last /link, else the first phone's. */
export function wantedNumber() {
  let newest = null;
  for (const messages of state.messages.values())
    for (const message of messages.values())
      if (!message.from?.is_bot && numberIn(message.text || "") && !(newest && newest.date > message.date))
        newest = message;
  return newest ? numberIn(newest.text) : firstNumber();
}
