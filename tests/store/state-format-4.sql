-- A state of format 4, as it was before jobs had origins and sweeps.
PRAGMA application_id = 1131235172;
PRAGMA user_version = 4;
BEGIN TRANSACTION;
CREATE TABLE approvals (
        id INTEGER PRIMARY KEY,
        approval_id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        owner TEXT NOT NULL,
        host TEXT NOT NULL,
        tool TEXT NOT NULL,
        matched TEXT NOT NULL,
        effect TEXT NOT NULL,
        policy TEXT NOT NULL,
        channel TEXT NOT NULL,
        client TEXT,
        status TEXT NOT NULL CHECK (
            status IN ('pending', 'approved', 'denied', 'cancelled', 'spent')
        ),
        created_ms INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL CHECK (
            typeof(expires_ms) = 'integer' AND expires_ms >= created_ms
        ),
        decided_ms INTEGER,
        decision_id TEXT NOT NULL DEFAULT '',
        prompt_id TEXT,
        told INTEGER NOT NULL,
        ruling TEXT NOT NULL,
        facts TEXT NOT NULL,
        payload TEXT NOT NULL
    );
INSERT INTO "approvals" VALUES(1,'apr_1','call','alice','http://127.0.0.1:8188','run_workflow','match of apr_1','effect 1','policy 1','operator',NULL,'spent',1700000008000,1700003608000,1700000008500,'dec_6',NULL,11,'{"by":{"assurance":"operator","channel":"terminal","user":"eve"},"changes":{},"reason":"Go on."}','{"title":"A cat","tool":"run_workflow"}','{}');
INSERT INTO "approvals" VALUES(2,'apr_2','call','alice','http://127.0.0.1:8188','run_workflow','match of apr_2','effect 1','policy 1','operator',NULL,'pending',1700000008600,1700003608600,NULL,'',NULL,10,'{}','{"title":"A cat","tool":"run_workflow"}','{"graph":{"1":{"class_type":"KSampler"}}}');
INSERT INTO "approvals" VALUES(3,'apr_3','call','alice','http://127.0.0.1:8188','run_workflow','match of apr_3','effect 1','policy 1','operator',NULL,'denied',1700000009100,1700003609100,1700000009200,'',NULL,14,'{"by":{"assurance":"operator","channel":"terminal","user":"eve"},"changes":{},"reason":"No."}','{"title":"A cat","tool":"run_workflow"}','{"graph":{"1":{"class_type":"KSampler"}}}');
CREATE TABLE audit (
        seq INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL,
        record TEXT NOT NULL
    );
