-- How many rows a load left out. Not settled: its load is not known to be committed.
CREATE TABLE rejections (
  load_id TEXT NOT NULL,
  stage TEXT NOT NULL CHECK (stage IN ('extract', 'load')),
  pipeline TEXT NOT NULL,
  stream TEXT NOT NULL,
  lane TEXT NOT NULL,
  run TEXT NOT NULL,
  settled INTEGER NOT NULL,
  row_count INTEGER NOT NULL,
  letters INTEGER NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (load_id, stage)
) STRICT, WITHOUT ROWID;
CREATE INDEX rejections_by_chain ON rejections (pipeline, stream, lane, settled);
CREATE INDEX rejections_by_run ON rejections (run);
CREATE INDEX rejections_by_time ON rejections (at);

-- replay_load: the load that carries the row once more.
CREATE TABLE dead_letters (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  load_id TEXT NOT NULL,
  stage TEXT NOT NULL,
  pipeline TEXT NOT NULL,
  stream TEXT NOT NULL,
  lane TEXT NOT NULL,
  run TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('HELD', 'STORED', 'REPLAYED')),
  code TEXT NOT NULL,
  field TEXT NOT NULL,
  message TEXT NOT NULL,
  row_key TEXT NOT NULL,
  row_json TEXT NOT NULL,
  row_schema TEXT NOT NULL,
  at TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 1,
  replay_load TEXT NOT NULL DEFAULT '',
  replayed_at TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX dead_letters_by_load ON dead_letters (load_id, stage);
CREATE INDEX dead_letters_by_chain ON dead_letters (pipeline, stream, lane, row_key);
CREATE INDEX dead_letters_by_replay ON dead_letters (replay_load) WHERE replay_load <> '';
CREATE INDEX dead_letters_replayed ON dead_letters (replayed_at) WHERE state = 'REPLAYED';

-- What the letters hold, kept by the triggers so that it need not be counted.
CREATE TABLE dead_letter_space (bytes INTEGER NOT NULL) STRICT;
INSERT INTO dead_letter_space VALUES (0);
CREATE TRIGGER dead_letter_added AFTER INSERT ON dead_letters BEGIN
  UPDATE dead_letter_space SET bytes = bytes + length(CAST(NEW.row_json AS BLOB)) + length(CAST(NEW.row_schema AS BLOB));
END;
CREATE TRIGGER dead_letter_dropped AFTER DELETE ON dead_letters BEGIN
  UPDATE dead_letter_space SET bytes = bytes - length(CAST(OLD.row_json AS BLOB)) - length(CAST(OLD.row_schema AS BLOB));
END;
