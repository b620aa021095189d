BEGIN TRANSACTION;
CREATE TABLE accounts (
            number TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            owner INTEGER NOT NULL,
            wanted TEXT NOT NULL,
            linked INTEGER NOT NULL,
            state TEXT NOT NULL,
            reason TEXT,
            detail TEXT NOT NULL,
            since TEXT NOT NULL,
            block_ends_at TEXT,
            added_at TEXT NOT NULL
        ) STRICT
        ;
INSERT INTO "accounts" VALUES('+4915112300000','State IDLE',1001,'idle',0,'IDLE','asked','a detail','2026-11-26T07:46:06.045287+00:00',NULL,'2026-11-26T07:46:06.043453+00:00');
INSERT INTO "accounts" VALUES('+4915112300001','State CONNECTING',1001,'connected',1,'CONNECTING','retry','a detail','2026-11-26T07:46:06.049139+00:00',NULL,'2026-11-26T07:46:06.047926+00:00');
INSERT INTO "accounts" VALUES('+4915112300002','State CONNECTED',1001,'suspended',1,'CONNECTED','linked','a detail','2026-11-26T07:46:06.065410+00:00',NULL,'2026-11-26T07:46:06.060992+00:00');
INSERT INTO "accounts" VALUES('+4915112300003','State DISCONNECTED',1001,'idle',1,'DISCONNECTED','logged_out','a detail','2026-11-26T07:46:06.107818+00:00',NULL,'2026-11-26T07:46:06.102705+00:00');
INSERT INTO "accounts" VALUES('+4915112300004','State ERROR',1001,'connected',1,'ERROR','page_unknown','a detail','2026-11-26T07:46:06.124526+00:00',NULL,'2026-11-26T07:46:06.119395+00:00');
INSERT INTO "accounts" VALUES('+4915112300005','State SUSPENDED',1001,'suspended',1,'SUSPENDED','banned','a detail','2026-11-26T07:46:06.132471+00:00',NULL,'2026-11-26T07:46:06.129022+00:00');
CREATE TABLE audit (
            id INTEGER PRIMARY KEY,
            at TEXT NOT NULL,
            user_id INTEGER NOT NULL,
            command TEXT NOT NULL,
            number TEXT,
            outcome TEXT NOT NULL
        ) STRICT
        ;
