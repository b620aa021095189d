// Faults on request, and the bot's reaction. Contents: WhatsApp's switches and Telegram's failures, both
// as listed by the stand-ins, the bot's process, the journal of its requests. Not here: phones and the chat.

import { attempt, get, post, remove } from "./api.js";
import { clock, h, icon } from "./dom.js";
import { watch } from "./store.js";
import { timelineBody } from "./timeline.js";

const JOURNAL_ROWS = 80;
const QUIET_MS = 250;
export function mountTrouble(root) {
  root.append(happenedPanel(), switchesPanel(), failuresPanel(), programPanel(), journalPanel());
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

// History of the phones

function happenedPanel() {
  const count = h("span", { class: "count" });
  const node = panel("What happened", "what you did, and how each phone came back", count, timelineBody(count));
  node.classList.add("happened-panel");
  return node;
}

// Lists by subject, with a search field

/** Groups `entries` by their subject, in the order of first mention; `draw` creates an entry's element. */
function bySubject(entries, draw, className) {
  const groups = new Map();
  for (const entry of entries) {
    const subject = entry.subject || "Other";
    if (!groups.has(subject)) groups.set(subject, []);
    groups.get(subject).push(draw(entry));
  }
  return [...groups].map(([subject, nodes]) =>
    h("section", { class: "subject" }, h("h3", {}, subject), h("div", { class: className }, nodes)),
  );
}

/** A field that hides entries without all of its words: `root` has subjects, each with entries of `selector`. */
function searchField(root, selector, label) {
  const none = h("p", { class: "nothing", hidden: true, role: "status" }, "Nothing has all these words.");
  const filter = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const subject of root.querySelectorAll(".subject")) {
      let left = 0;
      for (const node of subject.querySelectorAll(selector)) {
        const text = `${subject.firstChild.textContent} ${node.textContent}`.toLowerCase();
        node.hidden = !words.every((word) => text.includes(word));
        left += node.hidden ? 0 : 1;
      }
      subject.hidden = left === 0;
      shown += left;
    }
    none.hidden = shown > 0 || !words.length;
  };
  const field = h("input", { type: "search", placeholder: "Search", "aria-label": label, oninput: filter });
  return { field, none, filter };
}

// WhatsApp's edge cases

function switchesPanel() {
  const list = h("div", { class: "subjects" });
  const count = h("span", { class: "count", hidden: true });
  const search = searchField(list, ".switch", "Search the nasty cases");
  const draw = async () => {
    const switches = await get("/whatsapp/switches");
    const on = switches.filter((each) => each.value !== each.default).length;
    count.hidden = !on;
    count.textContent = `${on} on`;
    const focused = list.contains(document.activeElement) ? document.activeElement.id : null;
    list.replaceChildren(...bySubject(switches, (each) => switchRow(each, draw), "switches"));
    search.filter();
    if (focused) document.getElementById(focused)?.focus();
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
  const node = panel("Make WhatsApp nasty", "crashes, bans, endless loading, pages nobody knows", count, [search.none, list], {
    tools: [search.field, reset],
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
      { id, class: "choice", onchange: (event) => set(event.target.value) },
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
  const active = h("div", { class: "rules", role: "status", "aria-label": "Failures in force" });
  const list = h("div", { class: "subjects" });
  const count = h("span", { class: "count", hidden: true });
  const search = searchField(list, ".failure", "Search Telegram's failures");
  let rules = [];
  const draw = () => {
    const now = Date.now() / 1000;
    const live = rules.filter((rule) => rule.until === null || rule.until > now);
    count.hidden = !live.length;
    count.textContent = `${live.length} on`;
    active.replaceChildren(...live.map((rule) => ruleChip(rule, now)));
  };
  const refresh = () =>
    attempt(async () => {
      const found = await get("/telegram/client/faults");
      rules = found.faults;
      draw();
      if (list.children.length) return;
      list.append(...bySubject(found.presets, failureButton, "failures"));
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
  const body = [active, search.none, list];
  const node = panel("Make Telegram fail", "429, outages, lost answers, a revoked token", count, body, {
    tools: [search.field, heal],
  });
  node.classList.add("telegram-trouble");
  return node;
}

function ruleChip(rule, now) {
  const where = rule.method ? ` · ${rule.method}` : "";
  const until = rule.until
    ? `${Math.ceil(rule.until - now)} s`
    : rule.count
      ? `next ${rule.count}`
      : "until healed";
  const end = () => attempt(() => remove("/telegram/client/faults", { number: rule.number }));
  return h(
    "span",
    { class: "rule" },
    `${rule.kind}${where} · ${until}`,
    h("button", { type: "button", title: "End it", "aria-label": `End ${rule.kind}${where}`, onclick: end }, icon("close")),
  );
}

function failureButton(preset) {
  return h(
    "button",
    {
      type: "button",
      class: preset.grave ? "failure grave" : "failure",
      onclick: () => attempt(() => post(`/telegram/client/${preset.path}`, preset.rule)),
    },
    h("strong", {}, preset.label),
    h("span", {}, preset.detail),
  );
}

// The bot's process

function programPanel() {
  const count = h("span", { class: "count" });
  const lines = h("pre", { class: "lines-of-bot", tabIndex: 0, "aria-label": "What the bot wrote" });
  const act = (action, label, grave) =>
    h(
      "button",
      { type: "button", class: grave ? "quiet grave" : "quiet", onclick: () => attempt(() => run(action)) },
      label,
    );
  const buttons = { start: act("start", "Start it"), stop: act("stop", "Stop it"), kill: act("kill", "Kill it (-9)", true) };
  const node = panel("The bot’s process", "stop it, kill it, start it again, read its log", count, lines, {
    tools: Object.values(buttons),
  });
  const show = (found) => {
    node.hidden = !found.ours;
    if (!found.ours) return;
    count.textContent = found.running ? "runs" : "ended";
    count.classList.toggle("bad", !found.running);
    buttons.start.disabled = found.running;
    buttons.stop.disabled = buttons.kill.disabled = !found.running;
    const text = found.lines.join("\n") || "It has written nothing yet.";
    if (lines.textContent === text) return;
    const stick = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    lines.textContent = text;
    if (stick) lines.scrollTop = lines.scrollHeight;
  };
  const run = async (action) => show(await post("/program", { action }));
  watch((kind, data) => kind === "program" && show(data));
  node.classList.add("program-panel");
  node.hidden = true;
  return node;
}

// The bot's requests

function journalPanel() {
  const list = h("ol", { class: "journal", tabIndex: 0, "aria-label": "Requests, the newest first" });
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
