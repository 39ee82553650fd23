-- Rows that a load left out on purpose, between the cursor before it and where it began to read. Shown once
-- its intent is settled; given up with it.
CREATE TABLE gaps (
  pipeline TEXT NOT NULL,
  stream TEXT NOT NULL,
  lane TEXT NOT NULL,
  load_id TEXT NOT NULL,
  run TEXT NOT NULL,
  after_value TEXT NOT NULL,
  up_to TEXT NOT NULL,
  PRIMARY KEY (pipeline, stream, lane, load_id)
) STRICT, WITHOUT ROWID;
