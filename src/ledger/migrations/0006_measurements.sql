-- The record of each execution of a step: where time went. Nothing that a run decides depends on it.
CREATE TABLE measurements (step INTEGER NOT NULL, execution INTEGER NOT NULL, part TEXT NOT NULL, number INTEGER NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY (step, execution, part, number)) WITHOUT ROWID;
