// The session with the server: opens sockets, logs in, and is the only place that moves Socket.state.
//
//   cold:     UNLAUNCHED → OPENING → PAIRING → UNPAIRED (refs) → UNPAIRED_IDLE
//   scanned:  UNPAIRED → PAIRING → OPENING → CONNECTED → hasSynced
//   restored: UNLAUNCHED → OPENING → CONNECTED → hasSynced
//   lost:     CONNECTED → OPENING → CONNECTED
'use strict';
__d('StandInSession', (require, exports) => {
  const { timings, switches } = require('StandInConfig');
  const { pause } = require('StandInBase');
  const { Wire } = require('StandInWire');
  const { Socket } = require('WAWebSocketModel');
  const { Conn } = require('WAWebConnModel');
  const { Cmd } = require('WAWebCmd');
  const { OfflineMessageHandler } = require('WAWebOfflineHandler');
  const store = require('StandInStore');
  const MOST_RETRIES = 10;

  let wire = null;
  let retrying = null;
  let tries = 0;
  let pairing = Promise.resolve();
  let justLinked = false;
  let ended = false; // by the server: nothing of this stream counts until a new one

  const report = () => wire?.send({ type: 'state', state: Socket.state, synced: Socket.hasSynced });
  const move = (state) => {
    Socket.state = state;
    report();
  };

  // Always in OPENING: until CONNECTED nothing is asked on the new wire.
  const connect = () => {
    clearTimeout(retrying);
    wire?.close();
    ended = false;
    const mine = new Wire();
    wire = mine;
    mine.on('open', async () => {
      await pause(switches.synced_early ? 0 : timings.open);
      mine.send({ type: 'hello', ...store.publicKeys(), wid: store.me() });
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
    if (ended) return; // CONFLICT, a block, codes used up: the page does not come back by itself
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
    'refs-over': () => end('UNPAIRED_IDLE'), // Conn.ref keeps the dead code
    'pair-success': async ({ wid, lid }, mine) => {
      store.remember(wid, lid);
      justLinked = true;
      move('PAIRING');
      await pause(timings.link);
      if (mine !== wire) return;
      move('OPENING');
      connect();
    },
    challenge: async (frame, mine) => mine.send({ type: 'answer', signature: await store.answer(frame) }),
    success: (frame) => connected(frame),
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
    order: (frame) => require('StandInOrders').obey(frame),
  };

  // The wire stays for the stand-in's own orders; for the page the stream is over.
  const end = (state) => {
    ended = true;
    move(state);
  };

  const connected = async ({ wid, pushname }) => {
    tries = 0;
    const { createWid } = require('WAWebWidFactory');
    Conn.set({ wid: createWid(wid), pushname, platform: 'android', connected: true });
    move('CONNECTED');
    if (Socket.hasSynced) return;
    const steps = 4;
    const wait = switches.synced_early ? 0 : justLinked ? timings.first_sync : timings.sync;
    for (let step = 1; step <= steps; step++) {
      if (wait) await pause(wait / steps);
      OfflineMessageHandler.setOfflineDeliveryProgress((100 * step) / steps);
    }
    Socket.hasSynced = true;
    report();
    Cmd.isMainLoaded = true;
    Cmd.trigger('main_loaded');
  };

  const leave = async (reason) => {
    ended = true;
    const code = require('WAWebLogoutReason').getErrorCodeFromLogoutReason(reason);
    if (!switches.quiet_logout) {
      if (reason !== 'user_initiated') Cmd.trigger('logout_from_bridge');
      Cmd.trigger('logout');
    }
    await pause(timings.logout);
    wire?.close();
    await store.clear();
    location.replace(`/?post_logout=1&logout_reason=${code}`);
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
    Socket.state = 'OPENING';
    connect();
  };

  exports.takeOver = () => {
    if (Socket.state !== 'CONFLICT') return;
    move('OPENING');
    connect();
  };

  exports.refreshQR = () => {
    if (store.me() !== null) return;
    move('OPENING');
    connect();
  };

  // Resolves when the server has forgotten this device; the page goes a moment later.
  exports.logOut = async () => {
    await exports.request({ type: 'logout' });
  };

  exports.send = (frame) => wire?.send(frame);

  // Asks the server once the stream is CONNECTED; before that a request waits, as stanzas do.
  exports.request = async (frame) => {
    if (store.me() !== null) {
      while (Socket.state !== 'CONNECTED') await new Promise((resolve) => Socket.once('change:state', resolve));
    }
    return wire.request(frame);
  };
});
