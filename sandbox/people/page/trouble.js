// Trouble on request, and what the bot does about it. What lives here: WhatsApp's switches, Telegram's failures, the
// journal of what the bot asked. What never does: phones and the chat.

import { attempt, get, post, remove } from "./api.js";
import { clock, h, icon } from "./dom.js";
import { watch } from "./store.js";

const JOURNAL_ROWS = 80;
const QUIET_MS = 250;
const FAILURES = [
  { label: "Too many requests", detail: "429 for 15 s", rule: { kind: "429", seconds: 15, retry_after: 5 } },
  { label: "Telegram broken", detail: "502 for 20 s", rule: { kind: "502", seconds: 20 } },
  { label: "Telegram gone", detail: "every connection dies for 30 s", rule: { kind: "drop", seconds: 30 } },
  { label: "Telegram hangs", detail: "no answer for 20 s", rule: { kind: "hang", seconds: 20 } },
  {
    label: "Answer lost",
    detail: "next message arrives, its answer does not",
    rule: { kind: "lost", count: 1, method: "sendMessage" },
  },
  {
    label: "Edit lost",
    detail: "next text edit is done, its answer lost",
    rule: { kind: "lost", count: 1, method: "editMessageText" },
  },
  { label: "Another poller", detail: "409 once", rule: { kind: "409", count: 1, method: "getUpdates" } },
  { label: "Slow network", detail: "each call 3 s late for 30 s", rule: { kind: "slow", seconds: 30, delay: 3 } },
  { label: "Token revoked", detail: "401 until healed: ends the bot", rule: { kind: "401" }, grave: true },
];

export function mountTrouble(root) {
  root.append(switchesPanel(), failuresPanel(), journalPanel());
}

function panel(title, hint, count, body, { open = false, tools = [] } = {}) {
  return h(
    "details",
    { class: "panel", open },
    h(
      "summary",
      {},
      icon("chevron"),
      h("span", { class: "panel-title" }, title),
      count,
      h("span", { class: "panel-hint" }, hint),
    ),
    h("div", { class: "panel-body" }, tools.length ? h("div", { class: "panel-tools" }, tools) : null, body),
  );
}

// WhatsApp's nasty cases

function switchesPanel() {
  const list = h("div", { class: "switches" });
  const count = h("span", { class: "count", hidden: true });
  const draw = async () => {
    const switches = await get("/whatsapp/switches");
    const on = switches.filter((each) => each.value !== each.default).length;
    count.hidden = !on;
    count.textContent = `${on} on`;
    list.replaceChildren(...switches.map((each) => switchRow(each, draw)));
  };
  const reset = h(
    "button",
    {
      type: "button",
      class: "quiet",
      onclick: () =>
        attempt(async () => {
          await post("/whatsapp/switches", { reset: true });
          await draw();
        }),
    },
    "Everything back to normal",
  );
  const node = panel("Make WhatsApp nasty", "crashes, bans, endless loading, pages nobody knows", count, list, {
    tools: [reset],
  });
  node.classList.add("whatsapp-trouble");
  attempt(draw);
  node.addEventListener("toggle", () => node.open && attempt(draw));
  return node;
}

function switchRow(given, draw) {
  const set = (value) =>
    attempt(async () => {
      await post("/whatsapp/switches", { name: given.name, value });
      await draw();
    });
  const id = `switch-${given.name}`;
  let control;
  if (given.kind === "flag") {
    control = h("input", {
      type: "checkbox",
      role: "switch",
      class: "toggle",
      id,
      checked: given.value,
      onchange: (event) => set(event.target.checked),
    });
  } else if (given.kind === "choice") {
    control = h(
      "select",
      { id, onchange: (event) => set(event.target.value) },
      given.choices.map((choice) => h("option", { value: choice, selected: choice === given.value }, choice)),
    );
  } else {
    control = h("input", {
      type: "number",
      id,
      min: 0,
      value: given.value,
      onchange: (event) => set(Number(event.target.value)),
    });
  }
  return h(
    "div",
    { class: `switch ${given.value === given.default ? "" : "on"}` },
    h("label", { for: id }, h("strong", {}, readable(given.name)), h("span", {}, given.help)),
    h("span", { class: "takes", title: "When it takes effect" }, given.takes),
    control,
  );
}

