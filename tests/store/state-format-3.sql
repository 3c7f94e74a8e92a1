-- A state of format 3, as it was before people were asked.
PRAGMA application_id = 1131235172;
PRAGMA user_version = 3;
BEGIN TRANSACTION;
CREATE TABLE audit (
        seq INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL,
        record TEXT NOT NULL
    );
INSERT INTO "audit" VALUES(1,1700000002000,'0000000000000000000000000000000000000000000000000000000000000000','5876e5967113ac4346c24c81be8863eb9a3be2c657d16d086e824ed8f326e645','{"decision":"allow","decision_id":"dec_1","grant":"alice","kind":"decision","tool":"run_workflow"}');
INSERT INTO "audit" VALUES(2,1700000003000,'5876e5967113ac4346c24c81be8863eb9a3be2c657d16d086e824ed8f326e645','a6c7621e10cbcadd1dddc2ef11e61bab87b40cf03f99a547e235e37728d70b41','{"decision":"allow","decision_id":"dec_2","grant":"bob","kind":"decision","tool":"run_workflow"}');
INSERT INTO "audit" VALUES(3,1700000004000,'a6c7621e10cbcadd1dddc2ef11e61bab87b40cf03f99a547e235e37728d70b41','ecb57026f4f097713a4da0406765876fd0dfa18d65f41c40fffcd51acf043cda','{"decision":"allow","decision_id":"dec_3","grant":"alice","kind":"decision","tool":"run_workflow"}');
INSERT INTO "audit" VALUES(4,1700000005000,'ecb57026f4f097713a4da0406765876fd0dfa18d65f41c40fffcd51acf043cda','446938eb78978ac28d17c7b21b5ebd8fc913b870e2a8b08c4fa67a3538d6951d','{"decision":"allow","decision_id":"dec_4","grant":"alice","kind":"decision","tool":"run_workflow"}');
INSERT INTO "audit" VALUES(5,1700000006000,'446938eb78978ac28d17c7b21b5ebd8fc913b870e2a8b08c4fa67a3538d6951d','3a15ec5a2d7bad9ee928945cf264224948c3c961ca6fd69756d1762e89bf80f5','{"kind":"job","outcome":"completed","prompt_id":"p1"}');
INSERT INTO "audit" VALUES(6,1700000009000,'3a15ec5a2d7bad9ee928945cf264224948c3c961ca6fd69756d1762e89bf80f5','07a7be4d2d3febb3c21324ce02ebe5c1661fff3a95c095fd6ed20eb9e1022c89','{"freeze":"carl","kind":"operator"}');
INSERT INTO "audit" VALUES(7,1700000009000,'07a7be4d2d3febb3c21324ce02ebe5c1661fff3a95c095fd6ed20eb9e1022c89','dd10f38b7c77013bf9852248dce6622a7483959d5f5b30553e8f10b23eb842a2','{"decision":"deny","decision_id":"dec_5","kind":"decision"}');
INSERT INTO "audit" VALUES(8,1700000010000,'dd10f38b7c77013bf9852248dce6622a7483959d5f5b30553e8f10b23eb842a2','09220217ced16363ecf2cad2f6a3c0c33e84b3c89ad609d3ddeb80b0800f5e15','{"decision":"allow","decision_id":"dec_6","grant":"alice","kind":"decision","tool":"run_workflow"}');
INSERT INTO "audit" VALUES(9,1700000011000,'09220217ced16363ecf2cad2f6a3c0c33e84b3c89ad609d3ddeb80b0800f5e15','bb2bd3e13f5006be10346f18f00dc59de291afa36fc78381418ee5f852d96abb','{"kind":"job","outcome":"completed","prompt_id":"p3"}');
CREATE TABLE charges (
        id INTEGER PRIMARY KEY,
        decision_id TEXT NOT NULL,
        counter TEXT NOT NULL,
        holder TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        amount INTEGER NOT NULL CHECK (amount >= 0)
    , refund TEXT NOT NULL DEFAULT 'never', reserved INTEGER);
