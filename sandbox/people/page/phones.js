// Phones on the right: each is one number. What lives here: the cards and what can be done to a number.
// What never does: the chat. What is linked is asked of WhatsApp's stand-in once a second; it has no stream.

import { get, post } from "./api.js";
import { avatar, clock, h, icon, spaced, toast } from "./dom.js";
import { newestPicture, state, tell, watch } from "./store.js";

const EVERY_MS = 1000;
const cards = new Map(); // number → what is known and drawn of a phone
const parts = {};
export const known = { devices: [], reachable: true };

export function mountPhones(root) {
  parts.root = root;
  for (const phone of state.cast.phones) addPhone(phone.number, phone.name);
  for (const phone of JSON.parse(localStorage.getItem("phones") || "[]")) addPhone(phone.number, phone.name);
  root.append(adder());
  watch((kind, data) => {
    if (kind === "message" && !data.message.from.is_bot) addLinked(data.message.text);
    if (["message", "edit", "delete", "opened"].includes(kind)) drawPicture();
  });
  drawPicture();
  poll();
}

export const firstNumber = () => state.cast.phones[0].number;

function addPhone(number, name) {
  if (cards.has(number)) return;
  const card = { number, name, lost: false, silent: false, passkey: false, device: null, shape: "" };
  card.node = h("article", { class: "phone", data: { number }, "aria-label": `Phone ${name}` });
  cards.set(number, card);
  parts.root.insertBefore(card.node, parts.root.querySelector(".phone-adder"));
  draw(card);
}

/** Puts the phone on the desk whose number somebody links. */
function addLinked(text) {
  const found = /^\/link(?:@\w+)?\s+(\+|00)([\d ()/.-]{7,24})(.*)$/.exec(text);
  if (!found) return;
  const digits = found[2].replace(/\D/g, "");
  if (digits.length < 8 || digits.length > 15) return;
  addPhone(`+${digits}`, found[3].trim() || `Phone ${digits.slice(-4)}`);
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
    const devices = await get("/whatsapp/phone/devices");
    known.reachable = true;
    known.devices = devices;
    for (const device of devices)
      if (!cards.has(device.number)) addPhone(device.number, `Phone ${device.number.slice(-4)}`);
    for (const card of cards.values()) {
      card.device = devices.filter((device) => device.number === card.number).pop() || null;
      draw(card);
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
  const status = standing(card);
  card.node.dataset.standing = status.kind;
  const scan = h(
    "button",
    { type: "button", class: "scan", onclick: () => scanAs(card.number) },
    icon("scan"),
    h("span", {}, device ? "Link again" : "Scan the code in the chat"),
  );
  card.scan = scan;
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
    scan,
    h(
      "div",
      { class: "acts" },
      act(card, card.lost ? "wifi" : "nowifi", card.lost ? "Network back" : "Lose network", toggleNetwork, {
        pressed: card.lost,
      }),
      act(card, "silence", card.silent ? "Server answers" : "Server silent", toggleSilence, { pressed: card.silent }),
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
      act(card, "reload", "Reload page", (number) => post("/whatsapp/phone/reload", { number }), { needsPage: true }),
      act(card, "key", card.passkey ? "Give passkey" : "Ask passkey", togglePasskey, { pressed: card.passkey }),
    ),
  );
  drawPicture();
}

function standing({ device, lost }) {
  if (!device) return { kind: "none", title: "No linked device", detail: "Scan a code to link one." };
  const since = `linked ${clock(device.linked_at)}`;
  if (lost) return { kind: "bad", title: "Network lost", detail: device.state || since };
  if (device.online) return { kind: "good", title: "Switchboard · active now", detail: `${device.state}, ${since}` };
  if (device.page) return { kind: "busy", title: "Switchboard · connecting", detail: device.state || since };
  return { kind: "away", title: "Switchboard · offline", detail: since };
}

function act(
  card,
  name,
  label,
  action,
  { needsPage = false, needsDevice = false, pressed = false, calm = false } = {},
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
    { type: "button", class: "act", disabled: off, "aria-pressed": String(pressed), onclick: run, data: { act: name } },
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

/** Tells on each phone whether there is a code to scan. */
function drawPicture() {
  const picture = newestPicture();
  const wanted = picture && /\+\d[\d ]{7,20}/.exec(picture.text)?.[0].replaceAll(" ", "");
  for (const card of cards.values()) {
    card.scan.disabled = !picture;
    card.scan.classList.toggle(
      "ready",
      Boolean(picture) && (cards.has(wanted) ? card.number === wanted : !card.device),
    );
    card.scan.title = picture
      ? "Hold this phone in front of the chat"
      : "There is no code in the chat. Ask the bot for one: /link";
  }
}

/** Holds a phone in front of the newest picture in the chat; the picture is really decoded. */
export async function scanAs(number) {
  const picture = newestPicture();
  const card = cards.get(number);
  if (!picture) return toast("There is no code in the chat. Ask the bot for one: /link", "bad");
  card.node.classList.remove("scanning");
  void card.node.offsetWidth; // restarts the animation
  card.node.classList.add("scanning");
  try {
    const found = await post("/scan", { chat_id: picture.chat_id, message_id: picture.message_id, as: number });
    toast(found.passkey ? `${card.name}: WhatsApp asks for a passkey` : `${card.name} scanned the code`, "good");
    tell("scanned", { number });
  } catch (error) {
    toast(`${card.name}: ${error.message}`, "bad");
  }
}
