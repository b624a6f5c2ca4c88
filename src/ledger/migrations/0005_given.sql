-- What was given to the run: parameters as they were given, without secrets; the interpreter; and where its state folder is, seen
-- from the working folder, if it is inside. Null: an older version started the run, which kept resolved parameters only.
ALTER TABLE run ADD COLUMN given TEXT;
ALTER TABLE run ADD COLUMN python TEXT;
ALTER TABLE run ADD COLUMN state TEXT;
-- What tells whether an incremental run can take results over from this one.
ALTER TABLE run ADD COLUMN params_hash TEXT;
ALTER TABLE run ADD COLUMN max_items INTEGER;
ALTER TABLE run ADD COLUMN baseline TEXT;
-- Size and time of a file that an item has made.
ALTER TABLE item_files ADD COLUMN state TEXT;