INSERT INTO "charges" VALUES(1,'dec_1','runs','*',1700000002000,1000000,'never',NULL);
INSERT INTO "charges" VALUES(2,'dec_1','gpu_seconds','alice',1700000002000,4000000,'settled',30000000);
INSERT INTO "charges" VALUES(3,'dec_2','runs','*',1700000003000,1000000,'never',NULL);
INSERT INTO "charges" VALUES(5,'dec_3','runs','*',1700000004000,1000000,'never',NULL);
INSERT INTO "charges" VALUES(6,'dec_3','gpu_seconds','alice',1700000004000,5000000,'settled',30000000);
INSERT INTO "charges" VALUES(7,'dec_4','runs','*',1700000005000,1000000,'never',NULL);
INSERT INTO "charges" VALUES(8,'dec_4','gpu_seconds','alice',1700000005000,30000000,'settled',NULL);
INSERT INTO "charges" VALUES(9,'','refusals!','bob',1700000009000,1000000,'never',NULL);
INSERT INTO "charges" VALUES(10,'dec_6','runs','*',1700000010000,1000000,'never',NULL);
INSERT INTO "charges" VALUES(11,'dec_6','gpu_seconds','alice',1700000010000,30000000,'settled',NULL);
CREATE TABLE cooldowns (
        holder TEXT NOT NULL,
        most INTEGER NOT NULL,
        window_ms INTEGER NOT NULL,
        cooldown_ms INTEGER NOT NULL,
        began_ms INTEGER NOT NULL,
        until_ms INTEGER NOT NULL,
        PRIMARY KEY (holder, most, window_ms, cooldown_ms)
    ) WITHOUT ROWID;
INSERT INTO "cooldowns" VALUES('bob',1,60000,3600000,1700000009000,1700003609000);
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
INSERT INTO "files" VALUES('http://127.0.0.1:8188','output','','b_00001_.png','alice',3);
CREATE TABLE freezes (
        holder TEXT PRIMARY KEY,
        reason TEXT NOT NULL,
        keep_reads INTEGER NOT NULL,
        at_ms INTEGER NOT NULL
    ) WITHOUT ROWID;
INSERT INTO "freezes" VALUES('carl','maintenance',0,1700000009000);
CREATE TABLE head (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        last_ms INTEGER NOT NULL,
        longest_ms INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        hash TEXT NOT NULL
    );
INSERT INTO "head" VALUES(1,1700000011000,2678400000,9,'bb2bd3e13f5006be10346f18f00dc59de291afa36fc78381418ee5f852d96abb');
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
    , shape TEXT NOT NULL DEFAULT '', cap_ms INTEGER, cap_rule TEXT NOT NULL DEFAULT '', running_ms INTEGER, gpu_ms INTEGER, key TEXT NOT NULL DEFAULT '', request TEXT NOT NULL DEFAULT '');
INSERT INTO "jobs" VALUES(1,'p1','alice','http://127.0.0.1:8188','txt2img','sha256:1','dec_1','completed',0,1700000002000,1700000006000,'{"outputs":[]}','s',60000,'/gpu/max_seconds_per_job',NULL,4000,'','');
INSERT INTO "jobs" VALUES(2,'p2','bob','http://127.0.0.1:8188','txt2img','sha256:2','dec_2','refused',0,1700000003000,1700000007000,'{}','s',60000,'/gpu/max_seconds_per_job',NULL,NULL,'','');
INSERT INTO "jobs" VALUES(3,'p3','alice','http://127.0.0.1:8188','txt2img','sha256:3','dec_3','completed',0,1700000004000,1700000011000,'{"outputs":[]}','s',60000,'/gpu/max_seconds_per_job',NULL,5000,'','');
INSERT INTO "jobs" VALUES(4,'p4','alice','http://127.0.0.1:8188','txt2img','sha256:4','dec_4','in_progress',1,1700000005000,1700000008000,'{}','s',60000,'/gpu/max_seconds_per_job',1700000008000,NULL,'','');
INSERT INTO "jobs" VALUES(5,'p5','alice','http://127.0.0.1:8188','txt2img','sha256:5','dec_6','submitting',1,1700000010000,1700000010000,'{}','s',60000,'/gpu/max_seconds_per_job',NULL,NULL,'monday','sha256:r');
CREATE TABLE totals (
        counter TEXT NOT NULL,
        holder TEXT NOT NULL,
        window_ms INTEGER NOT NULL,
        calendar INTEGER NOT NULL,
        from_ms INTEGER NOT NULL,
        amount INTEGER NOT NULL CHECK (typeof(amount) = 'integer' AND amount >= 0),
        PRIMARY KEY (counter, holder, window_ms, calendar)
    ) WITHOUT ROWID;
INSERT INTO "totals" VALUES('gpu_seconds','alice',3600000,0,1699996402000,69000000);
INSERT INTO "totals" VALUES('gpu_seconds','bob',3600000,0,1699996403000,0);
INSERT INTO "totals" VALUES('runs','*',60000,0,1699999942000,5000000);
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
COMMIT;
