-- Sessions in the order in which they came: those of one time lie together, and a new one is written at the
-- end. By their ids, which are hashes, each lay on pages of its own all over the file.
ALTER TABLE sessions RENAME TO sessions_by_id;
DROP INDEX sessions_by_activity;
DROP INDEX sessions_by_verdict;
DROP INDEX sessions_by_age;
DROP INDEX sessions_departing;
CREATE TABLE sessions (
    uid       BLOB NOT NULL,
    part      INTEGER NOT NULL,
    tenant    TEXT NOT NULL,
    identity  BLOB NOT NULL,
    verdict   TEXT NOT NULL,
    trust     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    body      TEXT NOT NULL,
    departing INTEGER NOT NULL DEFAULT 0,
    UNIQUE (uid, part)
) STRICT;
INSERT INTO sessions SELECT uid, part, tenant, identity, verdict, trust, last, body, departing
    FROM sessions_by_id ORDER BY last;
DROP TABLE sessions_by_id;
CREATE INDEX sessions_by_activity ON sessions (tenant, last DESC, uid, part);
CREATE INDEX sessions_by_verdict ON sessions (identity, verdict, last DESC);
CREATE INDEX sessions_by_age ON sessions (last DESC, uid, part);
CREATE INDEX sessions_departing ON sessions (tenant, last DESC, uid, part) WHERE departing;
