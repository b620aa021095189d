// A page that attacks whatever drives it. Each export is one attack, and continues while the page lives.
'use strict';
__d('StandInHarm', (require, exports) => {
  Object.assign(exports, require('StandInHoard'));
  const { pause } = require('StandInBase');
  const CHUNK = 100_000; // characters
  const MANY = 100_000; // calls

  // Possible channels to the driver: everything in window that the browser itself did not define.
  const foreign = () => {
    const frame = document.createElement('iframe');
    document.body.append(frame);
    const own = new Set(Object.getOwnPropertyNames(frame.contentWindow));
    frame.remove();
    const ours = new Set(['require', 'importNamespace', '__d', 'ErrorGuard', 'Debug']);
    return Object.getOwnPropertyNames(window).filter((name) => !own.has(name) && !ours.has(name));
  };
  const callable = () => {
    const found = [];
    for (const name of [...foreign(), '__playwright__binding__', '__playwright__binding__controller__']) {
      const value = window[name];
      if (typeof value === 'function') found.push((told) => value(typeof told === 'string' ? told : JSON.stringify(told)));
      for (const key of Object.getOwnPropertyNames(value ?? {})) {
        if (typeof value[key] === 'function') found.push((told) => value[key](told));
      }
    }
    return found;
  };
  const call = (each, told) => {
    try {
      Promise.resolve(each(told)).catch(() => {});
    } catch {
      // not this one
    }
  };

  exports.popups = async () => {
    for (;;) {
      for (let count = 0; count < 10; count++) window.open(`/frame?${count}`, '_blank', 'width=200,height=200');
      const link = document.createElement('a');
      Object.assign(link, { href: '/frame', target: '_blank' });
      document.body.append(link);
      link.click();
      link.remove();
      await pause(0.05);
    }
  };

  // Changes observed values as fast as it can, and calls everything that looks like a reporting channel.
  exports.reports = async () => {
    const { Socket } = require('WAWebSocketModel');
    const { Msg } = require('WAWebCollections');
    const { Cmd } = require('WAWebCmd');
    const ways = callable();
    for (let count = 0; count < MANY; count++) {
      Socket.trigger('change:state', Socket, count % 2 ? 'CONNECTED' : `state ${'x'.repeat(1000)}${count}`);
      Msg.trigger('add', { isNewMsg: true, id: { fromMe: false } }, Msg);
      Cmd.trigger('offline_progress_update_from_bridge');
      for (const each of ways) call(each, { kind: 'heard', filler: 'x'.repeat(1000) });
      if (count % 1000 === 999) await pause(0);
    }
  };

  // Reports false facts, in our own format.
  exports.forged = async () => {
    for (;;) {
      for (const each of callable()) {
        for (const told of [
          { kind: 'logged out', reason: '3' },
          { kind: 'passkey' },
          { kind: 'sight', state: 'TOS_BLOCK', marks: {}, me: '19995550123' },
        ]) call(each, told);
      }
      await pause(0.2);
    }
  };

  exports.errors = async () => {
    for (;;) {
      for (let count = 0; count < 50; count++) setTimeout(() => { throw new Error('x'.repeat(CHUNK)); }, 0);
      for (let count = 0; count < 50; count++) Promise.reject(new Error('y'.repeat(CHUNK)));
      await pause(0.05);
    }
  };

  exports.console = async () => {
    for (;;) {
      for (let count = 0; count < 100; count++) console.error('z'.repeat(CHUNK), { deep: new Array(1000).fill(count) });
      await pause(0.02);
    }
  };

  // Spoils what a script put before it may rely on, then throws as before.
  exports.unguarded = async () => {
    Event.prototype.preventDefault = () => {};
    document.open();
    document.write('<div id="app"></div>');
    document.close();
    await exports.errors();
  };

  // Frames that are origins of their own.
  exports.sandboxed = async () => {
    const source = `<script>
      const line = 'f'.repeat(${CHUNK});
      setInterval(() => {
        for (let count = 0; count < 50; count++) setTimeout(() => { throw new Error(line); }, 0);
        for (let count = 0; count < 50; count++) console.error(line);
        alert(line);
      }, 50);
    </script>`;
    for (let count = 0; count < 3; count++) {
      const frame = document.createElement('iframe');
      frame.sandbox = 'allow-scripts allow-modals';
      frame.srcdoc = source;
      document.body.append(frame);
    }
  };

  // Makes whatever is asked of the page come to an answer of any length, or to an error of any length.
  exports.answers = () => {
    const long = 'a'.repeat(50 * 2 ** 20);
    String.prototype.slice = () => long;
    document.querySelector = () => {
      throw new Error(long);
    };
    Object.prototype.toJSON = () => long;
  };

  exports.busy = () => {
    for (;;);
  };

  // Popups, reports, errors and memory at once, until it never returns.
  exports.everything = async () => {
    for (const harm of ['popups', 'errors', 'memory', 'reports']) void exports[harm]();
    await pause(3);
    exports.busy();
  };

  // No attack: a page with much to do, which works without a pause, but in tasks that end.
  exports.long_tasks = async () => {
    for (;;) {
      const ends = performance.now() + 2500;
      while (performance.now() < ends);
      await pause(0);
    }
  };

  exports.memory = async () => {
    const hoard = [];
    for (;;) {
      hoard.push(new Uint8Array(64 * 2 ** 20).fill(1));
      await pause(0.05);
    }
  };

  exports.frames = async () => {
    for (let count = 0; ; count++) {
      const frame = document.createElement('iframe');
      frame.src = `http://site-${count}.localhost:${location.port}/frame`;
      document.body.append(frame);
      await pause(0.05);
    }
  };

  exports.workers = async () => {
    const source = URL.createObjectURL(new Blob(['for (;;);'], { type: 'text/javascript' }));
    for (let count = 0; count < 200; count++) {
      try {
        window[`worker${count}`] = new Worker(source);
      } catch {
        return;
      }
      await pause(0.05);
    }
  };

  exports.downloads = async () => {
    for (;;) {
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([new Uint8Array(2 ** 20)]));
      link.download = 'gift.bin';
      link.click();
      await pause(0.05);
    }
  };

  exports.permissions = async () => {
    for (;;) {
      Notification.requestPermission?.();
      navigator.geolocation?.getCurrentPosition(() => {}, () => {});
      navigator.mediaDevices?.getUserMedia({ audio: true, video: true }).catch(() => {});
      navigator.clipboard?.readText().catch(() => {});
      await pause(0.2);
    }
  };

  exports.protocols = async () => {
    for (;;) {
      for (const url of ['mailto:a@example.com', 'tel:+19995550123', 'whatsapp://send', 'intent://x#Intent;end']) {
        const link = document.createElement('a');
        link.href = url;
        link.click();
      }
      await pause(0.2);
    }
  };

  exports.alerts = async () => {
    for (;;) {
      alert('x'.repeat(1000));
      confirm('y');
      prompt('z');
      await pause(0);
    }
  };

  exports.addresses = async () => {
    for (let count = 0; ; count++) {
      history.pushState({}, '', `/?post_logout=1&logout_reason=${count}#${'h'.repeat(1000)}`);
      if (count % 50 === 0) await pause(0.02);
    }
  };

  exports.unload = () => {
    addEventListener('beforeunload', (event) => {
      event.preventDefault();
      event.returnValue = 'stay';
      for (;;);
    });
    addEventListener('pagehide', () => {
      for (;;);
    });
  };
});