CREATE TABLE incidents (id INTEGER PRIMARY KEY, chat INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
INSERT INTO "incidents" VALUES(28453562,-1001000000001,'{"id":28453562,"chat":-1001000000001,"opened_at":"2026-11-26T07:46:02.632100Z","grown_at":"2026-11-26T07:46:02.632100Z","entries":[{"number":"+4915112300010","reason":"logged_out","at":"2026-11-26T07:46:02.617752Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false}],"topic":2,"about":"+4915112300010","told_at":"2026-11-26T07:46:03.678803Z","edited_at":"2026-11-26T07:46:03.678803Z","acknowledged_by":"","done":[],"repeat_at":"2026-11-26T11:46:03.678803Z","parts":[{"message":3,"shown":"24a8e6d515d84683","sending":false}],"reply":null}');
INSERT INTO "incidents" VALUES(28453563,1001,'{"id":28453563,"chat":1001,"opened_at":"2026-11-26T07:46:02.633656Z","grown_at":"2026-11-26T07:46:06.149709Z","entries":[{"number":"+4915112300010","reason":"logged_out","at":"2026-11-26T07:46:02.617752Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false},{"number":"+4915112300011","reason":"logged_out","at":"2026-11-26T07:46:03.738951Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false},{"number":"+4915112300012","reason":"logged_out","at":"2026-11-26T07:46:04.812272Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false},{"number":"+4915112300020","reason":"logged_out","at":"2026-11-26T07:46:06.146406Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false}],"topic":null,"about":"","told_at":"2026-11-26T07:46:03.657107Z","edited_at":"2026-11-26T07:46:07.685709Z","acknowledged_by":"","done":[],"repeat_at":"2026-11-26T11:46:03.657107Z","parts":[{"message":4,"shown":"49681c726991241f","sending":false}],"reply":null}');
INSERT INTO "incidents" VALUES(28453564,-1001000000002,'{"id":28453564,"chat":-1001000000002,"opened_at":"2026-11-26T07:46:03.781864Z","grown_at":"2026-11-26T07:46:03.781864Z","entries":[{"number":"+4915112300011","reason":"logged_out","at":"2026-11-26T07:46:03.738951Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false}],"topic":null,"about":"","told_at":"2026-11-26T07:46:06.106874Z","edited_at":"2026-11-26T07:46:06.106874Z","acknowledged_by":"","done":[],"repeat_at":"2026-11-26T11:46:04.814416Z","parts":[{"message":5,"shown":"f3292e6d90109914","sending":false}],"reply":null}');
INSERT INTO "incidents" VALUES(28453565,-1001000000002,'{"id":28453565,"chat":-1001000000002,"opened_at":"2026-11-26T07:46:04.907762Z","grown_at":"2026-11-26T07:46:04.907762Z","entries":[{"number":"+4915112300012","reason":"logged_out","at":"2026-11-26T07:46:04.812272Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false}],"topic":null,"about":"","told_at":"2026-11-26T07:46:05.925836Z","edited_at":"2026-11-26T07:46:05.925836Z","acknowledged_by":"","done":[],"repeat_at":"2026-11-26T11:46:05.925836Z","parts":[{"message":3,"shown":"e12938c08fba6ecb","sending":false}],"reply":null}');
INSERT INTO "incidents" VALUES(28453566,1002,'{"id":28453566,"chat":1002,"opened_at":"2026-11-26T07:46:06.150558Z","grown_at":"2026-11-26T07:46:06.150558Z","entries":[{"number":"+4915112300020","reason":"logged_out","at":"2026-11-26T07:46:06.146406Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false}],"topic":null,"about":"","told_at":"2026-11-26T07:46:07.180750Z","edited_at":"2026-11-26T07:46:07.180750Z","acknowledged_by":"","done":[],"repeat_at":"2026-11-26T11:46:07.180750Z","parts":[{"message":16,"shown":"dc460c6991d565e7","sending":false}],"reply":null}');
INSERT INTO "incidents" VALUES(28453573,1001,'{"id":28453573,"chat":1001,"opened_at":"2026-11-26T07:46:13.248490Z","grown_at":"2026-11-26T07:46:13.248490Z","entries":[{"number":"+4915112300021","reason":"logged_out","at":"2026-11-26T07:46:13.180504Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false}],"topic":null,"about":"","told_at":"2026-11-26T07:46:14.297128Z","edited_at":"2026-11-26T07:46:14.461219Z","acknowledged_by":"Ada is on it, since 07:46 UTC","done":[],"repeat_at":null,"parts":[{"message":17,"shown":"81a9047a94a47962","sending":false}],"reply":null}');
INSERT INTO "incidents" VALUES(28453574,1002,'{"id":28453574,"chat":1002,"opened_at":"2026-11-26T07:46:13.249700Z","grown_at":"2026-11-26T07:46:13.249700Z","entries":[{"number":"+4915112300021","reason":"logged_out","at":"2026-11-26T07:46:13.180504Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false}],"topic":null,"about":"","told_at":"2026-11-26T07:46:14.341496Z","edited_at":"2026-11-26T07:46:14.487116Z","acknowledged_by":"Ada is on it, since 07:46 UTC","done":[],"repeat_at":null,"parts":[{"message":18,"shown":"81a9047a94a47962","sending":false}],"reply":null}');
INSERT INTO "incidents" VALUES(28453580,1001,'{"id":28453580,"chat":1001,"opened_at":"2026-11-26T07:46:20.504691Z","grown_at":"2026-11-26T07:46:20.504691Z","entries":[{"number":"+4915112300022","reason":"exhausted","at":"2026-11-26T07:46:20.484631Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false},{"number":"+4915112300023","reason":"exhausted","at":"2026-11-26T07:46:20.484688Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false},{"number":"+4915112300024","reason":"exhausted","at":"2026-11-26T07:46:20.484706Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false},{"number":"+4915112300025","reason":"exhausted","at":"2026-11-26T07:46:20.484720Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false}],"topic":null,"about":"","told_at":"2026-11-26T07:46:21.528765Z","edited_at":"2026-11-26T07:46:21.528765Z","acknowledged_by":"","done":[],"repeat_at":"2026-11-26T11:46:21.528765Z","parts":[{"message":19,"shown":"898e1dc7535f9cd9","sending":false}],"reply":null}');
INSERT INTO "incidents" VALUES(28453581,1002,'{"id":28453581,"chat":1002,"opened_at":"2026-11-26T07:46:20.506360Z","grown_at":"2026-11-26T07:46:20.506360Z","entries":[{"number":"+4915112300022","reason":"exhausted","at":"2026-11-26T07:46:20.484631Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false},{"number":"+4915112300023","reason":"exhausted","at":"2026-11-26T07:46:20.484688Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false},{"number":"+4915112300024","reason":"exhausted","at":"2026-11-26T07:46:20.484706Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false},{"number":"+4915112300025","reason":"exhausted","at":"2026-11-26T07:46:20.484720Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false}],"topic":null,"about":"","told_at":"2026-11-26T07:46:21.536809Z","edited_at":"2026-11-26T07:46:21.536809Z","acknowledged_by":"","done":[],"repeat_at":"2026-11-26T11:46:21.536809Z","parts":[{"message":20,"shown":"898e1dc7535f9cd9","sending":false}],"reply":null}');
INSERT INTO "incidents" VALUES(28453588,1001,'{"id":28453588,"chat":1001,"opened_at":"2026-11-26T07:46:28.588637Z","grown_at":"2026-11-26T07:46:31.615723Z","entries":[{"number":"+4915112300028","reason":"logged_out","at":"2026-11-26T07:46:28.572811Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false},{"number":"+4915112300029","reason":"page_unknown","at":"2026-11-26T07:46:31.595108Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false}],"topic":null,"about":"","told_at":null,"edited_at":null,"acknowledged_by":"","done":[],"repeat_at":null,"parts":[{"message":null,"shown":"","sending":true}],"reply":null}');
INSERT INTO "incidents" VALUES(28453589,1002,'{"id":28453589,"chat":1002,"opened_at":"2026-11-26T07:46:28.596584Z","grown_at":"2026-11-26T07:46:31.617735Z","entries":[{"number":"+4915112300028","reason":"logged_out","at":"2026-11-26T07:46:28.572811Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false},{"number":"+4915112300029","reason":"page_unknown","at":"2026-11-26T07:46:31.595108Z","cause":null,"detail":"","times":1,"over_at":null,"handled":false}],"topic":null,"about":"","told_at":null,"edited_at":null,"acknowledged_by":"","done":[],"repeat_at":null,"parts":[{"message":null,"shown":"","sending":true}],"reply":null}');
CREATE TABLE messages (
            id INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            key TEXT NOT NULL,
            chat INTEGER NOT NULL,
            topic INTEGER,
            message INTEGER NOT NULL,
            shown TEXT NOT NULL,
            UNIQUE (kind, key, chat)
        ) STRICT
        ;
INSERT INTO "messages" VALUES(1,'card','+4915112300010',1001,NULL,3,'8a154c3db1ff2a0b');
INSERT INTO "messages" VALUES(2,'card','+4915112300011',1001,NULL,5,'5fb4e9aeace4056f');
INSERT INTO "messages" VALUES(3,'card','+4915112300012',1001,NULL,8,'069b93b888344e92');
INSERT INTO "messages" VALUES(4,'card','+4915112300000',1001,NULL,9,'aca56ab23efd6594');
INSERT INTO "messages" VALUES(5,'card','+4915112300001',1001,NULL,10,'5dc3c8dcae267766');
INSERT INTO "messages" VALUES(6,'card','+4915112300002',1001,NULL,11,'5b4ea084701ca0dc');
INSERT INTO "messages" VALUES(7,'card','+4915112300003',1001,NULL,11,'5b4ea084701ca0dc');
INSERT INTO "messages" VALUES(8,'card','+4915112300004',1001,NULL,11,'4a98e88545f86d44');
INSERT INTO "messages" VALUES(9,'card','+4915112300005',1001,NULL,11,'4a98e88545f86d44');
INSERT INTO "messages" VALUES(10,'card','+4915112300020',1001,NULL,11,'4a98e88545f86d44');
INSERT INTO "messages" VALUES(11,'card','+4915112300021',1001,NULL,11,'4a98e88545f86d44');
INSERT INTO "messages" VALUES(12,'card','+4915112300022',1001,NULL,11,'4a98e88545f86d44');
INSERT INTO "messages" VALUES(13,'card','+4915112300023',1001,NULL,11,'4a98e88545f86d44');
INSERT INTO "messages" VALUES(14,'card','+4915112300024',1001,NULL,11,'4a98e88545f86d44');
INSERT INTO "messages" VALUES(15,'card','+4915112300025',1001,NULL,11,'4a98e88545f86d44');
INSERT INTO "messages" VALUES(16,'card','+4915112300026',1001,NULL,11,'4a98e88545f86d44');
INSERT INTO "messages" VALUES(17,'card','+4915112300027',1001,NULL,11,'4a98e88545f86d44');
INSERT INTO "messages" VALUES(18,'card','+4915112300028',1001,NULL,11,'4a98e88545f86d44');
INSERT INTO "messages" VALUES(19,'gone','4004',4004,NULL,0,'');
CREATE TABLE moved_chats (chat INTEGER PRIMARY KEY, moved_to INTEGER NOT NULL) STRICT;
INSERT INTO "moved_chats" VALUES(-4000000001,-1001000000002);
CREATE TABLE outbox (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            chat INTEGER NOT NULL,
            kind TEXT NOT NULL,
            number TEXT NOT NULL,
            body TEXT NOT NULL,
            at TEXT NOT NULL,
            due_at TEXT NOT NULL,
            claimed_until TEXT,
            tries INTEGER NOT NULL DEFAULT 0,
            waited INTEGER NOT NULL DEFAULT 0,
            picture BLOB
        ) STRICT
        ;
INSERT INTO "outbox" VALUES(20,1001,'alert','+4915112300026','{"reason": "logged_out", "cause": null, "detail": ""}','2026-11-26T07:46:27.561645+00:00','2100-01-01T00:00:00.000000+00:00',NULL,1,1,NULL);
INSERT INTO "outbox" VALUES(21,1002,'alert','+4915112300026','{"reason": "logged_out", "cause": null, "detail": ""}','2026-11-26T07:46:27.561645+00:00','2100-01-01T00:00:00.000000+00:00',NULL,1,1,NULL);
INSERT INTO "outbox" VALUES(22,1001,'alert','+4915112300027','{"reason": "logged_out", "cause": null, "detail": ""}','2026-11-26T07:46:27.561697+00:00','2100-01-01T00:00:00.000000+00:00',NULL,1,1,NULL);
INSERT INTO "outbox" VALUES(23,1002,'alert','+4915112300027','{"reason": "logged_out", "cause": null, "detail": ""}','2026-11-26T07:46:27.561697+00:00','2100-01-01T00:00:00.000000+00:00',NULL,1,1,NULL);
INSERT INTO "outbox" VALUES(24,1001,'over','+4915112300027','{}','2026-11-26T07:46:27.561710+00:00','2100-01-01T00:00:00.000000+00:00',NULL,1,1,NULL);
INSERT INTO "outbox" VALUES(25,1002,'over','+4915112300027','{}','2026-11-26T07:46:27.561710+00:00','2100-01-01T00:00:00.000000+00:00',NULL,1,1,NULL);
INSERT INTO "outbox" VALUES(30,1001,'picture','+4915112300029','{"reason": "page_unknown", "detail": "What +49 1511 2300029\u2019s page looked like."}','2026-11-26T07:46:31.595108+00:00','2026-11-26T07:46:31.595108+00:00',NULL,0,0,X'89504E470D0A1A0A0000000D49484452000000E8000000E80100000000CDD295D500000152494441547801ED56010AC3200CD4B1FF7FD9E5EE92CE75450A65AC0665CCDAD03697BB8BD65606E3318895B2A27D7956355635FA0AF4D7BFD3C6139FA9FA56ABA5956AFF1C30F6EFBEFBAF3713AFC1B4616805D55789F182614369DC0656CE09F9DDE9CA01836E8C5D5437B7FF19A3D273408081FB3123A271CE8E5730036CCC69F9F5960CFF9A837D65448F6B3563540D2A349C5FCFE4A8DAC07E44F0B8B225499E91C11339371A56BB2FF4AC754A3D77FD19ECDA8F4C7BC73A51ABB0C2D77CCF67032FCE92EE656126E27BE67C252BE1354E2163900B55D3BB20ECCA9BEFFC2C0D8B8DC89D1CE2BC73CE91E37E1EE74C0D3B9F6F8ADDBE09F9959E894FA246B936338F6B3571941BB021A5A241B7289F1811783B18D19F1912C346B6949DB15F7DE0DD701ACD2C405A7EA341E14C499675B6CC8A576E75B97307D6C6940FAF9FA90E9C8D5BF9F02E443DD5AB1AB357E305FFD14BE66FE023DB0000000049454E44AE426082');
INSERT INTO "outbox" VALUES(31,1002,'picture','+4915112300029','{"reason": "page_unknown", "detail": "What +49 1511 2300029\u2019s page looked like."}','2026-11-26T07:46:31.595108+00:00','2026-11-26T07:46:31.595108+00:00',NULL,0,0,X'89504E470D0A1A0A0000000D49484452000000E8000000E80100000000CDD295D500000152494441547801ED56010AC3200CD4B1FF7FD9E5EE92CE75450A65AC0665CCDAD03697BB8BD65606E3318895B2A27D7956355635FA0AF4D7BFD3C6139FA9FA56ABA5956AFF1C30F6EFBEFBAF3713AFC1B4616805D55789F182614369DC0656CE09F9DDE9CA01836E8C5D5437B7FF19A3D273408081FB3123A271CE8E5730036CCC69F9F5960CFF9A837D65448F6B3563540D2A349C5FCFE4A8DAC07E44F0B8B225499E91C11339371A56BB2FF4AC754A3D77FD19ECDA8F4C7BC73A51ABB0C2D77CCF67032FCE92EE656126E27BE67C252BE1354E2163900B55D3BB20ECCA9BEFFC2C0D8B8DC89D1CE2BC73CE91E37E1EE74C0D3B9F6F8ADDBE09F9959E894FA246B936338F6B3571941BB021A5A241B7289F1811783B18D19F1912C346B6949DB15F7DE0DD701ACD2C405A7EA341E14C499675B6CC8A576E75B97307D6C6940FAF9FA90E9C8D5BF9F02E443DD5AB1AB357E305FFD14BE66FE023DB0000000049454E44AE426082');
INSERT INTO "outbox" VALUES(32,1001,'alert','+4915112300030','{"reason": "logged_out", "cause": null, "detail": ""}','2026-11-26T07:46:32.596614+00:00','2026-11-26T07:46:32.596614+00:00',NULL,0,0,NULL);
INSERT INTO "outbox" VALUES(33,1002,'alert','+4915112300030','{"reason": "logged_out", "cause": null, "detail": ""}','2026-11-26T07:46:32.596614+00:00','2026-11-26T07:46:32.596614+00:00',NULL,0,0,NULL);
INSERT INTO "outbox" VALUES(34,1001,'note','','{"reason": "", "detail": "A note that is owed."}','2026-11-26T07:46:32.612754+00:00','2026-11-26T07:46:32.612754+00:00',NULL,0,0,NULL);
INSERT INTO "outbox" VALUES(35,1002,'note','','{"reason": "", "detail": "A note that is owed."}','2026-11-26T07:46:32.612754+00:00','2026-11-26T07:46:32.612754+00:00',NULL,0,0,NULL);
CREATE TABLE silences (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            chat INTEGER,
            numbers TEXT NOT NULL,
            until TEXT NOT NULL,
            at TEXT NOT NULL,
            user_id INTEGER NOT NULL,
            name TEXT NOT NULL,
            reason TEXT NOT NULL
        ) STRICT
        ;
INSERT INTO "silences" VALUES(1,NULL,'+4915112300026,+4915112300027','2100-01-01T00:00:00+00:00','2026-11-26T07:46:27.544633+00:00',1001,'Ada','moving house');
CREATE TABLE strangers (user_id INTEGER PRIMARY KEY, at TEXT NOT NULL) STRICT;
CREATE TABLE topics (
            chat INTEGER NOT NULL,
            number TEXT NOT NULL,
            topic INTEGER NOT NULL,
            PRIMARY KEY (chat, number)
        ) STRICT
        ;
INSERT INTO "topics" VALUES(-1001000000001,'+4915112300010',2);
CREATE TABLE transitions (
            id INTEGER PRIMARY KEY,
            number TEXT NOT NULL,
            at TEXT NOT NULL,
            from_state TEXT NOT NULL,
            to_state TEXT NOT NULL,
            reason TEXT NOT NULL,
            cause TEXT,
            detail TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            errors INTEGER NOT NULL
        ) STRICT
        ;
INSERT INTO "transitions" VALUES(1,'+4915112300000','2026-11-26T07:46:06.045287+00:00','IDLE','IDLE','asked',NULL,'a detail',0,0);
INSERT INTO "transitions" VALUES(2,'+4915112300001','2026-11-26T07:46:06.049139+00:00','IDLE','CONNECTING','retry',NULL,'a detail',0,1);
INSERT INTO "transitions" VALUES(3,'+4915112300002','2026-11-26T07:46:06.065410+00:00','IDLE','CONNECTED','linked',NULL,'a detail',0,2);
INSERT INTO "transitions" VALUES(4,'+4915112300003','2026-11-26T07:46:06.107818+00:00','IDLE','DISCONNECTED','logged_out',NULL,'a detail',0,3);
INSERT INTO "transitions" VALUES(5,'+4915112300004','2026-11-26T07:46:06.124526+00:00','IDLE','ERROR','page_unknown',NULL,'a detail',0,4);
INSERT INTO "transitions" VALUES(6,'+4915112300005','2026-11-26T07:46:06.132471+00:00','IDLE','SUSPENDED','banned',NULL,'a detail',0,5);
CREATE INDEX transitions_of_account ON transitions (number, id);
CREATE INDEX outbox_of_chat ON outbox (chat, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('outbox',35);
INSERT INTO "sqlite_sequence" VALUES('silences',1);
COMMIT;
PRAGMA user_version = 3;
