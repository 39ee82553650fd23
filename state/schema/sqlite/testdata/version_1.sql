-- A state database as dxt wrote it at schema version 1.
BEGIN TRANSACTION;
CREATE TABLE cursors (
  pipeline TEXT NOT NULL,
  stream TEXT NOT NULL,
  lane TEXT NOT NULL,
  window_seq INTEGER NOT NULL,
  load_id TEXT NOT NULL,
  run TEXT NOT NULL,
  cursor_before TEXT NOT NULL,
  cursor_after TEXT NOT NULL,
  read_from TEXT NOT NULL,
  row_count INTEGER NOT NULL,
  rows_deleted INTEGER NOT NULL,
  mode TEXT NOT NULL,
  schema_hash TEXT NOT NULL,
  package_hash TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  target TEXT NOT NULL,
  target_ident TEXT NOT NULL,
  committed_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (pipeline, stream, lane)
) STRICT, WITHOUT ROWID;
INSERT INTO "cursors" VALUES('shop/orders','items','sync',2,'01M7ZA1DW8FHJMW2QRW8Q2FMZW','01M7ZA1DPBCSCP3G6HR672QRMJ','','','',3,3,'replace','913ba6cd67a944ed76922a850babedf1','','339a73c933146f636c7ce161b6010c4f','"items_copy"','','','2026-11-21T15:01:48.078Z');
INSERT INTO "cursors" VALUES('shop/orders','orders','sync',1,'01M7ZA1D01CHY5XX84X21JH9R9','01M7ZA1CPRBHFEHEJ9DQ869EK0','','7','',7,0,'append','3eac0d11f7fc774bd91217f011fab731','','c027e6b36397945d88dee6572c859f9a','"orders_copy"','','','2026-11-21T15:01:47.187Z');
CREATE TABLE directives (
  pipeline TEXT NOT NULL,
  stream TEXT NOT NULL,
  lane TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('reset', 'accept', 'set')),
  value TEXT NOT NULL,
  made_at TEXT NOT NULL,
  PRIMARY KEY (pipeline, stream, lane)
) STRICT, WITHOUT ROWID;
INSERT INTO "directives" VALUES('shop/orders','items','sync','reset','','2026-11-21T15:02:05.823Z');
CREATE TABLE documents (
  hash TEXT PRIMARY KEY,
  pipeline_path TEXT NOT NULL,
  pipeline_text TEXT NOT NULL,
  project_path TEXT NOT NULL,
  project_text TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "documents" VALUES('4a685abe8f1703c5d766c15f4760ec29d5190ac27b1c10a842f55bc513a8992b','/data/shop/big.yaml','name: big
source: src
target: dst
streams:
  - {id: big, source: big, target: big_copy, load: {mode: append}}
','/data/shop/dxt_project.yaml','name: shop
connections:
  src: {type: sqlite, path: src.db}
  dst: {type: sqlite, path: dst.db}
');
INSERT INTO "documents" VALUES('599946c97bb0ad831a1966d996bec248a9675bb592fc9ff8b2676c9a71b008c1','/data/shop/orders.yaml','name: orders
source: src
target: dst
streams:
  - id: orders
    source: orders
    target: orders_copy
    extract: {mode: incremental, watermark_field: id}
    load: {mode: append}
  - id: items
    source: items
    target: items_copy
    load: {mode: replace}
','/data/shop/dxt_project.yaml','name: shop
connections:
  src: {type: sqlite, path: src.db}
  dst: {type: sqlite, path: dst.db}
');
INSERT INTO "documents" VALUES('91f26a1a2507831cb76ce04834c2b1d7acefef3a8ee6a923ff8676a78d32d4f5','/data/shop/missing.yaml','name: missing
source: src
target: dst
streams:
  - {id: gone, source: gone, target: gone_copy, load: {mode: replace}}
','/data/shop/dxt_project.yaml','name: shop
connections:
  src: {type: sqlite, path: src.db}
  dst: {type: sqlite, path: dst.db}
');
INSERT INTO "documents" VALUES('df129e68394677e66f65292b39b86bbabc1ec1fa95185317f33f6372572ee25b','/data/shop/pack.yaml','name: pack
source: src
target: dst
streams:
  - {id: items, source: items, target: items_packed, load: {mode: append}}
','/data/shop/dxt_project.yaml','name: shop
connections:
  src: {type: sqlite, path: src.db}
  dst: {type: sqlite, path: dst.db}
');
CREATE TABLE intents (
  pipeline TEXT NOT NULL,
  stream TEXT NOT NULL,
  lane TEXT NOT NULL,
  window_seq INTEGER NOT NULL,
  load_id TEXT NOT NULL,
  run TEXT NOT NULL,
  cursor_before TEXT NOT NULL,
  cursor_after TEXT NOT NULL,
  read_from TEXT NOT NULL,
  row_count INTEGER NOT NULL,
  rows_deleted INTEGER NOT NULL,
  mode TEXT NOT NULL,
  schema_hash TEXT NOT NULL,
  package_hash TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  target TEXT NOT NULL,
  target_ident TEXT NOT NULL,
  committed_at TEXT NOT NULL,
  PRIMARY KEY (pipeline, stream, lane)
) STRICT, WITHOUT ROWID;
CREATE TABLE packages (
  load_id TEXT PRIMARY KEY,
  pipeline TEXT NOT NULL,
  stream TEXT NOT NULL,
  lane TEXT NOT NULL,
  path TEXT NOT NULL,
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "packages" VALUES('01M7ZA1F79E63ZRKS2JG965MJA','shop/pack','items','sync','/data/shop/.dxt/buffer/shop/pack/items/01M7ZA1F79E63ZRKS2JG965MJA','2026-11-21T15:01:49.467Z');
CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  project TEXT NOT NULL,
  pipeline TEXT NOT NULL,
  request_id TEXT UNIQUE,
  document_hash TEXT NOT NULL REFERENCES documents (hash),
  options TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('QUEUED', 'RUNNING', 'CANCELLING', 'SUCCEEDED', 'PARTIAL',
                                       'FAILED', 'CANCELLED')),
  dry_run INTEGER NOT NULL,
  resumed INTEGER NOT NULL DEFAULT 0,
  interrupted INTEGER NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL,
  started_at TEXT NOT NULL DEFAULT '',
  ended_at TEXT NOT NULL DEFAULT '',
  exit_code INTEGER,
  result_json TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
INSERT INTO "runs" VALUES('01M7ZA1CPRBHFEHEJ9DQ869EK0','shop','orders','7951fb80-43d8-440e-841a-571ccf653244','599946c97bb0ad831a1966d996bec248a9675bb592fc9ff8b2676c9a71b008c1','phase: RUN','SUCCEEDED',0,0,0,1,'2026-11-21T15:01:46.840Z','2026-11-21T15:01:46.863Z','2026-11-21T15:01:47.194Z',0,'{"schema":"dxt.run_result/1","project":"shop","pipeline":"orders","run":"01M7ZA1CPRBHFEHEJ9DQ869EK0","state":"SUCCEEDED","exit_code":0,"resumed":false,"dry_run":false,"started_at":"2026-11-21T15:01:46.872Z","ended_at":"2026-11-21T15:01:47.194Z","seconds":0.322,"server":"private","totals":{"rows_read":10,"rows_written":10,"rows_deleted":0,"rows_rejected":0,"rows_deduplicated":0,"bytes_read":327,"bytes_written":327},"streams":[{"id":"orders","state":"SUCCEEDED","target":"\"orders_copy\"","extract":"incremental","load":"append","strategy":"create","buffer":"streamed","attempts":1,"load_id":"01M7ZA1D01CHY5XX84X21JH9R9","window_seq":1,"lane":"sync","watermark":{"field":"id","before":null,"after":"7","source":"none"},"rows_read":7,"rows_written":7,"rows_deleted":0,"rows_rejected":0,"rows_deduplicated":0,"bytes_read":273,"bytes_written":273,"seconds":0.302,"schema_changes":["CREATE TABLE \"orders_copy\" (\"id\" INTEGER NOT NULL, \"upd\" TEXT, \"total\" REAL)"],"warnings":[],"error":null},{"id":"items","state":"SUCCEEDED","target":"\"items_copy\"","extract":"full","load":"replace","strategy":"create","buffer":"streamed","attempts":1,"load_id":"01M7ZA1CV27SA97Y2NHK3BKH2P","window_seq":1,"lane":"sync","watermark":null,"rows_read":3,"rows_written":3,"rows_deleted":0,"rows_rejected":0,"rows_deduplicated":0,"bytes_read":54,"bytes_written":54,"seconds":0.193,"schema_changes":["CREATE TABLE \"items_copy\" (\"id\" INTEGER NOT NULL, \"name\" TEXT, PRIMARY KEY (\"id\"))"],"warnings":[],"error":null}],"error":null}');
INSERT INTO "runs" VALUES('01M7ZA1DPBCSCP3G6HR672QRMJ','shop','orders','d9d1c6b9-c506-46d4-835e-0f2978ef9494','599946c97bb0ad831a1966d996bec248a9675bb592fc9ff8b2676c9a71b008c1','phase: RUN','SUCCEEDED',0,0,0,1,'2026-11-21T15:01:47.851Z','2026-11-21T15:01:47.886Z','2026-11-21T15:01:48.092Z',0,'{"schema":"dxt.run_result/1","project":"shop","pipeline":"orders","run":"01M7ZA1DPBCSCP3G6HR672QRMJ","state":"SUCCEEDED","exit_code":0,"resumed":false,"dry_run":false,"started_at":"2026-11-21T15:01:47.900Z","ended_at":"2026-11-21T15:01:48.092Z","seconds":0.192,"server":"private","totals":{"rows_read":3,"rows_written":3,"rows_deleted":3,"rows_rejected":0,"rows_deduplicated":0,"bytes_read":54,"bytes_written":54},"streams":[{"id":"orders","state":"SUCCEEDED","target":"\"orders_copy\"","extract":"incremental","load":"append","strategy":"append","buffer":"streamed","attempts":1,"load_id":null,"window_seq":0,"lane":"sync","watermark":{"field":"id","before":"7","after":"7","source":"target"},"rows_read":0,"rows_written":0,"rows_deleted":0,"rows_rejected":0,"rows_deduplicated":0,"bytes_read":0,"bytes_written":0,"seconds":0.066,"schema_changes":[],"warnings":[],"error":null},{"id":"items","state":"SUCCEEDED","target":"\"items_copy\"","extract":"full","load":"replace","strategy":"rewrite","buffer":"streamed","attempts":1,"load_id":"01M7ZA1DW8FHJMW2QRW8Q2FMZW","window_seq":2,"lane":"sync","watermark":null,"rows_read":3,"rows_written":3,"rows_deleted":3,"rows_rejected":0,"rows_deduplicated":0,"bytes_read":54,"bytes_written":54,"seconds":0.135,"schema_changes":[],"warnings":[],"error":null}],"error":null}');
INSERT INTO "runs" VALUES('01M7ZA1EDH02521J9RA0GGYFYN','shop','missing','0fb7b774-e14e-4c33-91bc-41684931dd37','91f26a1a2507831cb76ce04834c2b1d7acefef3a8ee6a923ff8676a78d32d4f5','phase: RUN','FAILED',0,0,0,1,'2026-11-21T15:01:48.620Z','2026-11-21T15:01:48.705Z','2026-11-21T15:01:48.759Z',2,'{"schema":"dxt.run_result/1","project":"shop","pipeline":"missing","run":"01M7ZA1EDH02521J9RA0GGYFYN","state":"FAILED","exit_code":2,"resumed":false,"dry_run":false,"started_at":"2026-11-21T15:01:48.712Z","ended_at":"2026-11-21T15:01:48.759Z","seconds":0.047,"server":"private","totals":{"rows_read":0,"rows_written":0,"rows_deleted":0,"rows_rejected":0,"rows_deduplicated":0,"bytes_read":0,"bytes_written":0},"streams":[{"id":"gone","state":"FAILED","target":"gone_copy","extract":"full","load":"replace","strategy":null,"buffer":null,"attempts":1,"load_id":null,"window_seq":0,"lane":"sync","watermark":null,"rows_read":0,"rows_written":0,"rows_deleted":0,"rows_rejected":0,"rows_deduplicated":0,"bytes_read":0,"bytes_written":0,"seconds":0.027,"schema_changes":[],"warnings":[],"error":{"class":"config","code":"sqlite.table_missing","vendor_code":null,"message":"The SQLite file ''/data/shop/src.db'' has no table ''gone''","hint":"dxtctl discover lists the tables","column":null,"key":null,"retryable":false}}],"error":null}');
INSERT INTO "runs" VALUES('01M7ZA1F3WDPX7YNSWMWR4TECA','shop','pack','0c8c5be7-8cb6-4b35-98cd-707c8726e16a','df129e68394677e66f65292b39b86bbabc1ec1fa95185317f33f6372572ee25b','phase: EXTRACT','SUCCEEDED',0,0,0,1,'2026-11-21T15:01:49.308Z','2026-11-21T15:01:49.377Z','2026-11-21T15:01:49.494Z',0,'{"schema":"dxt.run_result/1","project":"shop","pipeline":"pack","run":"01M7ZA1F3WDPX7YNSWMWR4TECA","state":"SUCCEEDED","exit_code":0,"resumed":false,"dry_run":false,"started_at":"2026-11-21T15:01:49.395Z","ended_at":"2026-11-21T15:01:49.494Z","seconds":0.099,"server":"private","totals":{"rows_read":3,"rows_written":0,"rows_deleted":0,"rows_rejected":0,"rows_deduplicated":0,"bytes_read":54,"bytes_written":0},"streams":[{"id":"items","state":"SUCCEEDED","target":"\"items_packed\"","extract":"full","load":"append","strategy":"create","buffer":"parquet","attempts":1,"load_id":"01M7ZA1F79E63ZRKS2JG965MJA","window_seq":0,"lane":"sync","watermark":null,"rows_read":3,"rows_written":0,"rows_deleted":0,"rows_rejected":0,"rows_deduplicated":0,"bytes_read":54,"bytes_written":0,"seconds":0.098,"schema_changes":["CREATE TABLE \"items_packed\" (\"id\" INTEGER NOT NULL, \"name\" TEXT)"],"warnings":[],"error":null}],"error":null}');
INSERT INTO "runs" VALUES('01M7ZA23G0BRGDTWJC3MVAH7X0','shop','big','7578e505-15f1-4d64-99b9-98d2c39cabc0','4a685abe8f1703c5d766c15f4760ec29d5190ac27b1c10a842f55bc513a8992b','phase: RUN','RUNNING',0,0,0,1,'2026-11-21T15:02:10.176Z','2026-11-21T15:02:10.318Z','',NULL,'');
CREATE INDEX runs_by_pipeline ON runs (project, pipeline, id);
CREATE INDEX runs_by_document ON runs (document_hash);
CREATE INDEX runs_not_ended ON runs (id) WHERE state IN ('QUEUED', 'RUNNING', 'CANCELLING');
CREATE INDEX packages_by_chain ON packages (pipeline, stream, lane, load_id);
PRAGMA user_version = 1;
COMMIT;
