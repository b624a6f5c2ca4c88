-- Fingerprints get a table. Batches, failures and attempts note which one they were made with; null stands for one of schema 3,
-- which is known for the step as a whole only.
CREATE TABLE fingerprints (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, version INTEGER NOT NULL, parts TEXT NOT NULL,
    UNIQUE (step, version, parts));
INSERT INTO fingerprints (step, version, parts) SELECT id, 1, fingerprint FROM steps WHERE fingerprint <> '{}';
ALTER TABLE steps DROP COLUMN fingerprint;
ALTER TABLE steps ADD COLUMN fingerprint INTEGER;
UPDATE steps SET fingerprint = (SELECT id FROM fingerprints WHERE step = steps.id);
ALTER TABLE batches ADD COLUMN fingerprint INTEGER;
ALTER TABLE failures ADD COLUMN fingerprint INTEGER;
ALTER TABLE attempts ADD COLUMN fingerprint INTEGER;
-- These two were created when they were first needed.
CREATE TABLE IF NOT EXISTS outputs (step INTEGER PRIMARY KEY, written TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS item_files (step INTEGER NOT NULL, path BLOB NOT NULL, key BLOB NOT NULL, PRIMARY KEY (step, path)) WITHOUT ROWID;
