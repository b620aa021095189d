// The shared models: Socket, Conn, Stream, Cmd, network status. State only; socket.js changes it.
'use strict';
// The current switches: those that take effect at once change while the page is open.
__d('StandInLive', (require, exports) => {
  const { Model } = require('StandInBase');
  exports.live = new Model({ ...require('StandInConfig').switches, another_number: false });
});

__d('WAWebSocketConstants', (_, exports) => {
  const names = [
    'OPENING',
    'PAIRING',
    'UNPAIRED',
    'UNPAIRED_IDLE',
    'CONNECTED',
    'TIMEOUT',
    'CONFLICT',
    'UNLAUNCHED',
    'PROXYBLOCK',
    'TOS_BLOCK',
    'SMB_TOS_BLOCK',
    'DEPRECATED_VERSION',
  ];
  exports.SOCKET_STATE = Object.fromEntries(names.map((name) => [name, name]));
  exports.SOCKET_STREAM = { DISCONNECTED: 'DISCONNECTED', SYNCING: 'SYNCING', RESUMING: 'RESUMING', CONNECTED: 'CONNECTED' };
  exports.WATCHED_SOCKET_STATE = exports.SOCKET_STATE;
});

__d('WAWebSocketModel', (require, exports) => {
  const { Model } = require('StandInBase');
  class SocketImpl extends Model {
    constructor() {
      super({ state: 'UNLAUNCHED', stream: 'DISCONNECTED', hasSynced: false, launched: false, retryTimestamp: undefined });
      if (!require('StandInConfig').switches.no_init_conn) this.initConn = () => {};
    }

    takeover() {
      require('StandInSession').takeOver();
    }

    logout() {
      const { logout_fails: fails } = require('StandInLive').live;
      if (fails === 'throws') throw new Error('logout failed');
      if (fails === 'hangs') return new Promise(() => {});
      return fails === 'ignored' ? Promise.resolve() : require('StandInSession').logOut();
    }

    poke() {
      require('StandInSession').refreshQR();
    }
  }
  exports.SocketImpl = SocketImpl;
  exports.Socket = new SocketImpl();
});

__d('WAWebConnModel', (require, exports) => {
  const { Model } = require('StandInBase');
  class ConnImpl extends Model {
    constructor() {
      super({
        ref: undefined, // the last code; retains its value when the code has expired, and after linking
        refTTL: undefined,
        connected: false,
        wid: undefined,
        pushname: undefined,
        platform: undefined,
        battery: undefined,
        plugged: undefined,
        isResponse: undefined,
      });
    }
  }
  exports.ConnImpl = ConnImpl;
  exports.Conn = new ConnImpl();
});

__d('WAWebStreamModel', (require, exports) => {
  const { Model } = require('StandInBase');
  class StreamImpl extends Model {
    constructor() {
      super({ mode: undefined, info: 'OPENING', displayInfo: 'OPENING', available: false, needsUpdate: false });
    }

    markAvailable() {
      this.available = true;
    }

    markUnavailable() {
      this.available = false;
    }
  }
  exports.StreamImpl = StreamImpl;
  exports.Stream = new StreamImpl();

  // The stream is the socket's state as shown on the screen; switches override its text.
  const { Socket } = require('WAWebSocketModel');
  const { live } = require('StandInLive');
  const said = (name) => (live[name] === 'off' ? null : live[name]);
  const BLOCKED = ['CONFLICT', 'PROXYBLOCK', 'TOS_BLOCK', 'SMB_TOS_BLOCK', 'DEPRECATED_VERSION'];
  const follow = () => {
    const { state, hasSynced } = Socket;
    const stream = exports.Stream;
    const gone = live.dead_socket === 'told' ? 'DISCONNECTED' : null;
    Socket.stream = said('stream') ?? gone ?? (state !== 'CONNECTED' ? 'DISCONNECTED' : hasSynced ? 'CONNECTED' : 'SYNCING');
    if (state === 'UNPAIRED' || state === 'UNPAIRED_IDLE') stream.set({ mode: 'QR', info: 'PAIRING' });
    else if (state === 'CONNECTED') {
      const done = hasSynced || require('StandInSession').isUsable();
      stream.set({ mode: done ? 'MAIN' : 'SYNCING', info: done ? 'NORMAL' : 'SYNCING' });
    }
    else if (BLOCKED.includes(state)) stream.set({ mode: state });
    else stream.set({ info: state === 'PAIRING' ? 'PAIRING' : 'OPENING' });
    if (gone) stream.info = 'OFFLINE';
    if (said('stream_mode')) stream.mode = said('stream_mode');
    stream.displayInfo = said('display_info') ?? stream.info;
  };
  Socket.on('change:state change:hasSynced usable', follow);
  live.on('change:stream change:stream_mode change:display_info change:dead_socket', follow);
  exports.Stream.on('change:info', (_, info) => require('WAWebBackendEventBus').BackendEventBus.trigger('socket_stream', info));
});

