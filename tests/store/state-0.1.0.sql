-- A state as comfy-mcp-guard 0.1.0 left it.
PRAGMA application_id = 1131235172;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE audit (
        seq INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL,
        record TEXT NOT NULL
    );
INSERT INTO "audit" VALUES(1,1700000001000,'0000000000000000000000000000000000000000000000000000000000000000','072f58677fd36236f1a0e599f5588131898729096d09ced2f18a0d9acd8005e2','{"decision":"allow","decision_id":"dec_1","grant":"alice","kind":"decision","tool":"run_workflow"}');
INSERT INTO "audit" VALUES(2,1700000002000,'072f58677fd36236f1a0e599f5588131898729096d09ced2f18a0d9acd8005e2','7fdc0c7f821fe224a255f53fd48bf14a537e72acc55873588662ccc68604242f','{"decision":"allow","decision_id":"dec_2","grant":"bob","kind":"decision","tool":"run_workflow"}');
INSERT INTO "audit" VALUES(3,1700000003000,'7fdc0c7f821fe224a255f53fd48bf14a537e72acc55873588662ccc68604242f','af19e605cf597aa4ad61b552c9a50890738232cadb7fccf5dec13ca98043ead4','{"decision":"allow","decision_id":"dec_3","grant":"alice","kind":"decision","tool":"run_workflow"}');
INSERT INTO "audit" VALUES(4,1700000004000,'af19e605cf597aa4ad61b552c9a50890738232cadb7fccf5dec13ca98043ead4','dc0793970216c32c883c74f0e930aef77f2f424283df070615163ef018dd27a0','{"decision":"allow","decision_id":"dec_4","grant":"alice","kind":"decision","tool":"run_workflow"}');
INSERT INTO "audit" VALUES(5,1700000005000,'dc0793970216c32c883c74f0e930aef77f2f424283df070615163ef018dd27a0','a04492b85e9970a86f2030a309ba2c3fc13941575d98852ca077f2dd4223e0ab','{"code":"denied","decision":"deny","decision_id":"dec_5","grant":"bob","kind":"decision","tool":"clear_queue"}');
INSERT INTO "audit" VALUES(6,1700000006000,'a04492b85e9970a86f2030a309ba2c3fc13941575d98852ca077f2dd4223e0ab','7b6de0f25d8ebd988be2dbae66ecd79d73fb7c34b240430730c0b33e1921a4f7','{"kind":"job","outcome":"completed","prompt_id":"p1"}');
INSERT INTO "audit" VALUES(7,1700000007000,'7b6de0f25d8ebd988be2dbae66ecd79d73fb7c34b240430730c0b33e1921a4f7','3c661e4c200e6ca41acf50ad92d69d4774dfbda41f37dc322f9e83fb7db0ef6f','{"kind":"job","outcome":"completed","prompt_id":"p2"}');
CREATE TABLE charges (
        id INTEGER PRIMARY KEY,
        decision_id TEXT NOT NULL,
        counter TEXT NOT NULL,
        holder TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        amount INTEGER NOT NULL CHECK (amount >= 0)
    );
INSERT INTO "charges" VALUES(1,'dec_1','rate:run_workflow:60s','alice',1700000001000,1000000);
INSERT INTO "charges" VALUES(2,'dec_1','runs','*',1700000001000,1000000);
INSERT INTO "charges" VALUES(3,'dec_2','rate:run_workflow:60s','bob',1700000002000,1000000);
INSERT INTO "charges" VALUES(4,'dec_2','runs','*',1700000002000,1000000);
INSERT INTO "charges" VALUES(5,'dec_3','rate:run_workflow:60s','alice',1700000003000,1000000);
INSERT INTO "charges" VALUES(6,'dec_3','runs','*',1700000003000,1000000);
INSERT INTO "charges" VALUES(7,'dec_4','rate:run_workflow:60s','alice',1700000004000,1000000);
INSERT INTO "charges" VALUES(8,'dec_4','runs','*',1700000004000,1000000);
CREATE TABLE head (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        last_ms INTEGER NOT NULL,
        longest_ms INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        hash TEXT NOT NULL
    );
INSERT INTO "head" VALUES(1,1700000009000,2678400000,7,'3c661e4c200e6ca41acf50ad92d69d4774dfbda41f37dc322f9e83fb7db0ef6f');
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
    );
INSERT INTO "jobs" VALUES(1,'p1','alice','http://127.0.0.1:8188','txt2img','sha256:1','dec_1','completed',0,1700000001000,1700000006000,'{"cached_nodes":0,"ended_ms":1700000004500,"failure":null,"outputs":[{"filename":"a_00001_.png","key":null,"node_id":"9","subfolder":"","text":null,"type":"output"},{"filename":"seen.png","key":null,"node_id":"9","subfolder":"deep/er","text":null,"type":"temp"}],"started_ms":1700000001500}');
INSERT INTO "jobs" VALUES(2,'p2','bob','http://127.0.0.1:8188','txt2img','sha256:2','dec_2','completed',0,1700000002000,1700000007000,'{"cached_nodes":0,"ended_ms":1700000005500,"failure":null,"outputs":[{"filename":"a_00001_.png","key":null,"node_id":"9","subfolder":"","text":null,"type":"output"},{"filename":"in.png","key":null,"node_id":"9","subfolder":"","text":null,"type":"input"},{"filename":"","key":null,"node_id":"9","subfolder":"","text":"a text","type":""}],"started_ms":1700000004500}');
INSERT INTO "jobs" VALUES(3,'p3','alice','http://127.0.0.1:8188','txt2img','sha256:3','dec_3','refused',0,1700000003000,1700000008000,'{"outputs":[]}');
INSERT INTO "jobs" VALUES(4,'p4','alice','http://127.0.0.1:8188','txt2img','sha256:4','dec_4','in_progress',1,1700000004000,1700000009000,'{}');
CREATE INDEX charges_of_account ON charges (counter, holder, at_ms, amount);
CREATE INDEX jobs_open ON jobs (host, owner) WHERE open = 1;
COMMIT;
