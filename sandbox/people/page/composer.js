// Writing messages. Contents: the input field, the command menu, sending. Not here: showing messages.

import { attempt, get, post } from "./api.js";
import { h, icon, iconButton, spaced } from "./dom.js";
import { isPrivate, messagesOf, state } from "./store.js";

const parts = {};
const view = { commands: [], picked: -1 };

/** Creates the field and the menu; returns the elements below the messages. */
export function mountComposer() {
  parts.suggest = h("div", { class: "suggest", role: "listbox", "aria-label": "Commands" });
  parts.input = h("textarea", {
    class: "say",
    rows: 1,
    placeholder: "Message",
    "aria-label": "Message",
    oninput: typed,
    onkeydown: keyed,
  });
  parts.send = iconButton("send", "Send", submit, { class: "icon-button send" });
  parts.menu = h(
    "button",
    { class: "menu-button", type: "button", title: "Commands", onclick: toggleMenu },
    icon("menu"),
    "Menu",
  );
  parts.start = h("button", { class: "start-button", type: "button", onclick: () => say("/start") }, "START");
  parts.composer = h("div", { class: "composer" }, parts.menu, parts.input, parts.send);
  document.addEventListener("click", (event) => {
    if (!parts.composer.contains(event.target) && !parts.suggest.contains(event.target)) hideSuggest();
  });
  return [parts.suggest, parts.start, parts.composer];
}

/** Shows the input field, or the button that starts the chat. */
export function drawComposer() {
  const started = messagesOf(state.chatId).size > 0 || !isPrivate();
  const blocked = isPrivate() && state.chats.get(state.chatId)?.blocked;
  parts.composer.hidden = !started || blocked;
  parts.start.hidden = started && !blocked;
  parts.start.textContent = blocked ? "RESTART BOT" : "START";
}

/** Requests the commands that the current person may see here. */
export async function refreshCommands() {
  if (!state.me) return;
  const found = await get(`/telegram/client/commands?user_id=${state.me.user_id}&chat_id=${state.chatId}`).catch(
    () => ({ commands: [] }),
  );
  view.commands = found.commands;
  parts.menu.hidden = !view.commands.length;
}

function toggleMenu() {
  if (parts.suggest.classList.contains("open")) hideSuggest();
  else showSuggest(view.commands);
  parts.input.focus();
}

function typed() {
  parts.input.style.height = "auto";
  parts.input.style.height = `${Math.min(parts.input.scrollHeight, 120)}px`;
  const word = /^\/(\w*)$/.exec(parts.input.value);
  if (word) showSuggest(view.commands.filter((command) => command.command.startsWith(word[1].toLowerCase())));
  else hideSuggest();
}

function showSuggest(commands) {
  view.picked = -1;
  parts.suggest.replaceChildren(
    ...commands.map((command) =>
      h(
        "button",
        { type: "button", role: "option", class: "suggestion", onclick: () => pick(command.command) },
        h("strong", {}, `/${command.command}`),
        h("span", {}, command.description),
      ),
    ),
  );
  parts.suggest.classList.toggle("open", commands.length > 0);
}

export function hideSuggest() {
  parts.suggest.classList.remove("open");
}

function pick(command) {
  hideSuggest();
  if (command === "link") {
    const free = state.cast.phones[0];
    parts.input.value = `/link ${spaced(free.number)} ${free.name}`;
    parts.input.focus();
  } else {
    say(`/${command}`);
    parts.input.value = "";
  }
}

function keyed(event) {
  const options = [...parts.suggest.querySelectorAll(".suggestion")];
  const open = parts.suggest.classList.contains("open");
  if (open && ["ArrowDown", "ArrowUp"].includes(event.key)) {
    event.preventDefault();
    view.picked =
      (view.picked +
        (event.key === "ArrowDown" ? 1 : options.length - 1) +
        (view.picked < 0 && event.key === "ArrowUp" ? 1 : 0)) %
      options.length;
    options.forEach((option, place) => option.setAttribute("aria-selected", String(place === view.picked)));
  } else if (event.key === "Escape") {
    hideSuggest();
  } else if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    if (open && view.picked >= 0) options[view.picked].click();
    else submit();
  }
}

function submit() {
  const text = parts.input.value.trim();
  if (!text) return;
  parts.input.value = "";
  typed();
  say(text);
}

/** Sends a message as the current person, in the open chat. */
export function say(text) {
  return attempt(() =>
    post("/telegram/client/send", { user_id: state.me.user_id, chat_id: state.chatId, text, thread_id: state.thread }),
  );
}
