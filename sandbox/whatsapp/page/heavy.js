// The weight of a real page: thousands of chats in memory, a store of many megabytes, pictures, a font, timers.
// Loaded only with `Options.heavy`; nothing that drivers touch is defined here.
'use strict';
__d('StandInHeavy', (require, exports) => {
  const { heavy } = require('StandInConfig');
  const { Model, Wid } = require('StandInBase');
  const { Chat } = require('WAWebCollections');
  const DATABASE = 'model-storage';
  const TABLE = 'message';
  const RECORD = 64 * 1024; // bytes per record
  const VISIBLE = 20; // rows of a virtual list at a time
  const MESSAGES = 10; // in memory per chat

  const settled = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });

  const open = () => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(TABLE, { keyPath: 'rowId' });
    return settled(opening);
  };

  // Filled once, a few records at a time, like an initial history sync; partly read at each start.
  const store = async () => {
    const database = await open();
    const records = Math.floor((heavy.stored * 1024 * 1024) / RECORD);
    const there = await settled(database.transaction(TABLE).objectStore(TABLE).count());
    for (let from = there; from < records; from += 64) {
      const transaction = database.transaction(TABLE, 'readwrite');
      for (let rowId = from; rowId < Math.min(records, from + 64); rowId += 1) {
        const body = new Uint8Array(RECORD);
        crypto.getRandomValues(body);
        transaction.objectStore(TABLE).put({ rowId, body });
      }
      await new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
    }
    const newest = await settled(database.transaction(TABLE).objectStore(TABLE).getAll(null, 128));
    database.close();
    exports.stored = { records, read: newest.length };
  };

  const fill = () => {
    const made = [];
    for (let number = 0; number < heavy.chats; number += 1) {
      const id = new Wid(`4930${String(number).padStart(8, '0')}@c.us`);
      const messages = Array.from({ length: MESSAGES }, (_, at) => ({
        id: `false_${id.user}_${at}`,
        body: `Message ${at} of chat ${number}: ${'lorem ipsum dolor sit amet '.repeat(3)}${number}`,
        t: 1_700_000_000 + number * 60 + at,
        ack: 3,
        mediaKey: null,
      }));
      made.push(new Model({ id, name: `Chat ${number}`, unreadCount: number % 7, archive: false, t: number, messages }));
    }
    exports.chats = made; // not in the collection: drivers that iterate over it would pay for our own data
  };

  const show = () => {
    const list = document.querySelector('#pane-side');
    if (list === null || list.querySelector('.heavy') !== null) return;
    const rows = Array.from({ length: VISIBLE }, (_, number) => {
      const row = document.createElement('div');
      row.className = 'heavy';
      row.setAttribute('role', 'row');
      const picture = new Image(49, 49);
      picture.onload = () => (exports.pictures.loaded += 1);
      picture.onerror = () => (exports.pictures.failed += 1);
      picture.src = `/heavy/picture/${number}`;
      row.append(picture, ` ${exports.chats[number]?.name ?? ''}`);
      return row;
    });
    list.append(...rows);
  };

  exports.pictures = { loaded: 0, failed: 0 };
  exports.start = async () => {
    const style = document.createElement('style');
    style.textContent =
      "@font-face { font-family: Heavy; src: url('/heavy/font') format('woff2'); } .heavy { font-family: Heavy, sans-serif; height: 72px; }";
    document.head.append(style);
    fill();
    require('StandInBulk').start();
    setInterval(show, 500);
    // What a page does while idle: clocks of rows, presence, scanning of queues.
    setInterval(() => exports.chats.slice(0, VISIBLE).forEach((chat) => (chat.t += 1)), 1000);
    setInterval(() => exports.chats.filter((chat) => chat.unreadCount > 5).length, 5000);
    setInterval(() => JSON.stringify(exports.chats.slice(0, 200).map((chat) => chat.messages)), 15000);
    await store();
  };
});
