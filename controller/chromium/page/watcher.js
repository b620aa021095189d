/*
 * Watches the page from its start and sends a complete snapshot each time anything in it has changed.
 *
 * A function of (surfaces, name of the binding, secret, ms), run in every document before the page's own scripts. It
 * subscribes first and reads afterwards; what no event covers is polled: every second, and every seven seconds once
 * the page is connected. Built-ins used here are captured at once, since the page may replace them later.
 * The page itself cannot send anything: the binding is gone from `window` before its first script runs, and a message
 * without the secret is ignored. It can only provoke more messages, which are therefore limited in size and rate.
 * Not here: where things are in the page (surfaces.js) and what they mean (reader.py).
 */
(function (surfaces, bindingName, secret, silentMs) {
  "use strict";
  const binding = window[bindingName];
  delete window[bindingName];
  if (window.top !== window || !/^https?:$/.test(location.protocol) || typeof binding !== "function") return;

  const { stringify } = JSON;
  const race = Promise.race.bind(Promise);
  const now = performance.now.bind(performance);
  const later = window.setTimeout.bind(window);

  const SEARCH_MS = 200; // until the page's modules are loaded
  const READ_MS = 1000;
  const SLOW_READ_MS = 7000; // once it is connected
  const MOVED_MS = 500; // between two snapshots of a page that changes all the time
  const SLOW_MOVED_MS = 2000; // once it is connected: a busy chat list moves day and night
  const REFRESH_MS = 5000;
  const HEARD_MS = 1000;
  const CODE_MS = 2000; // for the modules to answer what a code is made of
  const NO_CODE_MS = 100; // for those that did not
  const TURNS = 3; // of one look
  const CHECKS_MS = [1000, 2500]; // after each change: within the time that a glimpse must stand
  const BUILD_MS = 3000; // after which a build counts as having no version

  // --- sending -----------------------------------------------------------------------------------------------------

  const LONGEST = 8000; // characters per message
  const BURST = 40; // messages at once
  const EVERY_MS = 200; // then one more per interval
  let allowed = BURST;
  let refilledAt = now();

  /** Send a message unless there have been too many; returns whether it was sent. */
  function tell(message) {
    const moment = now();
    allowed = Math.min(BURST, allowed + (moment - refilledAt) / EVERY_MS);
    refilledAt = moment;
    if (allowed < 1) return false;
    const text = stringify(message);
    if (typeof text !== "string" || text.length > LONGEST) return false;
    allowed -= 1;
    binding(secret + text);
    return true;
  }

  // --- the traffic of its sockets -------------------------------------------------------------------------------------

  let openSockets = 0;
  let serverHeardAt = -Infinity;
  let listening = false;

  /** Whether nothing has come over the page's open sockets for so long that a living server would have been heard. */
  const isSilent = () => openSockets > 0 && now() - serverHeardAt > silentMs;

  /** Look when the page's sockets become silent, for as long as there are any: no event tells of it. */
  function listen() {
    listening = openSockets > 0;
    if (!listening) return;
    if (isSilent()) look();
    later(listen, isSilent() ? silentMs : serverHeardAt + silentMs - now() + 1);
  }

  /** Note when anything comes over a socket that the page opens. Those of its workers are not seen. */
  function hookSockets() {
    const original = window.WebSocket;
    if (typeof original !== "function") return;
    const { apply, construct } = Reflect;
    const { addEventListener } = window.EventTarget.prototype;
    const heardServer = () => (serverHeardAt = now());
    const watch = (socket) => {
      let opened = false;
      apply(addEventListener, socket, ["message", heardServer]);
      apply(addEventListener, socket, ["open", () => {
        opened = true;
        openSockets += 1;
        heardServer();
        if (!listening) listen();
      }]);
      apply(addEventListener, socket, ["close", () => (openSockets -= opened ? 1 : 0)]);
      return socket;
    };
    const hooked = new Proxy(original, {
      construct: (target, args, made) => watch(construct(target, args, made)),
    });
    window.WebSocket = original.prototype.constructor = hooked;
  }

  // --- snapshots ------------------------------------------------------------------------------------------------------

  const unsent = new Map();

  /** Send a message that comes once only, later if there have been too many others; of each kind the newest. */
  function tellSurely(message) {
    if (tell(message)) unsent.delete(message.kind);
    else unsent.set(message.kind, message);
  }

  const tellUnsent = () => [...unsent.values()].forEach(tellSurely);

  let lastTold = "";
  let deadRef = null;
  let refreshedAt = -Infinity;
  let reading = false;
  let again = false;
  let isQuiet = false; // connected and complete

  let codeMs = CODE_MS;

  /** The code of the modules, or null, also if they never answer. */
  async function codeInTime() {
    const late = new Promise((resolve) => later(() => resolve(undefined), codeMs));
    const code = await race([surfaces.codeOfModules(), late]);
    codeMs = code === undefined ? NO_CODE_MS : CODE_MS;
    return code ?? null;
  }

  async function snapshot() {
    const live = surfaces.live();
    const { state } = live;
    const marks = surfaces.marks();
    const ref = surfaces.ref();
    const expired = state === "UNPAIRED_IDLE" || (state === null && marks.expired);
    if (expired) {
      deadRef = ref; // it stays in the model, but must not be shown again
      refresh();
    }
    let code = null;
    if (!expired && (state === "UNPAIRED" || (state === null && marks.code))) {
      if (ref === null || ref !== deadRef) code = await codeInTime();
      if (code === null && !marks.expired) code = surfaces.codeOfDom();
      if (code !== null && deadRef !== null && code.startsWith(deadRef + ",")) code = null;
    }
    const isReady = live.synced === true || (live.mode === "MAIN" && live.info === "NORMAL");
    isQuiet = marks.chats && (state === null || (state === "CONNECTED" && isReady));
    return {
      kind: "snapshot", ...live, code, marks, me: surfaces.me(), percent: isQuiet ? null : surfaces.percent(),
      blockEndsIn: surfaces.blockEndsIn(), dialog: surfaces.dialog(), silent: isSilent(),
    };
  }

  function refresh() {
    if (now() - refreshedAt < REFRESH_MS) return;
    refreshedAt = now();
    try {
      surfaces.refreshCode();
    } catch {
      // retried later
    }
  }

  /** Send a snapshot if it differs from the last; a call during another one makes that repeat. */
  async function look() {
    again = true;
    if (reading) return;
    reading = true;
    try {
      for (let turns = 0; again && turns < TURNS; turns++) {
        again = false;
        const seen = await snapshot();
        // Reading a code takes a moment: the socket's state is newer.
        if (seen.code !== null && surfaces.live().state !== seen.state) again = true;
        const text = stringify(seen, (key, value) => (key === "blockEndsIn" ? null : value));
        // What changes all the time is told as well, but for a code that may be out of date.
        const isNewest = !again || (turns === TURNS - 1 && seen.code === null);
        if (isNewest && text !== lastTold && tell(seen)) {
          lastTold = text;
          CHECKS_MS.forEach((milliseconds) => later(look, milliseconds)); // what is over may cause no event
        }
      }
    } catch {
      // the next poll retries
    } finally {
      reading = false;
    }
  }

  let soon = false;

  /** Take one snapshot shortly, for everything that happens until then. */
  function lookSoon() {
    if (soon) return;
    soon = true;
    later(() => {
      soon = false;
      look();
    }, isQuiet ? SLOW_MOVED_MS : MOVED_MS);
  }

  // --- subscriptions -----------------------------------------------------------------------------------------------

  const attached = new Map(); // source and event → the model that is listened to

  /** Listen to a model, once; should the page replace it, to the new one instead. */
  function attach(source, event, listener) {
    const model = surfaces[source]();
    const key = source + event;
    const heard = (...told) => {
      try {
        if (attached.get(key) === model) listener(...told);
      } catch {
        // what it tells cannot be read; the page's other listeners are not to suffer from that
      }
    };
    try {
      if (attached.get(key) === model || typeof model?.on !== "function") return;
      attached.set(key, model);
      model.on(event, heard);
    } catch {
      attached.delete(key);
    }
  }

  let lastState = null;

  /** Transient states are sent as well: their sequence matters. */
  function passing(model, state) {
    if (typeof state === "string" && state !== lastState) {
      lastState = state;
      tell({ kind: "state", state: state.slice(0, 40) });
    }
    look();
  }

  let heardAt = -Infinity;

  function heard(message) {
    if (message?.isNewMsg === false) return; // history loaded from the page's own store
    if (message?.id?.fromMe === true && message.ack === 0) return; // ours, and not yet at the server
    if (now() - heardAt < HEARD_MS) return;
    heardAt = now();
    tell({ kind: "heard" });
  }

  /** The reason may be in an object with the event. */
  function loggedOut(event) {
    let reason = event;
    try {
      if (typeof event === "object") reason = event?.reason ?? event?.logoutReason;
    } catch {
      // then without a reason
    }
    const told = typeof reason === "string" || typeof reason === "number" ? String(reason).slice(0, 80) : "";
    tellSurely({ kind: "logged out", reason: told });
  }

  function attachAll() {
    attach("socket", "change:state", passing);
    attach("socket", "change:stream", look);
    attach("socket", "change:hasSynced", look);
    attach("stream", "change:mode", look);
    attach("stream", "change:info", look);
    attach("stream", "change:displayInfo", look);
    attach("conn", "change:ref", look);
    attach("conn", "change:wid", look);
    attach("cmd", "logout", loggedOut);
    attach("cmd", "logout_from_bridge", loggedOut);
    attach("cmd", "offline_progress_update_from_bridge", lookSoon);
    attach("messages", "add", heard);
  }

  /** Whether a model is there and cannot be listened to: then only polling notices what changes in it. */
  const isMute = (source, event) => surfaces[source]() !== null && !attached.has(source + event);

  let hurriedAt = -Infinity;

  /**
   * A snapshot at once, unless there was one just now: for what people should know without delay. And another shortly
   * after: what fades in is not visible yet.
   */
  function lookNow() {
    if (now() - hurriedAt < MOVED_MS) return lookSoon();
    hurriedAt = now();
    look();
    later(look, MOVED_MS);
  }

  /**
   * A list, a lock: a snapshot follows whatever appears or disappears, and at once where it is a dialog, or lies upon
   * the page (a busy chat list does not). An idle page changes nothing. What is in shadow roots changes unnoticed
   * outside: each is watched from its making, and all are made open ones, since of a closed one neither a dialog could
   * be read nor a code be blanked in a screenshot.
   */
  function watchElements() {
    const { apply } = Reflect;
    const { create } = Object;
    const { observe } = MutationObserver.prototype;
    const isCover = ({ type, target, addedNodes }) => {
      if (type === "attributes") return surfaces.isDialog(target); // it was opened, or may be visible now
      if (addedNodes.length === 0) return false;
      return target === document.body || target.nodeType === 11 || [...addedNodes].some(surfaces.isDialog);
    };
    const attributeFilter = ["open", "hidden", "class", "style"];
    const changes = new MutationObserver((records) => (records.some(isCover) ? lookNow() : lookSoon()));
    const watch = (tree) => apply(observe, changes, [tree, { childList: true, subtree: true, attributeFilter }]);
    watch(document);
    const { prototype } = window.Element;
    prototype.attachShadow = new Proxy(prototype.attachShadow, {
      apply(original, host, args) {
        const [init, ...more] = args;
        const opened = init?.mode === "closed" ? [create(init, { mode: { value: "open" } }), ...more] : args;
        const root = apply(original, host, opened);
        try {
          watch(root);
        } catch {
          // then only polling notices it
        }
        return root;
      },
    });
  }

  let loadedTold = false;
  let modulesSince = null;

  /** Report once which build this is and which parts it has, as soon as that is known. */
  function tellLoaded() {
    if (loadedTold) return;
    const marks = surfaces.marks();
    if (surfaces.socket() === null && !marks.code && !marks.chats) return;
    modulesSince ??= now();
    const build = surfaces.build() ?? "";
    const parts = surfaces.parts();
    const isPartial = Object.values(parts).includes(false); // its modules may still be loading
    if ((build === "" || isPartial) && now() - modulesSince < BUILD_MS) return;
    loadedTold = tell({ kind: "loaded", build, parts });
  }

  function tick() {
    tellUnsent();
    attachAll();
    look();
    try {
      tellLoaded();
    } catch {
      // likewise
    }
    const isSearching = !attached.has("socketchange:state") && !loadedTold;
    const isTold = !isMute("socket", "change:state") && !isMute("stream", "change:mode");
    later(tick, isSearching ? SEARCH_MS : isQuiet && isTold && loadedTold ? SLOW_READ_MS : READ_MS);
  }

  // --- passkeys ----------------------------------------------------------------------------------------------------

  function hookPasskeys() {
    const prototype = window.CredentialsContainer?.prototype;
    if (typeof prototype?.get !== "function") return;
    const { apply } = Reflect;
    const { then } = Promise.prototype;
    let asked = 0;
    prototype.get = new Proxy(prototype.get, {
      apply(original, self, args) {
        const answer = apply(original, self, args);
        try {
          const { publicKey: wanted, mediation } = args[0] ?? {};
          const isOurs = wanted && /(^|\.)whatsapp\.com$/.test(wanted.rpId ?? location.hostname);
          // A conditional request offers passkeys in a form field; a silent or immediate one takes what is there, or
          // nothing: no prompt, no wait.
          if (isOurs && !["conditional", "silent", "immediate"].includes(mediation)) {
            const request = ++asked;
            unsent.delete("passkey answered");
            tellSurely({ kind: "passkey" });
            // A browser that cannot answer rejects at once, and the page goes on waiting: only an answer ends it.
            const given = (credential) => credential !== null && request === asked && tellSurely({ kind: "passkey answered" });
            apply(then, answer, [given, () => {}]);
          }
        } catch {
          // up to the page
        }
        return answer;
      },
    });
  }

  hookPasskeys();
  hookSockets();
  watchElements();
  tick();
})
