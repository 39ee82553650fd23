-- The type of the watermark field that a cursor is a value of; '' where it was not noted.
ALTER TABLE cursors ADD COLUMN cursor_type TEXT NOT NULL DEFAULT '';
ALTER TABLE intents ADD COLUMN cursor_type TEXT NOT NULL DEFAULT '';
