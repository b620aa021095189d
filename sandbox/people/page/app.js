// Assembles the page. Contents: the start sequence, the people at the top, the status lights. Not here: details.

import { attempt, get, post } from "./api.js";
import { avatar, h, icon, iconButton } from "./dom.js";
import { mountChat, openChat } from "./chat.js";
import { mountGuide } from "./guide.js";
import { known, mountPhones } from "./phones.js";
import { soundIsOn, toggleSound } from "./sound.js";
import { chatsOf, load, state, tell, watch } from "./store.js";
import { mountTrouble } from "./trouble.js";

const EVERY_MS = 2000;
const ROLES = { admin: "admin", operator: "operator", stranger: "new here" };
const byId = (id) => document.getElementById(id);
const lights = { bot: null, stream: true, program: null };

function drawPeople() {
  byId("people").replaceChildren(
    ...state.cast.people.map((person) => {
      const unread = chatsOf(person)
        .map((chat) => state.unread.get(chat.id))
        .filter(Boolean);
      const count = unread.reduce((total, each) => total + each.count, 0);
      return h(
        "button",
        {
          type: "button",
          class: "person",
          "aria-pressed": String(person === state.me),
          onclick: () => openChat(person, person.user_id),
        },
        avatar(person.first_name, "small"),
        h("span", {}, h("strong", {}, person.first_name), h("small", {}, ROLES[person.role] || person.role)),
        count > 0 && h("span", { class: `badge ${unread.some((each) => each.loud) ? "loud" : ""}` }, String(count)),
      );
    }),
  );
}

function drawTools() {
  const dark = document.documentElement.dataset.theme === "dark";
  byId("tools").replaceChildren(
    iconButton(
      soundIsOn() ? "sound" : "mute",
      soundIsOn() ? "Sound is on" : "Sound is off",
      () => {
        toggleSound();
        drawTools();
      },
      { "aria-pressed": String(soundIsOn()) },
    ),
    iconButton(dark ? "sun" : "moon", dark ? "Light" : "Dark", () => {
      setTheme(dark ? "light" : "dark");
      drawTools();
    }),
  );
}

function setTheme(theme) {
  const root = document.documentElement;
  root.classList.add("switching"); // prevents colours fading from one theme to the other
  root.dataset.theme = theme;
  localStorage.setItem("theme", theme);
  requestAnimationFrame(() => requestAnimationFrame(() => root.classList.remove("switching")));
}

let drawn = "";

function drawLights() {
  const light = (good, text) => h("span", { class: `status ${good ? "good" : "bad"}` }, h("i"), text);
  const listening = Boolean(lights.bot && (lights.bot.polling || lights.bot.webhook));
  const ended = Boolean(lights.program?.ours && !lights.program.running);
  const shape = JSON.stringify([listening, ended, known.reachable, lights.stream, lights.program?.lines?.at(-1)]);
  if (shape === drawn) return; // screen readers announce only changes
  drawn = shape;
  byId("lights").replaceChildren(
    ...(lights.stream
      ? [
          light(listening, ended ? "The bot has ended" : listening ? "Bot is listening" : "Bot is not listening"),
          light(known.reachable, known.reachable ? "WhatsApp stand-in" : "WhatsApp stand-in is away"),
        ]
      : [light(false, "The sandbox has stopped")]),
  );
  const banner = byId("banner");
  banner.hidden = !ended || !lights.stream;
  if (!banner.hidden)
    banner.replaceChildren(
      icon("crash"),
      h("span", {}, h("strong", {}, "The bot has ended. "), lastWord(lights.program)),
      h(
        "button",
        { type: "button", onclick: () => attempt(async () => took(await post("/program", { action: "start" }))) },
        "Start it again",
      ),
    );
}

/** The bot's last log line, without time and level. */
function lastWord(program) {
  const last = program.lines.at(-1) || "";
  return `${last.replace(/^[\d-]+ [\d:,.]+ \w+\s+/, "")} (exit code ${program.exit_code})`;
}

function took(program) {
  if (!program) return drawLights();
  lights.program = program;
  tell("program", program);
  drawLights();
}

async function pollLights() {
  lights.bot = await get("/telegram/client/me").catch(() => null);
  took(await get("/program").catch(() => lights.program));
  setTimeout(pollLights, EVERY_MS);
}

async function main() {
  drawTools();
  try {
    await load();
  } catch (error) {
    byId("device").replaceChildren(
      h(
        "div",
        { class: "empty" },
        icon("crash"),
        h("strong", {}, "The sandbox does not answer"),
        h("span", {}, error.message),
      ),
    );
    return;
  }
  watch((kind, data) => {
    if (kind === "stream") lights.stream = data.open;
    if (["message", "opened", "user"].includes(kind)) drawPeople();
    if (["stream", "devices"].includes(kind)) drawLights();
  });
  mountChat(byId("device"));
  openChat(state.cast.people[0], state.cast.people[0].user_id);
  mountPhones(byId("phones"));
  mountTrouble(byId("panels"));
  mountGuide(byId("guide"));
  pollLights();
  document.documentElement.dataset.ready = "true";
}

main();
