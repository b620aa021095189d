// The session with the server: opens sockets, logs in, and is the only place that changes Socket.state.
//
//   cold:     UNLAUNCHED → OPENING → PAIRING → UNPAIRED (refs) → UNPAIRED_IDLE
//   scanned:  UNPAIRED → PAIRING → OPENING → CONNECTED → hasSynced
//   restored: UNLAUNCHED → OPENING → CONNECTED → hasSynced
//   lost:     CONNECTED → OPENING → CONNECTED
'use strict';
__d('StandInSession', (require, exports) => {
  const { timings, switches, listened } = require('StandInConfig');
  const { pause } = require('StandInBase');
  const { Wire } = require('StandInWire');
  const { Socket } = require('WAWebSocketModel');
  const { Conn } = require('WAWebConnModel');
  const { Cmd } = require('WAWebCmd');
  const { OfflineMessageHandler } = require('WAWebOfflineHandler');
  const store = require('StandInStore');
  const { live } = require('StandInLive');
  const MOST_RETRIES = 10;

  let wire = null;
  let retrying = null;
  let tries = 0;
  let pairing = Promise.resolve();
  let justLinked = false;
  let usable = false; // regardless of hasSynced
  let syncing = false; // goes on over another socket
  let tookOver = false; // the session, from another browser
  let ownListeners = 0; // to hasSynced, before any client's
  let ended = false; // by the server: this stream is invalid until a new one

  const report = () => wire?.send({ type: 'state', state: Socket.state, synced: Socket.hasSynced });
  const move = (state) => {
    Socket.state = state;
    report();
  };

  // Always in OPENING: nothing is requested on the new wire until CONNECTED.
  const connect = () => {
    clearTimeout(retrying);
    wire?.close();
    ended = false;
    const mine = new Wire();
    wire = mine;
    mine.on('open', async () => {
      await pause(switches.synced_early ? 0 : timings.open);
      if (switches.passkey_at === 'launching' && store.me() !== null) await require('StandInPasskey').stop(0);
      mine.logIn({ type: 'hello', ...store.publicKeys(), wid: store.me() });
      report();
    });
    mine.on('frame', (frame) => {
      if (mine === wire) handle(frame, mine);
    });
    mine.on('lost', () => {
      if (mine === wire) lost();
    });
  };

  const lost = () => {
    wire = null;
    if (ended) return; // CONFLICT, a block, codes used up: the page does not reconnect by itself
    Socket.state = 'OPENING';
    const wait = timings.reconnect * Math.min(2 ** tries++, MOST_RETRIES);
    if (navigator.onLine) retrying = setTimeout(connect, 1000 * wait);
  };

  const handle = (frame, mine) => {
    const handler = handlers[frame.type];
    if (handler) handler(frame, mine);
  };

  const handlers = {
    'pair-device': () => {
      tries = 0;
      move('PAIRING');
      pairing = pause(timings.pairing);
    },
    ref: async ({ ref, life }, mine) => {
      await pairing;
      if (mine !== wire || ended) return;
      Conn.set({ refTTL: life, ref });
      if (Socket.state !== 'UNPAIRED') move('UNPAIRED');
    },
    'refs-over': async (_, mine) => {
      await pairing; // what a page short of processor time has not shown yet comes first
      if (mine === wire && !ended) end('UNPAIRED_IDLE'); // Conn.ref retains the expired code
    },
    'pair-success': async ({ wid, lid, switches: ofNumber }, mine) => {
      store.apply(ofNumber);
      store.remember(wid, lid);
      justLinked = true;
      move('PAIRING');
      await pause(timings.link);
      if (mine !== wire) return;
      move('OPENING');
      connect();
    },
    challenge: async (frame, mine) => mine.send({ type: 'answer', signature: await store.answer(frame) }),
    success: (frame) => (isElsewhere() ? end('CONFLICT') : connected(frame)),
    failure: (frame) => {
      if (frame.reason === 405) end('DEPRECATED_VERSION');
      else if (frame.reason === 402) require('StandInBan').begin(frame, () => end('TOS_BLOCK'));
      else leave('account_invalid');
    },
    'stream-error': ({ state }) => {
      if (state !== 'CONNECTED') {
        end(state);
        return;
      }
      move('OPENING');
      connect();
    },
    logout: ({ reason }) => leave(reason),
    message: (frame) => require('StandInInbox').deliver(frame),
    passkey: (frame) => {
      move('PAIRING');
      require('StandInPasskey').ask(frame, { send: exports.send, giveUp: exports.refreshQR });
    },
    'passkey-approved': () => require('StandInPasskey').passkey.trigger('approved'),
    switch: ({ name, value }) => live.set({ [name]: value }),
    order: (frame) => require('StandInOrders').obey(frame),
  };

  // Whether another browser has this session, which is none that was linked just now.
  const isElsewhere = () => live.other_browser !== 'lets_go' && !tookOver && !justLinked;

  // The wire stays open for the stand-in's own orders; for the page the stream is over.
  const end = (state) => {
    ended = true;
    move(state);
  };

  const connected = async ({ wid, pushname }) => {
    tries = 0;
    const { createWid } = require('WAWebWidFactory');
    const { passkey_at: asked } = switches;
    if (asked === 'restored' && !justLinked) await require('StandInPasskey').stop(timings.passkey_late);
    Conn.set({ wid: createWid(store.tells('conn') ? wid : store.lid()), pushname, platform: 'android', connected: true });
    whenTold('conn', () => (Conn.wid = createWid(wid)));
    move('CONNECTED');
    if (tookOver && live.other_browser === 'takes_again') pause(timings.taken_again).then(() => end('CONFLICT'));
    tookOver = false;
    if (Socket.hasSynced || usable || syncing) return;
    syncing = true;
    if (asked === 'syncing') await require('StandInPasskey').stop(0);
    await sync();
    while (listened && Socket.count('change:hasSynced') === ownListeners) await pause(0.02);
    usable = true;
    if (!switches.never_synced) Socket.hasSynced = true;
    Socket.trigger('usable');
    report();
    if (justLinked && switches.reload_after_link) setTimeout(() => location.reload(), 1000 * switches.reload_after_link);
    if (asked === 'connected') require('StandInPasskey').stop(timings.passkey_late);
    if (asked === 'unseen') pause(timings.passkey_late).then(require('StandInPasskey').askUnseen);
    Cmd.isMainLoaded = true;
    Cmd.trigger('main_loaded');
  };

  // Runs a callback once the number may appear in a place, if it is merely late there.
  const whenTold = (place, tell) => {
    if (switches.lid_only || !switches.late_number) return;
    const wait = 1000 * switches.late_number - performance.now();
    setTimeout(() => {
      if (store.tells(place)) tell();
      store.settle();
    }, Math.max(0, wait) + 1);
  };

  const sync = async () => {
    const history = require('WAWebHistorySyncProgressModel').getHistorySyncProgressModel();
    const { progress_in: place, slow_sync: slow } = switches;
    const wait = slow || (switches.synced_early ? 0 : justLinked ? timings.first_sync : timings.sync);
    const steps = Math.max(4, Math.ceil(slow));
    if (['all', 'history'].includes(place)) history.set({ inProgress: true, realProgress: 0 });
    for (let step = 1; step <= steps; step++) {
      if (wait) await pause(wait / steps);
      const percent = (100 * step) / steps;
      if (['all', 'offline'].includes(place)) OfflineMessageHandler.setOfflineDeliveryProgress(percent);
      if (['all', 'history'].includes(place)) history.set({ realProgress: percent });
      if (['all', 'bar'].includes(place)) require('StandInSurface').bar(percent);
      if (switches.sync_pause && step === steps / 2) {
        history.paused = true;
        await pause(switches.sync_pause);
        history.paused = false;
      }
    }
    history.inProgress = false;
  };

  const leave = async (reason) => {
    ended = true;
    const code = require('WAWebLogoutReason').getErrorCodeFromLogoutReason(reason);
    if (!switches.quiet_logout && !switches.plain_logout) {
      const named = /^\d$/.test(reason) ? undefined : reason;
      if (reason !== 'user_initiated') Cmd.trigger('logout_from_bridge', named);
      Cmd.trigger('logout', named);
    }
    await pause(timings.logout);
    wire?.close();
    await store.clear();
    location.replace(switches.plain_logout ? '/' : `/?post_logout=1&logout_reason=${code}`);
  };

  // Transient states: the page shows something for a moment, then the truth again.
  exports.brief = async (sight) => {
    const before = Socket.state;
    if (sight === 'logout') {
      Cmd.trigger('logout');
    } else if (sight === 'blank') {
      document.body.hidden = true;
    } else if (sight === 'number') {
      live.another_number = true;
    } else {
      if (sight === 'UNPAIRED') Conn.ref = `2@${crypto.randomUUID()}`;
      Socket.state = sight;
    }
    await pause(timings.brief);
    document.body.hidden = false;
    live.another_number = false;
    if (Socket.state === sight) Socket.state = before;
  };

  exports.start = () => {
    addEventListener('offline', () => {
      setTimeout(() => {
        if (navigator.onLine || ended) return;
        wire?.close();
        lost();
      }, 1000 * timings.offline_grace);
    });
    addEventListener('online', () => {
      if (wire === null && !ended) connect();
    });
    live.on('change:brief_sight', (_, sight) => {
      if (sight !== 'off') exports.brief(sight);
    });
    ownListeners = Socket.count('change:hasSynced');
    Socket.state = 'OPENING';
    if (store.me() !== null && live.brief_sight !== 'off') exports.brief(live.brief_sight).then(connect);
    else connect();
  };

  exports.takeOver = () => {
    if (Socket.state !== 'CONFLICT' || live.other_browser === 'holds_on') return;
    tookOver = true;
    move('OPENING');
    connect();
  };

  exports.refreshQR = () => {
    if (store.me() !== null) return;
    move('OPENING');
    connect();
  };

  // Resolves when the server has removed this device; the page navigates away a moment later.
  exports.logOut = async () => {
    await exports.request({ type: 'logout' });
  };

  exports.send = (frame) => wire?.send(frame);
  exports.isUsable = () => usable;

  // Queries the server once the stream is CONNECTED; before that a request waits, like stanzas do.
  exports.request = async (frame) => {
    if (store.me() !== null) {
      while (Socket.state !== 'CONNECTED') await new Promise((resolve) => Socket.once('change:state', resolve));
    }
    return wire.request(frame);
  };
});