function readable(name) {
  return name.replaceAll("_", " ").replace(/\b(qr|dns|csp|http)\b/g, (word) => word.toUpperCase());
}

// Telegram's failures

function failuresPanel() {
  const active = h("div", { class: "rules" });
  const count = h("span", { class: "count", hidden: true });
  let rules = [];
  const draw = () => {
    const now = Date.now() / 1000;
    const live = rules.filter((rule) => rule.until === null || rule.until > now);
    count.hidden = !live.length;
    count.textContent = `${live.length} on`;
    active.replaceChildren(
      ...live.map((rule) =>
        h(
          "span",
          { class: "rule" },
          `${rule.kind}${rule.method ? ` · ${rule.method}` : ""} · ${rule.until ? `${Math.ceil(rule.until - now)} s` : rule.count ? `next ${rule.count}` : "until healed"}`,
          h(
            "button",
            {
              type: "button",
              title: "End it",
              onclick: () => attempt(() => remove("/telegram/client/faults", { number: rule.number })),
            },
            icon("close"),
          ),
        ),
      ),
    );
  };
  const refresh = () =>
    attempt(async () => {
      rules = (await get("/telegram/client/faults")).faults;
      draw();
    });
  watch((kind, data) => {
    if (kind === "faults") {
      rules = data.rules;
      draw();
    }
    if (kind === "fault") refresh();
  });
  setInterval(draw, 1000);
  refresh();
  const heal = h(
    "button",
    { type: "button", class: "quiet", onclick: () => attempt(() => remove("/telegram/client/faults")) },
    icon("heart"),
    "Heal everything",
  );
  const buttons = h(
    "div",
    { class: "failures" },
    FAILURES.map((failure) =>
      h(
        "button",
        {
          type: "button",
          class: failure.grave ? "failure grave" : "failure",
          onclick: () => attempt(() => post("/telegram/client/faults", failure.rule)),
        },
        h("strong", {}, failure.label),
        h("span", {}, failure.detail),
      ),
    ),
  );
  const node = panel("Make Telegram fail", "429, outages, lost answers, a revoked token", count, [active, buttons], {
    tools: [heal],
  });
  node.classList.add("telegram-trouble");
  return node;
}

// What the bot asked

function journalPanel() {
  const list = h("ol", { class: "journal" });
  const count = h("span", { class: "count" });
  let last = 0;
  let waiting = null;
  let total = 0;
  const refresh = () =>
    attempt(async () => {
      waiting = null;
      const { requests } = await get(`/telegram/client/requests?after=${last}`);
      for (const request of requests) {
        if (request.outcome === "pending" && request.method !== "getUpdates") break;
        last = request.number;
        if (request.method === "getUpdates" && ["ok", "client left", "pending"].includes(request.outcome)) continue;
        total += 1;
        list.prepend(journalRow(request));
      }
      count.textContent = String(total);
      while (list.children.length > JOURNAL_ROWS) list.lastChild.remove();
    });
  watch((kind) => {
    if (["request", "fault", "limited"].includes(kind)) waiting ??= setTimeout(refresh, QUIET_MS);
  });
  refresh();
  const node = panel("What the bot asked of Telegram", "each request, as it was answered", count, list);
  node.classList.add("journal-panel");
  return node;
}

function journalRow(request) {
  const good = request.outcome === "ok";
  const said = request.parameters.text || request.parameters.caption || "";
  const detail = JSON.stringify(request.parameters, null, 1);
  return h(
    "li",
    { class: good ? "" : "bad" },
    h(
      "details",
      {},
      h(
        "summary",
        {},
        h("time", {}, clock(request.at, { withSeconds: true })),
        h("strong", {}, request.method),
        h(
          "span",
          { class: "said" },
          good
            ? String(said)
                .replace(/<[^>]+>/g, "")
                .slice(0, 90)
            : request.outcome,
        ),
        h("span", { class: "took" }, request.took === null ? "" : `${(request.took * 1000).toFixed(0)} ms`),
      ),
      h("pre", {}, detail),
    ),
  );
}
