// Obstacles on the page, and the stand-in's own orders: dialogs, the screen lock, reloads, crashes, leaks.
'use strict';
__d('StandInTrouble', (require, exports) => {
  const { Model } = require('StandInBase');
  const { live } = require('StandInLive');
  const { switches } = require('StandInConfig');
  const PASSWORD = 'sandbox';
  const testid = switches.unknown_build === 'all' ? 'data-tid' : 'data-testid';
  const gates = new Model({ dialog: null, lock: null });

  const element = (tag, attributes, children = []) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };

  const NEWS = {
    title: "What's new on WhatsApp Web",
    lines: ['Find chats faster with the new filters.', 'Drafts are saved on all of your devices.'],
    buttons: ['Continue'],
  };
  const DIALOGS = {
    whats_new: NEWS,
    whats_new_stuck: NEWS, // whose button does nothing
    unknown: {
      title: 'Review your account settings',
      lines: ['We have changed how your contacts are stored.'],
      buttons: ['Not now', 'Review'],
    },
  };

  let box = null;
  const shut = () => {
    box?.remove();
    gates.dialog = null;
  };

  // A closed shadow root that is there, and empty, from the page's start.
  let oldRoot = null;
  if (switches.dialog_in === 'old_shadow') {
    const host = element('div', {});
    oldRoot = host.attachShadow({ mode: 'closed' });
    document.body.append(host);
  }

  // Puts a dialog into the page: as its element, in a shadow root, or in a frame over everything.
  const hold = (dialog) => {
    if (switches.dialog_in === 'page') {
      document.body.append(dialog);
      return dialog;
    }
    const over = 'position: fixed; inset: 0; border: 0; width: 100%; height: 100%';
    dialog.style.cssText = `${over}; background: rgb(11 20 26 / 60%); color: #fff`;
    if (oldRoot !== null) {
      oldRoot.append(dialog);
      return dialog;
    }
    if (switches.dialog_in === 'shadow') {
      const host = element('div', {});
      host.attachShadow({ mode: 'open' }).append(dialog);
      document.body.append(host);
      return host;
    }
    const frame = element('iframe', {});
    frame.style.cssText = over;
    document.body.append(frame);
    frame.contentDocument.body.append(dialog);
    return frame;
  };

  const showDialog = (name) => {
    shut();
    if (name === 'off') return;
    const { title, lines, buttons } = DIALOGS[name.replace('_blocks', '')];
    const press = name === 'whats_new_stuck' ? () => {} : shut;
    const rows = lines.map((text) => element('p', {}, [text]));
    const keys = buttons.map((text, index) =>
      element('button', { [testid]: index === buttons.length - 1 ? 'popup-controls-ok' : 'popup-controls-cancel', onclick: press }, [text]),
    );
    const inner = element('div', { role: 'dialog', 'aria-modal': 'true', 'aria-label': title }, [element('h1', {}, [title]), ...rows, ...keys]);
    box = hold(element('div', { class: 'dialog', 'data-animate-modal-popup': 'true' }, [inner]));
    box.animate({ opacity: [0, 1] }, 300); // nothing in the DOM tells when it has become visible
    gates.dialog = name;
  };

  const showLock = () => {
    const field = element('input', { type: 'password', 'aria-label': 'Password', autocomplete: 'off' });
    const unlock = (event) => {
      event.preventDefault();
      if (field.value !== PASSWORD) return;
      document.querySelector('.lock').remove();
      gates.lock = null;
    };
    const form = element('form', { onsubmit: unlock }, [field, element('button', {}, ['Unlock'])]);
    const title = element('h1', {}, ['WhatsApp Web is locked']);
    document.body.append(element('div', { class: 'lock', [testid]: 'screen-lock' }, [title, element('p', {}, ['Enter your password to unlock']), form]));
    gates.lock = 'locked';
  };

  // Resolves when nothing blocks the page any more.
  exports.gate = async () => {
    const linked = require('StandInStore').me() !== null;
    if (switches.screen_lock && linked) showLock();
    else if (live.dialog !== 'off') showDialog(live.dialog);
    live.on('change:dialog', (_, name) => showDialog(name));
    const isShut = () => gates.lock === null && !(gates.dialog ?? '').endsWith('_blocks');
    while (!isShut()) await new Promise((resolve) => gates.once('change', resolve));
    if (switches.conditional_webauthn) require('StandInPasskey').askConditionally();
  };
});

__d('StandInOrders', (require, exports) => {
  const { pause } = require('StandInBase');
  const { live } = require('StandInLive');
  const hoard = [];
  let leaking = null;

  // Nests deeper than the renderer can lay out, which crashes it at once. In a frame, whose document is not observed:
  // in an observed tree each level would be slower than the one before.
  const crash = () => {
    const frame = document.createElement('iframe');
    document.body.append(frame);
    const { body } = frame.contentDocument;
    let deepest = body;
    for (let depth = 0; depth < 100_000; depth++) deepest = deepest.appendChild(document.createElement('div'));
    return body.offsetHeight;
  };
  const leak = ({ megabytes }) => {
    clearInterval(leaking);
    if (megabytes) leaking = setInterval(() => hoard.push(new Uint8Array(megabytes * 2 ** 20).fill(1)), 1000);
  };
  const reload = ({ post_logout: postLogout }) => {
    if (postLogout) location.replace('/?post_logout=1&logout_reason=0');
    else location.reload();
  };
  const hang = () => {
    for (;;);
  };
  // The main thread waits for an answer and runs nothing meanwhile; it uses no processor time.
  const freeze = (seconds) => {
    if (!seconds) return;
    const waiting = new XMLHttpRequest();
    waiting.open('GET', `/late?seconds=${seconds}`, false);
    try {
      waiting.send();
    } catch (error) {
      console.error(error); // the stand-in was stopped meanwhile
    }
  };
  const leave = () => location.assign('/frame');
  const harm = ({ how }) => require('StandInHarm')[how]();
  exports.obey = (frame) => ({ crash, leak, reload, hang, leave, harm })[frame.action]?.(frame);

  // Frames that come and go, like the real page's; a client must not mistake their navigations for the page's own.
  const frames = async () => {
    for (;;) {
      const frame = document.createElement('iframe');
      frame.hidden = true;
      frame.src = `/frame?${Date.now()}`;
      document.body.append(frame);
      await pause(1);
      frame.src = '/frame?post_logout=1';
      await pause(1);
      frame.remove();
      await pause(1);
    }
  };

  exports.start = ({ switches }) => {
    if (switches.hostile !== 'off') harm({ how: switches.hostile });
    leak({ megabytes: switches.memory_growth });
    if (switches.iframes) frames();
    if (switches.page_crash) setTimeout(crash, 1000 * switches.page_crash);
    live.on('change:freeze', (_, seconds) => freeze(seconds));
    freeze(live.freeze);
  };
});

__d('StandInStart', (require, exports) => {
  exports.start = async () => {
    await require('StandInStore').open();
    require('StandInStore').settle();
    require('WAWebStreamModel');
    await require('StandInSurface').start();
    require('StandInOrders').start(require('StandInConfig'));
    await require('StandInTrouble').gate();
    require('StandInSession').start();
  };
});
