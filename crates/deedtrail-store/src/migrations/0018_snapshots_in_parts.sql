-- A snapshot in parts: SQLite takes no value of a gigabyte.
ALTER TABLE snapshots RENAME TO whole_snapshots;
CREATE TABLE snapshots (
    name     TEXT NOT NULL,
    part     INTEGER NOT NULL,
    position INTEGER NOT NULL,
    bytes    BLOB NOT NULL,
    PRIMARY KEY (name, part)
) STRICT;
INSERT INTO snapshots SELECT name, 0, position, bytes FROM whole_snapshots;
DROP TABLE whole_snapshots;
