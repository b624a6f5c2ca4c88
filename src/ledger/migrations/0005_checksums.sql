-- Rows get checksums: those of batches one of their keys beside that of their results, all others one of themselves, which triggers
-- keep (see `seals.rs`). Null stands for a row of an older schema, of which nothing is known.
ALTER TABLE run ADD COLUMN checksum INTEGER;
ALTER TABLE steps ADD COLUMN checksum INTEGER;
ALTER TABLE fingerprints ADD COLUMN checksum INTEGER;
ALTER TABLE batches ADD COLUMN keys_checksum INTEGER;
ALTER TABLE failures ADD COLUMN checksum INTEGER;
ALTER TABLE attempts ADD COLUMN checksum INTEGER;
ALTER TABLE item_files ADD COLUMN checksum INTEGER;