INSERT INTO "audit" VALUES(1,1700000000000,'0000000000000000000000000000000000000000000000000000000000000000','736c7b7ad11c27b8dfd2a3cb19d7cd0864da09489b003ac5c60584989e7eea0d','{"decision_id":"dec_1","tool":"run_workflow"}');
INSERT INTO "audit" VALUES(2,1700000001000,'736c7b7ad11c27b8dfd2a3cb19d7cd0864da09489b003ac5c60584989e7eea0d','d5104ecb4892f5ccbce7ee3d7b6af11de67aad44f1af6c4aa7efdc0e2d804f31','{"decision_id":"dec_2","tool":"run_workflow"}');
INSERT INTO "audit" VALUES(3,1700000002000,'d5104ecb4892f5ccbce7ee3d7b6af11de67aad44f1af6c4aa7efdc0e2d804f31','b59ed45b98526ee5322e8bcf0207df44f7cdc0184225476264c5ccd126fe1023','{"decision_id":"dec_3","tool":"run_workflow"}');
INSERT INTO "audit" VALUES(4,1700000003000,'b59ed45b98526ee5322e8bcf0207df44f7cdc0184225476264c5ccd126fe1023','a1744a0ba073e617fe7e7046ca871e702db5faea5bd0a91bfbcbe5a8569f0f07','{"kind":"end","prompt_id":"p1"}');
INSERT INTO "audit" VALUES(5,1700000005000,'a1744a0ba073e617fe7e7046ca871e702db5faea5bd0a91bfbcbe5a8569f0f07','1092932e7ba0e12c63cc0b4c6f4f67061141758cf6383b9bd29e6c6ac2b6d33e','{"kind":"freeze"}');
INSERT INTO "audit" VALUES(6,1700000006000,'1092932e7ba0e12c63cc0b4c6f4f67061141758cf6383b9bd29e6c6ac2b6d33e','35eef4538d75ab5ca1d0ee2ce9a1d22d15d4333fdb25de958dcb2fda30dc3d6f','{"decision":"deny"}');
INSERT INTO "audit" VALUES(7,1700000007000,'35eef4538d75ab5ca1d0ee2ce9a1d22d15d4333fdb25de958dcb2fda30dc3d6f','4d076df52a6157ca0ef926bbfab75743e686b0730d53e28b807e4dbbe8da5f0f','{"tool":"get_job"}');
INSERT INTO "audit" VALUES(8,1700000008000,'4d076df52a6157ca0ef926bbfab75743e686b0730d53e28b807e4dbbe8da5f0f','5b025c88f95132fda94c6191be0f4e29bb33571c594884b3bd45ce0738031545','{"parked":"apr_1"}');
INSERT INTO "audit" VALUES(9,1700000008500,'5b025c88f95132fda94c6191be0f4e29bb33571c594884b3bd45ce0738031545','3c57671145aab32f79bcebdc90a00ebcd406ab325ab41ee62058632d1885b816','{"approved":"apr_1"}');
INSERT INTO "audit" VALUES(10,1700000008600,'3c57671145aab32f79bcebdc90a00ebcd406ab325ab41ee62058632d1885b816','d2c1471047b1417f159317952087716419bccee527ca6aaa694f14a3dcbbd20d','{"parked":"apr_2"}');
INSERT INTO "audit" VALUES(11,1700000008900,'d2c1471047b1417f159317952087716419bccee527ca6aaa694f14a3dcbbd20d','49b3202861ac221685a638770bd3e2eeb3497cc8e96496d1349000d389601422','{"decision_id":"dec_6"}');
INSERT INTO "audit" VALUES(12,1700000009000,'49b3202861ac221685a638770bd3e2eeb3497cc8e96496d1349000d389601422','4a8b08b7222ac5533cfe0d3cfaa5d2d38029117995884a4b90d2e8dbed837630','{"decision_id":"dec_5","tool":"run_workflow"}');
INSERT INTO "audit" VALUES(13,1700000009100,'4a8b08b7222ac5533cfe0d3cfaa5d2d38029117995884a4b90d2e8dbed837630','9a579724e31fce484b6ec3c67c8b6579ff5192d32e82e5e26e5c879aad56afc1','{"parked":"apr_3"}');
INSERT INTO "audit" VALUES(14,1700000009200,'9a579724e31fce484b6ec3c67c8b6579ff5192d32e82e5e26e5c879aad56afc1','9648c21fd2f64eace29e6b379357f7ba614f46aee8417e0bc120c3968a3e2f70','{"denied":"apr_3"}');
CREATE TABLE charges (
        id INTEGER PRIMARY KEY,
        decision_id TEXT NOT NULL,
        counter TEXT NOT NULL,
        holder TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        amount INTEGER NOT NULL CHECK (amount >= 0)
    , refund TEXT NOT NULL DEFAULT 'never', reserved INTEGER);
INSERT INTO "charges" VALUES(1,'dec_1','runs','*',1700000000000,1000000,'never',NULL);
INSERT INTO "charges" VALUES(2,'dec_1','gpu_seconds','alice',1700000000000,4000000,'settled',60000000);
INSERT INTO "charges" VALUES(3,'dec_2','runs','*',1700000001000,1000000,'never',NULL);
INSERT INTO "charges" VALUES(4,'dec_2','gpu_seconds','alice',1700000001000,60000000,'settled',NULL);
INSERT INTO "charges" VALUES(5,'dec_3','runs','*',1700000002000,1000000,'never',NULL);
INSERT INTO "charges" VALUES(6,'','refusals!','bob',1700000006000,1000000,'never',NULL);
INSERT INTO "charges" VALUES(7,'dec_4','calls','ann',1700000007000,1000000,'never',NULL);
CREATE TABLE cooldowns (
        holder TEXT NOT NULL,
        most INTEGER NOT NULL,
        window_ms INTEGER NOT NULL,
        cooldown_ms INTEGER NOT NULL,
        began_ms INTEGER NOT NULL,
        until_ms INTEGER NOT NULL,
        PRIMARY KEY (holder, most, window_ms, cooldown_ms)
    ) WITHOUT ROWID;
INSERT INTO "cooldowns" VALUES('bob',1,60000,600000,1700000006000,1700000606000);
CREATE TABLE files (
        host TEXT NOT NULL,
        type TEXT NOT NULL,
        subfolder TEXT NOT NULL,
        filename TEXT NOT NULL,
        owner TEXT NOT NULL,
        job INTEGER NOT NULL,
        PRIMARY KEY (host, type, subfolder, filename)
    ) WITHOUT ROWID;
INSERT INTO "files" VALUES('http://127.0.0.1:8188','output','','a_00001_.png','alice',1);
CREATE TABLE freezes (
        holder TEXT PRIMARY KEY,
        reason TEXT NOT NULL,
        keep_reads INTEGER NOT NULL,
        at_ms INTEGER NOT NULL
    ) WITHOUT ROWID;
INSERT INTO "freezes" VALUES('carl','stop',0,1700000005000);
CREATE TABLE head (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        last_ms INTEGER NOT NULL,
        longest_ms INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        hash TEXT NOT NULL
    );
