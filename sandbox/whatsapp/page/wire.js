// The page's socket to its server: frames, requests with answers, and the ping that detects silence.
// The meaning of frames is defined in socket.js and linking.js.
'use strict';
__d('StandInWire', (require, exports) => {
  const { timings } = require('StandInConfig');
  const { Emitter } = require('StandInBase');
  const page = crypto.randomUUID().slice(0, 8);
  const LOGIN_OVER = ['pair-device', 'success', 'failure', 'stream-error'];

  // Events: 'open', 'frame' (frame), 'lost' (why). 'lost' comes once; a wire is never reused.
  class Wire extends Emitter {
    #socket;
    #waiting = new Map();
    #next = 1;
    #over = false;
    #timers = [];
    #login = null; // its deadline

    constructor() {
      super();
      this.#socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/ws/chat?page=${page}`);
      this.#socket.onopen = () => {
        this.#timers.push(setInterval(() => this.#ping(), 1000 * timings.ping_every));
        this.trigger('open');
      };
      this.#socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
      this.#socket.onclose = () => this.#end('closed');
    }

    send(frame) {
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
    }

    // Send the login's first frame. A server that does not end the login within a ping's time is silent, whatever it
    // answers to later pings.
    logIn(frame) {
      this.send(frame);
      this.#login = this.#deadline();
    }

    // Resolves with the server's answer; stays pending while the server is silent, like the real page's.
    request(frame) {
      const id = this.#next++;
      this.send({ ...frame, id });
      return new Promise((resolve) => this.#waiting.set(id, resolve));
    }

    close() {
      this.#over = true;
      this.#end('left');
    }

    #ping() {
      const deadline = this.#deadline();
      this.request({ type: 'ping' }).then(() => clearTimeout(deadline));
    }

    #deadline() {
      const unheard = () => {
        if (require('StandInLive').live.dead_socket === 'off') this.#end('silent');
      };
      const deadline = setTimeout(unheard, 1000 * timings.ping_timeout);
      this.#timers.push(deadline);
      return deadline;
    }

    #take(frame) {
      if (this.#over) return;
      if (frame.type === 'pong' || frame.type === 'result') {
        this.#waiting.get(frame.id)?.(frame);
        this.#waiting.delete(frame.id);
      } else {
        if (LOGIN_OVER.includes(frame.type)) clearTimeout(this.#login);
        this.trigger('frame', frame);
      }
    }

    #end(why) {
      for (const timer of this.#timers.splice(0)) {
        clearTimeout(timer);
        clearInterval(timer);
      }
      this.#socket.onclose = null;
      this.#socket.close();
      if (!this.#over) {
        this.#over = true;
        this.trigger('lost', why);
      }
    }
  }

  Object.assign(exports, { Wire, page });
});
