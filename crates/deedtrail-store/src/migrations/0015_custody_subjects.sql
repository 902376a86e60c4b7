-- What audit entries are about, by kind and id, what was done, by whom and when. Entries that were
-- known by words alone wait in custody_due until they are read again from the log.
CREATE TABLE custody_due (
    sequence INTEGER PRIMARY KEY
);
INSERT INTO custody_due SELECT DISTINCT sequence FROM custody;
DROP TABLE custody;
CREATE TABLE custody (
    tenant   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    id       TEXT NOT NULL,
    act      TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    who      TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, id, act, sequence)
) WITHOUT ROWID;
