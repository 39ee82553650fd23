-- Texts are stored once, however many runs share them.
CREATE TABLE documents (
  hash TEXT PRIMARY KEY,
  pipeline_path TEXT NOT NULL,
  pipeline_text TEXT NOT NULL,
  project_path TEXT NOT NULL,
  project_text TEXT NOT NULL
) STRICT, WITHOUT ROWID;

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
CREATE INDEX runs_by_pipeline ON runs (project, pipeline, id);
CREATE INDEX runs_by_document ON runs (document_hash);
CREATE INDEX runs_not_ended ON runs (id) WHERE state IN ('QUEUED', 'RUNNING', 'CANCELLING');

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

CREATE TABLE directives (
  pipeline TEXT NOT NULL,
  stream TEXT NOT NULL,
  lane TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('reset', 'accept', 'set')),
  value TEXT NOT NULL,
  made_at TEXT NOT NULL,
  PRIMARY KEY (pipeline, stream, lane)
) STRICT, WITHOUT ROWID;

-- Written before a commit is sent, removed once its outcome is known.
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
CREATE INDEX packages_by_chain ON packages (pipeline, stream, lane, load_id);