INSERT INTO "head" VALUES(1,1700000009200,2678400000,14,'9648c21fd2f64eace29e6b379357f7ba614f46aee8417e0bc120c3968a3e2f70');
CREATE TABLE jobs (
        id INTEGER PRIMARY KEY,
        prompt_id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        host TEXT NOT NULL,
        workflow TEXT NOT NULL,
        digest TEXT NOT NULL,
        decision_id TEXT NOT NULL,
        status TEXT NOT NULL,
        open INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        changed_ms INTEGER NOT NULL,
        result TEXT NOT NULL
    , shape TEXT NOT NULL DEFAULT '', cap_ms INTEGER, cap_rule TEXT NOT NULL DEFAULT '', running_ms INTEGER, gpu_ms INTEGER, key TEXT NOT NULL DEFAULT '', request TEXT NOT NULL DEFAULT '', progress TEXT);
INSERT INTO "jobs" VALUES(1,'p1','alice','http://127.0.0.1:8188','txt2img','sha256:1','dec_1','completed',0,1700000000000,1700000003000,'{"outputs":[{"filename":"a_00001_.png","subfolder":"","type":"output"}]}','s1',NULL,'',NULL,4000,'','',NULL);
INSERT INTO "jobs" VALUES(2,'p2','alice','http://127.0.0.1:8188','txt2img','sha256:2','dec_2','in_progress',1,1700000001000,1700000004500,'{}','s1',NULL,'',1700000004500,NULL,'monday','sha256:r','{"percent":40}');
INSERT INTO "jobs" VALUES(3,'p3','alice','http://127.0.0.1:8188','txt2img','sha256:3','dec_3','refused',0,1700000002000,1700000004000,'{}','s1',5000,'/c',NULL,NULL,'','',NULL);
INSERT INTO "jobs" VALUES(4,'p5','alice','http://127.0.0.1:8188','txt2img','sha256:5','dec_5','submitting',1,1700000009000,1700000009000,'{}','s1',NULL,'',NULL,NULL,'','',NULL);
CREATE TABLE totals (
        counter TEXT NOT NULL,
        holder TEXT NOT NULL,
        window_ms INTEGER NOT NULL,
        calendar INTEGER NOT NULL,
        from_ms INTEGER NOT NULL,
        amount INTEGER NOT NULL CHECK (typeof(amount) = 'integer' AND amount >= 0),
        PRIMARY KEY (counter, holder, window_ms, calendar)
    ) WITHOUT ROWID;
INSERT INTO "totals" VALUES('calls','ann',60000,0,1699999947000,1000000);
INSERT INTO "totals" VALUES('gpu_seconds','alice',3600000,0,1699996400000,64000000);
INSERT INTO "totals" VALUES('runs','*',60000,0,1699999940000,3000000);
CREATE INDEX charges_of_account ON charges (counter, holder, at_ms, amount);
CREATE INDEX jobs_open ON jobs (host, owner) WHERE open = 1;
CREATE INDEX charges_to_settle ON charges (decision_id) WHERE refund <> 'never';
CREATE TRIGGER charge_taken AFTER INSERT ON charges BEGIN
        UPDATE totals SET amount = amount + NEW.amount
        WHERE counter = NEW.counter AND holder = NEW.holder AND from_ms < NEW.at_ms;
    END;
CREATE TRIGGER charge_settled AFTER UPDATE OF amount ON charges BEGIN
        UPDATE totals SET amount = amount + (NEW.amount - OLD.amount)
        WHERE counter = OLD.counter AND holder = OLD.holder AND from_ms < OLD.at_ms;
    END;
CREATE TRIGGER charge_dropped AFTER DELETE ON charges BEGIN
        UPDATE totals SET amount = amount - OLD.amount
        WHERE counter = OLD.counter AND holder = OLD.holder AND from_ms < OLD.at_ms;
    END;
CREATE INDEX jobs_to_settle ON jobs (decision_id) WHERE open = 1;
CREATE INDEX jobs_of_shape ON jobs (host, shape, id, gpu_ms)
        WHERE status = 'completed' AND gpu_ms IS NOT NULL;
CREATE UNIQUE INDEX jobs_of_key ON jobs (host, owner, key)
        WHERE key <> '' AND status <> 'refused';
CREATE INDEX jobs_by_owner ON jobs (host, owner, id, status);
CREATE INDEX jobs_by_host ON jobs (host, id, status);
CREATE INDEX approvals_standing ON approvals (owner, host, kind, matched)
        WHERE status IN ('pending', 'approved', 'denied');
CREATE INDEX approvals_live ON approvals (expires_ms, owner, status)
        WHERE status IN ('pending', 'approved');
CREATE INDEX approvals_by_owner ON approvals (owner, id, status, expires_ms);
CREATE INDEX approvals_told ON approvals (told);
CREATE INDEX approvals_heavy ON approvals (expires_ms) WHERE payload <> '{}';
COMMIT;
