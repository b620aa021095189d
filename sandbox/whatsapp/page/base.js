// The page's foundation: events, models with observable attributes, collections, addresses.
// Interfaces follow Backbone, as the real page's do: on, off, once, trigger('change:name', model, value, before).
'use strict';
__d('StandInBase', (require, exports) => {
  class Emitter {
    #listeners = new Map();

    on(names, listener) {
      for (const name of names.split(/\s+/)) {
        if (!this.#listeners.has(name)) this.#listeners.set(name, []);
        this.#listeners.get(name).push(listener);
      }
      return this;
    }

    off(names, listener) {
      if (names === undefined) this.#listeners.clear();
      for (const name of (names ?? '').split(/\s+/)) {
        const kept = (this.#listeners.get(name) ?? []).filter((each) => listener && each !== listener && each.listener !== listener);
        this.#listeners.set(name, kept);
      }
      return this;
    }

    once(names, listener) {
      const wrapped = (...args) => {
        this.off(names, wrapped);
        listener(...args);
      };
      wrapped.listener = listener;
      return this.on(names, wrapped);
    }

    count(name) {
      return (this.#listeners.get(name) ?? []).length;
    }

    listenTo(other, names, listener) {
      other.on(names, listener.bind(this));
      return this;
    }

    trigger(name, ...args) {
      for (const listener of [...(this.#listeners.get(name) ?? [])]) this.#call(listener, args);
      if (name !== 'all') for (const listener of [...(this.#listeners.get('all') ?? [])]) this.#call(listener, [name, ...args]);
      return this;
    }

    #call(listener, args) {
      try {
        listener(...args);
      } catch (error) {
        console.error(error); // one listener's error must not affect the next
      }
    }
  }

  class Model extends Emitter {
    #attributes = {};

    constructor(attributes = {}) {
      super();
      for (const [name, value] of Object.entries(attributes)) this.define(name, value);
    }

    define(name, value) {
      this.#attributes[name] = value;
      Object.defineProperty(this, name, {
        configurable: true,
        enumerable: true,
        get: () => this.#attributes[name],
        set: (next) => this.set({ [name]: next }),
      });
    }

    set(changes) {
      const changed = Object.entries(changes).filter(([name, value]) => this.#attributes[name] !== value);
      const before = changed.map(([name]) => this.#attributes[name]);
      for (const [name, value] of changed) {
        if (!(name in this.#attributes)) this.define(name, undefined);
        this.#attributes[name] = value;
      }
      changed.forEach(([name, value], index) => this.trigger(`change:${name}`, this, value, before[index]));
      if (changed.length) this.trigger('change', this);
    }

    get attributes() {
      return this.#attributes;
    }

    serialize() {
      return { ...this.#attributes };
    }

    toJSON() {
      return this.serialize();
    }
  }

  class Collection extends Emitter {
    models = [];
    modelClass = Model;

    static key(id) {
      return typeof id === 'object' && id !== null ? (id._serialized ?? String(id)) : String(id);
    }

    add(models) {
      for (const model of [models].flat()) {
        if (this.get(model.id)) continue;
        this.models.push(model);
        model.on('all', (name, ...args) => this.trigger(name, ...args));
        this.trigger('add', model, this);
      }
      return models;
    }

    remove(id) {
      const model = this.get(id);
      if (!model) return;
      this.models = this.models.filter((each) => each !== model);
      this.trigger('remove', model, this);
    }

    get(id) {
      const key = Collection.key(id?.id ?? id);
      return this.models.find((model) => Collection.key(model.id) === key);
    }

    async find(id) {
      return this.get(id);
    }

    findFirst(test) {
      return this.models.find(test);
    }

    filter(test) {
      return this.models.filter(test);
    }

    map(change) {
      return this.models.map(change);
    }

    forEach(visit) {
      this.models.forEach(visit);
    }

    get length() {
      return this.models.length;
    }

    getModelsArray() {
      return [...this.models];
    }

    toArray() {
      return [...this.models];
    }
  }

  // user[:device]@server
  class Wid {
    constructor(text) {
      const [local, server] = String(text).split('@');
      const [user, device] = local.split(':');
      this.user = user;
      this.server = server;
      if (device !== undefined) this.device = Number(device);
      this._serialized = `${user}${device === undefined ? '' : `:${device}`}@${server}`;
    }

    static isWid(value) {
      return value instanceof Wid;
    }

    isUser() {
      return this.server === 'c.us' || this.server === 'lid';
    }

    isLid() {
      return this.server === 'lid';
    }

    isGroup() {
      return this.server === 'g.us';
    }

    isNewsletter() {
      return this.server === 'newsletter';
    }

    isBroadcast() {
      return this.server === 'broadcast';
    }

    equals(other) {
      return this._serialized === other?._serialized;
    }

    toString() {
      return this._serialized;
    }

    toJid() {
      return this._serialized.replace('@c.us', '@s.whatsapp.net');
    }

    toJSON() {
      return { server: this.server, user: this.user, _serialized: this._serialized };
    }
  }

  const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

  Object.assign(exports, { Emitter, Model, Collection, Wid, pause });
});

__d('WABase64', (require, exports) => {
  exports.encodeB64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
  exports.decodeB64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
});
