-- Bodies of sessions are packed from now on, and `body` is empty; those that are text stay as they are until
-- they change.
ALTER TABLE sessions ADD COLUMN packed BLOB;
