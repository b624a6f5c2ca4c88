-- What was measured of each execution of a step. Nothing that a run decides depends on it.
CREATE TABLE measurements (step INTEGER NOT NULL, execution INTEGER NOT NULL, part TEXT NOT NULL, number INTEGER NOT NULL,
    data BLOB NOT NULL, checksum INTEGER, PRIMARY KEY (step, execution, part, number)) WITHOUT ROWID;
-- The text of the workflow, without secrets, and the machine as JSON.
ALTER TABLE executions ADD COLUMN source TEXT;
ALTER TABLE executions ADD COLUMN machine TEXT;
ALTER TABLE executions ADD COLUMN checksum INTEGER;
