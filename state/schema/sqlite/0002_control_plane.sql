PRAGMA application_id = 1685615731;  -- "dxts"

-- Results are large and read one by one: beside the runs, which are walked.
CREATE TABLE run_results (
  run TEXT NOT NULL UNIQUE REFERENCES runs (id) ON DELETE CASCADE,
  json TEXT NOT NULL
) STRICT;
INSERT INTO run_results (run, json) SELECT id, result_json FROM runs WHERE result_json <> '' ORDER BY id;
ALTER TABLE runs DROP COLUMN result_json;
ALTER TABLE runs ADD COLUMN request_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN trigger_kind TEXT NOT NULL DEFAULT 'SUBMIT'
  CHECK (trigger_kind IN ('SUBMIT', 'SCHEDULE', 'DEPENDENCY', 'RETRY'));
ALTER TABLE runs ADD COLUMN trigger_source TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN trigger_at TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN retry_of TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN pipeline_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN not_before TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN cancel_reason TEXT NOT NULL DEFAULT '';
CREATE INDEX runs_by_state ON runs (state, id);
CREATE INDEX runs_queued ON runs (priority DESC, id) WHERE state = 'QUEUED';
CREATE INDEX runs_queued_by_age ON runs (created_at) WHERE state = 'QUEUED';

-- Encrypted; gone when the run has ended.
CREATE TABLE run_inputs (
  run TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
  sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Counting runs would walk them all.
CREATE TABLE run_counts (
  state TEXT PRIMARY KEY,
  runs INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO run_counts SELECT state, count(*) FROM runs GROUP BY state;
CREATE TRIGGER run_made AFTER INSERT ON runs BEGIN
  INSERT INTO run_counts VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET runs = runs + 1;
END;
CREATE TRIGGER run_moved AFTER UPDATE OF state ON runs WHEN old.state <> new.state BEGIN
  UPDATE run_counts SET runs = runs - 1 WHERE state = old.state;
  INSERT INTO run_counts VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET runs = runs + 1;
END;
CREATE TRIGGER run_gone AFTER DELETE ON runs BEGIN
  UPDATE run_counts SET runs = runs - 1 WHERE state = old.state;
END;

CREATE TABLE run_logs (
  run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  time TEXT NOT NULL,
  severity INTEGER NOT NULL,
  stream TEXT NOT NULL,
  event TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE projects (
  name TEXT PRIMARY KEY,
  revision INTEGER NOT NULL,
  path TEXT NOT NULL,
  text TEXT NOT NULL,
  origin INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;

CREATE TABLE pipelines (
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  revision INTEGER NOT NULL,
  origin INTEGER NOT NULL,
  paused INTEGER NOT NULL DEFAULT 0,
  pause_note TEXT NOT NULL DEFAULT '',
  changed_at TEXT NOT NULL DEFAULT '',
  created_at TEXT NOT NULL,
  PRIMARY KEY (project, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE pipeline_revisions (
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  revision INTEGER NOT NULL,
  description TEXT NOT NULL,
  overlap TEXT NOT NULL,
  streams INTEGER NOT NULL,
  made_at TEXT NOT NULL,
  path TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (project, name, revision),
  FOREIGN KEY (project, name) REFERENCES pipelines (project, name) ON DELETE CASCADE
) STRICT;

-- A name that is made again goes on with the next revision, so that an old one never means another text.
CREATE TABLE retired_names (
  kind TEXT NOT NULL,
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (kind, project, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE schedules (
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  pipeline TEXT NOT NULL,
  cron TEXT NOT NULL,
  timezone TEXT NOT NULL,
  misfire TEXT NOT NULL CHECK (misfire IN ('none', 'one', 'all')),
  misfire_grace_seconds INTEGER NOT NULL,
  max_instances INTEGER NOT NULL,
  jitter_seconds INTEGER NOT NULL,
  options TEXT NOT NULL,
  variables TEXT NOT NULL,
  priority INTEGER NOT NULL,
  paused INTEGER NOT NULL,
  pause_note TEXT NOT NULL,
  next_at TEXT NOT NULL,
  last_at TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (project, name),
  FOREIGN KEY (project, pipeline) REFERENCES pipelines (project, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedules_by_pipeline ON schedules (project, pipeline, name);
CREATE INDEX schedules_due ON schedules (next_at) WHERE paused = 0 AND next_at <> '';

CREATE TABLE ticks (
  project TEXT NOT NULL,
  schedule TEXT NOT NULL,
  scheduled_at TEXT NOT NULL,
  fired_at TEXT NOT NULL,
  outcome TEXT NOT NULL
    CHECK (outcome IN ('FIRED', 'SKIPPED_OVERLAP', 'SKIPPED_MISFIRE', 'SKIPPED_REFUSED')),
  run TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (project, schedule, scheduled_at),
  FOREIGN KEY (project, schedule) REFERENCES schedules (project, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- satisfied_by: the upstream's run that succeeded since the downstream's last run was made, or ''.
CREATE TABLE dependencies (
  project TEXT NOT NULL,
  upstream TEXT NOT NULL,
  downstream TEXT NOT NULL,
  created_at TEXT NOT NULL,
  satisfied_by TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (project, upstream, downstream),
  FOREIGN KEY (project, upstream) REFERENCES pipelines (project, name),
  FOREIGN KEY (project, downstream) REFERENCES pipelines (project, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX dependencies_by_downstream ON dependencies (project, downstream, upstream);

CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at TEXT NOT NULL,
  principal TEXT NOT NULL,
  action TEXT NOT NULL,
  resource TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
