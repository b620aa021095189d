// The models that everybody listens to: Socket, Conn, Stream, Cmd, network status. State only; socket.js moves it.
'use strict';
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
    }

    takeover() {
      require('StandInSession').takeOver();
    }

    logout() {
      return require('StandInSession').logOut();
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
        ref: undefined, // the last code; keeps its value when the code is dead, and after a link
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

  // The stream is what the socket's state means for the screen.
  const { Socket } = require('WAWebSocketModel');
  const BLOCKED = ['CONFLICT', 'PROXYBLOCK', 'TOS_BLOCK', 'SMB_TOS_BLOCK', 'DEPRECATED_VERSION'];
  const follow = () => {
    const { state, hasSynced } = Socket;
    const stream = exports.Stream;
    if (state === 'UNPAIRED' || state === 'UNPAIRED_IDLE') stream.set({ mode: 'QR', info: 'PAIRING' });
    else if (state === 'CONNECTED') stream.set({ mode: hasSynced ? 'MAIN' : 'SYNCING', info: hasSynced ? 'NORMAL' : 'SYNCING' });
    else if (BLOCKED.includes(state)) stream.set({ mode: state });
    else stream.set({ info: state === 'PAIRING' ? 'PAIRING' : 'OPENING' });
    stream.displayInfo = stream.info;
  };
  Socket.on('change:state change:hasSynced', follow);
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

// Clients that miss window.Debug take the version from here.
__d('WAWebBuildConstants', (require, exports) => {
  const { version } = require('StandInConfig');
  Object.assign(exports, { VERSION_STR: version, SANITIZED_VERSION_STR: version });
});

__d('WAWebOfflineHandler', (require, exports) => {
  let progress = 0;
  exports.OfflineMessageHandler = {
    getOfflineDeliveryProgress: () => progress,
    setOfflineDeliveryProgress: (percent) => {
      progress = percent;
      require('WAWebCmd').Cmd.trigger('offline_progress_update_from_bridge');
    },
  };
});

__d('WAWebLogoutReasonConstants', (_, exports) => {
  exports.LogoutReason = { UserInitiated: 'user_initiated', PrimaryInitiated: 'primary_initiated', AccountInvalid: 'account_invalid' };
});

__d('WAWebLogoutReason', (_, exports) => {
  const codes = { user_initiated: 0, primary_initiated: 1, account_invalid: 2 };
  exports.getErrorCodeFromLogoutReason = (reason) => codes[reason] ?? 0;
});

__d('WAWebBackendEventBus', (require, exports) => {
  const { Emitter } = require('StandInBase');
  exports.BackendEvent = { LOGOUT: 'logout', SOCKET_STREAM: 'socket_stream' };
  exports.BackendEventBus = new Emitter();
});
