/*
 * Every surface of the WhatsApp Web page that we use, in one place: its modules first, its DOM as the fallback.
 *
 * An expression whose value is an object of functions. It leaves nothing in the page, so it can be evaluated again
 * for each query. Nothing here throws if a build lacks a surface: the result is null.
 * Not here: when anything is read (watcher.js) and what it means (snapshot.py, reader.py).
 */
(function () {
  "use strict";

  const LONGEST_WORD = 40; // of a state
  const LONGEST_TEXT = 400; // of what a dialog says

  // --- modules ---------------------------------------------------------------------------------------------------

  /** One export of a module, or null if this build lacks it. */
  function exported(id, name) {
    try {
      const found = typeof window.require === "function" ? window.require(id) : null;
      return (found && found[name]) || null;
    } catch {
      return null;
    }
  }

  const socket = () => exported("WAWebSocketModel", "Socket");
  const stream = () => exported("WAWebStreamModel", "Stream");
  const conn = () => exported("WAWebConnModel", "Conn");
  const cmd = () => exported("WAWebCmd", "Cmd");
  const messages = () => exported("WAWebCollections", "Msg");

  function call(id, name, ...args) {
    try {
      const found = exported(id, name);
      return typeof found === "function" ? found(...args) : null;
    } catch {
      return null;
    }
  }

  /** A property of one of the page's objects; undefined if its getter throws, like one that is not there. */
  function read(model, name) {
    try {
      return model?.[name];
    } catch {
      return undefined;
    }
  }

  /** A function whose result is null if anything of the page that it reads throws. */
  const unfailing = (reads) => (...args) => {
    try {
      return reads(...args);
    } catch {
      return null;
    }
  };

  /** A string from the page, truncated: it may be of any length. */
  const word = (value) => (typeof value === "string" ? value.slice(0, LONGEST_WORD) : null);

  // --- DOM -------------------------------------------------------------------------------------------------------

  const one = (selector) => document.querySelector(selector);
  const DRAWN = { opacityProperty: true, visibilityProperty: true };

  /** Whether a person would see an element: it is drawn, has a size, and is not beside the screen. */
  function visible(element) {
    if (element === null || !element.checkVisibility(DRAWN)) return false;
    const { width, height, top, left, bottom, right } = element.getBoundingClientRect();
    return width > 1 && height > 1 && bottom > 0 && right > 0 && top < innerHeight && left < innerWidth;
  }
  const codeElement = () => {
    const found = one("[data-testid=link-device-qr-code]");
    return found && (found.hasAttribute("data-ref") ? found : found.querySelector("[data-ref]"));
  };
  const refreshButton = () => one("[data-testid=link_device_qr_expired_refresh_button]");

  const DIALOGS = "[role=dialog], [role=alertdialog], [aria-modal=true], [data-animate-modal-popup], dialog[open], :popover-open";
  const HEADLINES = "h1, h2, [role=heading]";
  const CHATS = "#pane-side, #main, [data-testid=chat-list]";

  const MODAL = "[role=alertdialog], [aria-modal=true], [data-animate-modal-popup], dialog:modal";
  const PASSWORDS = "input[type=password], input[autocomplete~=current-password]";

  const MOST_NESTED = 5; // shadow roots (node type 11) and documents of frames (9) inside each other

  /** What an element holds in a tree of its own: its shadow root, or the document of a frame of this origin; or null. */
  function inside(element) {
    try {
      return element.shadowRoot ?? element.contentDocument ?? null;
    } catch {
      return null; // of another origin
    }
  }

  /** An element, and the trees inside it, which a person sees as parts of it. */
  function treesOf(element, nested = 0) {
    const inner = nested < MOST_NESTED ? [element, ...element.querySelectorAll("*")].map(inside) : [];
    return [element, ...inner.filter((tree) => tree !== null).flatMap((tree) => treesOf(tree, nested + 1))];
  }

  const BUTTONS = "button, [role=button], input[type=button], input[type=submit]";
  const MOST_READ = 3000; // elements, and texts between them
  const DEEPEST = 200;

  /** Whether an element's words stand apart from those beside it, as those of blocks and buttons do, and what has room around it. */
  function standsApart(element, style) {
    const room = ["marginLeft", "marginRight", "paddingLeft", "paddingRight"].some((side) => parseFloat(style[side]) > 0);
    return room || !/^(inline|contents|ruby)/.test(style.display) || element.matches(`br, ${BUTTONS}`);
  }

  /** What a person sees in an element's place: its shadow root's content, or its frame's, or what is put into its slot. */
  function shownIn(element) {
    const tree = inside(element);
    if (tree !== null) return tree.nodeType === 9 ? [tree.body] : tree.childNodes;
    const slotted = element.matches("slot") ? element.assignedNodes() : [];
    return slotted.length > 0 ? slotted : element.childNodes;
  }

  const LINES = " · "; // between what stands apart, for people

  /** The words that a person sees in an element and in the trees inside it. between: what separates those that stand apart. */
  function text(element, between = " ") {
    let [words, left] = ["", MOST_READ];
    const read = (node, isSeen, depth) => {
      if (node?.nodeType === 3 && isSeen) words += node.data.slice(0, 4 * LONGEST_TEXT).replace(/\s+/g, " ");
      if (node?.nodeType !== 1 || left-- < 0 || depth > DEEPEST || words.length > 9 * LONGEST_TEXT) return;
      const style = getComputedStyle(node);
      if (style.display !== "contents" && !node.checkVisibility()) return;
      const apart = standsApart(node, style) ? "\n" : "";
      words += apart + (node.matches("input") && node.matches(BUTTONS) ? node.value : "");
      for (const each of shownIn(node)) read(each, style.visibility === "visible", depth + 1);
      words += apart;
    };
    read(element, true, 0);
    const lines = words.replace(/[\u00ad\u200b\u2060\ufeff]/g, "").split("\n").map((line) => line.replace(/ +/g, " ").trim());
    return lines.filter((line) => line !== "").join(between).slice(0, LONGEST_TEXT).trim();
  }
  const first = (selector, within = document) => [...within.querySelectorAll(selector)].find(visible) ?? null;

  const allOf = (box, selector) => treesOf(box).flatMap((tree) => [...tree.querySelectorAll(selector)]).filter(visible);

  /** What is in the middle of the screen, in the document and in each tree inside what is there: the innermost first. */
  function middles() {
    const found = [];
    let [tree, x, y] = [document, innerWidth / 2, innerHeight / 2];
    while (tree !== null && found.length <= MOST_NESTED) {
      const element = tree.elementFromPoint(x, y);
      if (found.length > 0 && (element === null || element.getRootNode() !== tree)) break;
      found.unshift(element);
      tree = element === null ? null : inside(element);
      if (tree?.nodeType === 9) {
        const { left, top } = element.getBoundingClientRect();
        [x, y] = [x - left - element.clientLeft, y - top - element.clientTop];
      }
    }
    return found;
  }
  const treeOf = (middle) => middle?.getRootNode() ?? document;
  /** The first visible element, where the middle of the screen is in a tree inside the document also there. */
  const firstSeen = (selector) => middles().map((middle) => first(selector, treeOf(middle))).find((each) => each !== null) ?? null;
  /** What can be pressed in a box: its buttons, or, where it has none, what takes their place. */
  function buttonsOf(box) {
    const found = allOf(box, BUTTONS);
    return found.length > 0 ? found : allOf(box, "[tabindex='0']");
  }

  /** Whether an element is a frame whose content cannot be read: another origin's, which may have been refused. */
  const isSealed = (element) => element.matches("iframe, frame, object, embed") && inside(element) === null && visible(element);

  /**
   * The box that lies upon the chats and does not say what it is, or null. It fills most of the screen, or the chats are
   * behind something else as well. It shares only the page itself with them, has words, and something to press, or is a
   * frame of which that is not known.
   */
  function plainCover(middle) {
    const chats = first(CHATS);
    if (chats === null || middle === null || middle === document.body || middle.closest(CHATS) !== null) return null;
    let box = middle;
    while (box.parentElement !== null && !box.parentElement.contains(chats)) box = box.parentElement;
    if (box.parentElement === null) return null;
    const { width, height, left, right } = box.getBoundingClientRect();
    const list = chats.getBoundingClientRect();
    const [x, y] = [(list.left + list.right) / 2, (list.top + list.bottom) / 2];
    const fills = width > 0.6 * innerWidth && height > 0.6 * innerHeight && left < x && x < right;
    const isBehind = (document.elementFromPoint(x, y)?.closest(CHATS) ?? null) === null;
    const asks = isSealed(middle) || (text(box) !== "" && buttonsOf(box).length > 0);
    return (fills || isBehind) && asks ? box : null;
  }

  /** What covers the page now: an element, or null. */
  const cover = () => middles().map(coverIn).find((box) => box !== null) ?? null;

  /** What covers the tree that `middle` is in, the topmost of several. For nested dialogs, the outer one. */
  function coverIn(middle) {
    const shown = [...treeOf(middle).querySelectorAll(DIALOGS)].filter(visible);
    // What is no modal dialog, such as a menu or a picker, covers the page only where it is in the middle of it.
    const covers = (box) => box.matches(MODAL) || box.querySelector(MODAL) !== null || box.contains(middle);
    const outermost = shown.filter((box) => !shown.some((other) => other !== box && other.contains(box))).filter(covers);
    return outermost.find((box) => box.contains(middle)) ?? outermost.at(-1) ?? plainCover(middle);
  }

  /** The field of the page's own lock, which stands in the place of the chats. */
  const lockField = () => (first(CHATS) !== null ? null : firstSeen(PASSWORDS));

  /** Text without the marks that nobody sees, which pages put into words. */
  const plain = (said) => said.normalize("NFC").replace(/[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, "");

  /** How the dialog about news is headed, in the languages of WhatsApp. */
  const NEWS = new RegExp(
    plain([
      "what.{0,2}s new", "new (on|in) whatsapp", "neu (bei|in) whatsapp", "was gibt.{0,2}s neues", "neuigkeiten", "novedades", "qué hay de nuevo",
      "novidades", "nouveautés", "quoi de neuf", "novità", "wat is er nieuw", "nieuw in whatsapp", "co nowego", "nowości", "yenilikler",
      "что нового", "що нового", "apa yang baru", "yang baru di whatsapp", "नया क्या है", "ما الجديد", "الجديد في", "מה חדש", "新功能", "新着情報", "最新情報", "새로운 기능", "새로운 소식",
      "nyheter", "nytt (i|på) whatsapp", "h?va(d er)? nyt", "nyheder", "nyt i whatsapp", "mitä uutta", "uutta whatsapp", "co je nového", "čo je nové", "novinky", "újdonságok",
      "ce este nou", "noutăți", "noutăţi", "какво ново", "(što|šta) (je|ima) novog?", "novosti", "што (е|има) ново", "шта је ново", "kaj je novega", "τι νέο", "τα νέα", "mis on uut", "kas jauns", "jaunumi",
      "kas naujo", "çfarë ka të re", "novetats", "yeniliklər", "yangilik", "жаңалық", "wat is nuut", "มีอะไรใหม่", "ใหม่ใน whatsapp", "có gì mới", "tính năng mới", "apa yang baharu", "anong? bago", "ano ang bago", "ano'ng bago",
      "nini kipya", "mambo mapya", "تازه‌ها", "تازه ها", "چه خبر", "نیا کیا", "নতুন কী", "नवीन काय", "નવું શું", "ਨਵਾਂ ਕੀ", "புதியது", "புதிதாக", "కొత్తవి", "కొత్తగా", "ಹೊಸದೇನು", "പുതിയത",
    ].join("|")),
    "iu",
  );

  /** Whether a dialog is the one about news: one button with a name, beside a nameless cross at most, and that headline. */
  const isNews = (box) => answersOf(box).length === 1 && NEWS.test(plain(text(headOf(box)) || text(box)));
  const headOf = (box) => allOf(box, HEADLINES)[0] ?? null;
  const answersOf = (box) => buttonsOf(box).filter((button) => text(button).length > 1);

  /** What covers the page: {words, known, locked}, or null. The headline comes first, so that it is not truncated. */
  function dialog() {
    const field = lockField();
    if (field !== null) {
      const box = field.closest(DIALOGS) ?? field.closest("div, form");
      const said = text(first(HEADLINES, box?.parentElement ?? document) ?? box, LINES);
      return { words: said || "locked", known: false, locked: true };
    }
    const box = cover();
    if (box === null || box.matches(CHATS) || box.querySelector(CHATS) !== null) return null;
    const [head, all] = [text(headOf(box), LINES), text(box, LINES)];
    const words = head === "" || all.startsWith(head) ? all : head + LINES + all;
    return { words: words.slice(0, LONGEST_TEXT), known: isNews(box), locked: false };
  }

  /** Whether a node is a dialog, or contains one. */
  const isDialog = (node) => node.nodeType === 1 && (node.matches(DIALOGS) || node.querySelector(DIALOGS) !== null);

  /** Press the known dialog's only button; false if there is none. */
  function dismiss() {
    const box = cover();
    if (box === null || !isNews(box)) return false;
    answersOf(box)[0].click();
    return true;
  }

  const PRIVATE = `${CHATS}, [role=grid], [role=list], [role=listbox], [role=row], [contenteditable], [data-ref], [data-link-code]`;

  /**
   * The most prominent text: of what covers the page, else its headline, else what it shows while it starts, else all
   * that it shows, unless that may be chats or a code.
   */
  function headline() {
    const found = dialog();
    if (found !== null) return found.words;
    const heads = middles().flatMap((middle) => [...treeOf(middle).querySelectorAll(HEADLINES)]);
    const head = heads.find((each) => visible(each) && each.closest(CHATS) === null);
    const said = text(head ?? one("#wa_web_initial_startup"), LINES);
    return said !== "" || first(PRIVATE) !== null ? said : text(document.body, LINES);
  }

  /** The known markers of the page that are visible now. */
  const marks = () => ({
    code: one("[data-testid=link-device-qr-code], [data-testid^=link-device-qrcode-alt-linking-]") !== null,
    expired: visible(refreshButton()),
    chats: first("#pane-side, [data-testid=chat-list]") !== null,
    startup: one("#wa_web_initial_startup") !== null,
  });

  // --- the linking code ------------------------------------------------------------------------------------------

  /** Five parts, or null: an incomplete code must never be shown to anybody. */
  function wellFormed(text) {
    if (typeof text !== "string") return null;
    const bare = text
      .replace("https://wa.me/settings/linked_devices#", "")
      .replace(",https://faq.whatsapp.com/r/ld", "");
    const parts = bare.split(",");
    const missing = (part) => part === "" || part === "undefined" || part === "null";
    return parts.length === 5 && !parts.some(missing) ? bare : null;
  }

  /** The code for the page's current ref, or null. The ref may have expired: only the socket's state tells. */
  async function codeOfModules() {
    try {
      const ref = conn()?.ref;
      if (typeof ref !== "string" || ref === "") return null;
      const encode = exported("WABase64", "encodeB64");
      const noise = await exported("WAWebUserPrefsInfoStore", "waNoiseInfo").get();
      const registration = await exported("WAWebSignalStoreApi", "waSignalStore").getRegistrationInfo();
      const secret = await call("WAWebUserPrefsMultiDevice", "getADVSecretKey");
      const platform = exported("WAWebCompanionRegClientUtils", "DEVICE_PLATFORM");
      const keys = [noise.staticKeyPair.pubKey, registration.identityKeyPair.pubKey].map((key) => encode(key));
      return conn()?.ref === ref ? wellFormed([ref, ...keys, secret, platform].join(",")) : null;
    } catch {
      return null;
    }
  }

  const codeOfDom = () => wellFormed(codeElement()?.getAttribute("data-ref"));

  /** Request new codes after the sixth, as older builds, newer ones, or people do. */
  function refreshCode() {
    const newer = exported("WAWebLaunchSocketUtils", "refreshQR");
    if (typeof cmd()?.refreshQR === "function") cmd().refreshQR();
    else if (typeof newer === "function") newer();
    else refreshButton()?.click();
  }

  // --- identity, progress and liveness -----------------------------------------------------------------------------

  const PHONE = ["c.us", "s.whatsapp.net"];
  const PREFERENCES = "WAWebUserPrefsMeUser";

  /** The linked address that the page has stored, as text: it may belong to a session that is over. */
  function keptWid() {
    try {
      return JSON.parse(localStorage.getItem("last-wid-md") ?? localStorage.getItem("last-wid") ?? "null");
    } catch {
      return null;
    }
  }

  /** The digits of an address (an object or text) of a phone; null for a hidden one (LID) or none. */
  function digitsOf(wid) {
    // A user's number, then the numbers of an agent and a device: 4915112345678.0:12@c.us
    const address = wid?._serialized ?? (wid?.user === undefined ? wid : `${wid.user}@${wid.server}`);
    const [, user, server] = /^(\d{5,15})(?:[.:]\d+)*(?:@([a-z.]+))?$/.exec(String(address ?? "")) ?? [];
    return user !== undefined && PHONE.includes(server) ? user : null; // without a server it may be a hidden one
  }

  /** Every address of the linked account that the page may have, the most reliable first. */
  const wids = () => {
    const known = ["getMaybeMeUser", "getMaybeMePnUser", "getMeUser", "getMaybeMeLidUser"].map((name) => call(PREFERENCES, name));
    // Leftovers of another session count only if a session is open.
    const late = word(read(socket(), "state")) === "CONNECTED" ? [read(conn(), "wid"), keptWid()] : [];
    const isWid = (wid) => typeof wid === "string" || read(wid, "user") !== undefined || read(wid, "_serialized") !== undefined;
    return [...known, ...late].filter(isWid);
  };

  /** The linked account's digits; "" if only an identity without a number is known; null for nobody. */
  function me() {
    const found = wids();
    return found.map(unfailing(digitsOf)).find((digits) => digits !== null) ?? (found.length > 0 ? "" : null);
  }

  // --- the sync ----------------------------------------------------------------------------------------

  let historyModule;
  let searchedAt = -Infinity;

  /** The model of the first history sync's progress, or null. Its module's name is unknown: it is found by its exports. */
  function history() {
    const name = "getHistorySyncProgressModel";
    if (historyModule === undefined && performance.now() - searchedAt > 5000) {
      searchedAt = performance.now();
      try {
        const all = window.require("__debug")?.modulesMap ?? {};
        historyModule = Object.values(all).map((each) => each?.exports).find((each) => typeof each?.[name] === "function");
      } catch {
        historyModule = undefined;
      }
    }
    try {
      return historyModule?.[name]() ?? call("WAWebHistorySyncProgressModel", name);
    } catch {
      return null;
    }
  }

  /** How much of the chats has been loaded by the start screen's bar, be it an element of its own or a drawn one, or null. */
  function bar() {
    const found = barElement();
    if (found === null) return null;
    if (found.position !== undefined) return found.position >= 0 ? 100 * found.position : null;
    if (found.ariaValueNow === null) return shareIn(found.ariaValueText ?? "");
    return (100 * Number(found.ariaValueNow)) / Number(found.ariaValueMax ?? 100);
  }

  /** The bar of the start screen, or the one that is there in the place of start screen and chats, or null. */
  function barElement() {
    const selector = "progress, [role=progressbar]";
    const startup = one("#wa_web_initial_startup");
    if (startup !== null) return startup.querySelector(selector);
    return first(CHATS) === null ? first(selector) : null;
  }

  /** A digit of any script as one of ours: each script has its ten in a row, from …0 or …6 on. */
  function digit(sign) {
    const point = sign.codePointAt(0);
    const place = point & 15;
    return String(/\p{Nd}/u.test(String.fromCodePoint(point - place)) ? place : place - 6);
  }

  /** The share that words tell, before or after its sign, or null. */
  function shareIn(words) {
    const said = words.replace(/\p{Nd}/gu, digit).replace(/(\d)[,٫](?=\d)/gu, "$1.");
    const [, after, before] = /(\d+(?:\.\d+)?) ?[%٪％﹪]|[%٪％﹪] ?(\d+(?:\.\d+)?)/u.exec(plain(said)) ?? [];
    return after === undefined && before === undefined ? null : Number(after ?? before);
  }

  /** The share that the start screen, or what is around the bar, has in its words, or null. */
  const share = () => shareIn(text(one("#wa_web_initial_startup") ?? barElement()?.parentElement));

  const seen = [null, null, null, null];
  let moving = null; // the source that moved last

  /**
   * How much of the chats has been loaded, 0 to 100, or null. Four sources may show it, any of which may stand still:
   * the one that moved last is used.
   */
  function percent() {
    const number = (value) => (typeof value === "number" && Number.isFinite(value) ? Math.round(100 * value) / 100 : null);
    const places = [
      () => (history()?.inProgress === true ? history().realProgress : null),
      () => exported("WAWebOfflineHandler", "OfflineMessageHandler")?.getOfflineDeliveryProgress?.(),
      bar,
      share,
    ];
    const told = places.map((read) => {
      try {
        return number(read());
      } catch {
        return null;
      }
    });
    const moved = told.findIndex((value, place) => value !== null && value !== seen[place]);
    if (moved !== -1) moving = moved;
    told.forEach((value, place) => (seen[place] = value));
    return (moving === null ? null : told[moving]) ?? told.find((value) => value !== null) ?? null;
  }

  /** The connection as the page describes it, read live; null for each value that cannot be read. all: more than that. */
  function live(all = false) {
    const synced = read(socket(), "hasSynced");
    return {
      ...(all ? { me: unfailing(me)(), dialog: unfailing(dialog)() } : {}),
      state: word(read(socket(), "state")),
      stream: word(read(socket(), "stream")),
      mode: word(read(stream(), "mode")),
      info: word(read(stream(), "displayInfo") ?? read(stream(), "info")),
      synced: typeof synced === "boolean" ? synced : null,
      chats: marks().chats,
      offline: first("[data-testid=alert-computer], [data-icon=alert-computer]") !== null,
    };
  }

  // --- the build ---------------------------------------------------------------------------------------------------

  /** The page's version, "" if it does not show one. */
  const build = () => word(exported("WAWebBuildConstants", "VERSION_STR") ?? window.Debug?.VERSION) ?? "";

  /** Which of the surfaces that we read exist in this build: {name: boolean}. */
  const parts = () => ({
    "socket": socket() !== null,
    "stream": stream() !== null,
    "linking code": conn() !== null,
    "keys": exported("WAWebUserPrefsInfoStore", "waNoiseInfo") !== null,
    "events": cmd() !== null,
    "identity": ["getMaybeMeUser", "getMaybeMePnUser"].some((name) => exported(PREFERENCES, name) !== null),
    "loading": exported("WAWebOfflineHandler", "OfflineMessageHandler") !== null || history() !== null,
    "messages": messages() !== null,
    "server query": ownQuery() !== null,
    "take over": typeof read(socket(), "takeover") === "function",
    "log out": typeof read(socket(), "logout") === "function",
  });

  /** Seconds until a block ends, if the page shows it, or null. */
  function blockEndsIn() {
    const told = exported("WAWebTemporaryBan", "TemporaryBan")?.expiresAt
      ?? one("[data-testid=temporary-ban]")?.getAttribute("data-expires-at");
    const end = Number(told ?? NaN);
    if (!(end > 0)) return null;
    const seconds = end > 1e11 ? end / 1000 : end; // both units occur in such fields
    return Math.max(0, seconds - Date.now() / 1000);
  }

  /** Our own address as one of the page's objects, or null. */
  const ownWid = () => {
    const [wid] = wids();
    return (typeof wid === "string" ? call("WAWebWidFactory", "createWid", wid) : wid) ?? null;
  };

  const ownQuery = () => exported("WAWebQueryExistsJob", "queryWidExists");

  /**
   * Whether the server answers a light query about our own address, be it a phone's or a hidden one.
   * null: no such query exists. An empty answer (nobody has that address) comes from the page itself: false.
   */
  async function serverAnswers() {
    const wid = unfailing(ownWid)();
    if (ownQuery() === null || wid === null) return null;
    try {
      const answer = await ownQuery()(wid);
      return answer !== null && answer !== undefined;
    } catch {
      return false;
    }
  }

  /** Announce to the server that we are online. It is sent, but never answered. */
  const sendPresence = () => void call("WAWebPresenceChatAction", "sendPresenceAvailable");

  function takeOver() {
    const model = socket();
    if (typeof model?.takeover !== "function") return false;
    model.takeover();
    return true;
  }

  /** Log this device out. only: the digits of the one account that may be, or null; "another" where it is not open. */
  async function logOut(only) {
    const model = socket();
    if (only !== null && me() !== only) return "another";
    if (typeof model?.logout !== "function") return false;
    await model.logout();
    return true;
  }

  return {
    socket, stream, conn, cmd, messages, marks, codeOfModules, codeOfDom, refreshCode, refreshButton, live, serverAnswers,
    sendPresence, takeOver, logOut, isDialog, dismiss, headline, parts, history,
    ref: () => {
      const ref = read(conn(), "ref");
      return typeof ref === "string" ? ref : null;
    },
    me: unfailing(me), percent: unfailing(percent), blockEndsIn: unfailing(blockEndsIn), dialog: unfailing(dialog), build: unfailing(build),
    canAsk: () => ownQuery() !== null && unfailing(ownWid)() !== null,
  };
})()
