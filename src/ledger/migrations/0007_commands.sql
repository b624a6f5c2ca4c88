-- What the user has told a run while it ran.
CREATE TABLE commands (id INTEGER PRIMARY KEY, execution INTEGER NOT NULL, at INTEGER NOT NULL, command TEXT NOT NULL,
    answer TEXT NOT NULL, checksum INTEGER);