__d('WAWebCmd', (require, exports) => {
  const { Emitter } = require('StandInBase');
  const { switches } = require('StandInConfig');
  class CmdImpl extends Emitter {
    isMainLoaded = false;
  }
  if (['cmd', 'both'].includes(switches.refresh_qr)) {
    CmdImpl.prototype.refreshQR = () => require('StandInSession').refreshQR();
  }
  exports.CmdImpl = CmdImpl;
  exports.Cmd = new CmdImpl();
});

__d('WAWebNetworkStatus', (require, exports) => {
  const { Model } = require('StandInBase');
  class NetworkStatus extends Model {
    constructor() {
      super({ online: navigator.onLine });
      addEventListener('online', () => (this.online = true));
      addEventListener('offline', () => (this.online = false));
    }

    checkOnline() {
      this.online = navigator.onLine;
    }
  }
  exports.default = new NetworkStatus();
});

// Clients without window.Debug take the version from here.
__d('WAWebBuildConstants', (require, exports) => {
  const { version } = require('StandInConfig');
  Object.assign(exports, { VERSION_STR: version, SANITIZED_VERSION_STR: version });
});

// No client names this module: they find it by its export (getHistorySyncProgressModel).
__d('WAWebHistorySyncProgressModel', (require, exports) => {
  const { Model } = require('StandInBase');
  const model = new Model({ id: '1', inProgress: false, paused: false, incomplete: false, realProgress: null, fakeProgress: 0 });
  exports.getHistorySyncProgressModel = () => model;
});

__d('WAWebOfflineHandler', (require, exports) => {
  const { switches } = require('StandInConfig');
  let progress = 0;
  exports.OfflineMessageHandler = {
    getOfflineDeliveryProgress: () => (switches.stuck_at_99 ? 99 : progress),
    setOfflineDeliveryProgress: (percent) => {
      progress = percent;
      require('WAWebCmd').Cmd.trigger('offline_progress_update_from_bridge');
    },
  };
});

__d('WAWebLogoutReasonConstants', (_, exports) => {
  exports.LogoutReason = {
    UserInitiated: 'user_initiated',
    AccountLocked: 'account_locked',
    StorageQuotaExceeded: 'storage_quota_exceeded',
    HistorySyncTimeout: 'history_sync_timeout',
    SyncdFailure: 'syncd_failure',
  };
  exports.LOGOUT_REASON_CODE = { CLIENT_FATAL: '0', SYNC_FAIL: '1', INITIAL_HISTORY_SYNC_TIMEOUT: '2', ACCOUNT_LOCKED: '3' };
});

__d('WAWebLogoutReason', (_, exports) => {
  const codes = { syncd_failure: '1', syncd_timeout: '1', account_sync_error: '1', history_sync_timeout: '2', account_locked: '3' };
  exports.getErrorCodeFromLogoutReason = (reason) => (/^\d$/.test(reason) ? reason : (codes[reason] ?? '0'));
});

__d('WAWebBackendEventBus', (require, exports) => {
  const { Emitter } = require('StandInBase');
  exports.BackendEvent = { LOGOUT: 'logout', SOCKET_STREAM: 'socket_stream' };
  exports.BackendEventBus = new Emitter();
});
