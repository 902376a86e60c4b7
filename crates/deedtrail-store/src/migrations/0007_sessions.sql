-- Sessions as the pipeline sees them, what joins them, and sign-ins that lead to where nothing is
-- seen. All of it is derived from the log: a rebuild makes it anew.

CREATE TABLE sessions (
    uid      BLOB NOT NULL,
    part     INTEGER NOT NULL,
    tenant   TEXT NOT NULL,
    identity BLOB NOT NULL,
    verdict  TEXT NOT NULL,
    trust    INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (uid, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_activity ON sessions (tenant, last DESC, uid, part);
CREATE INDEX sessions_by_identity ON sessions (identity, last DESC);
CREATE INDEX sessions_by_age ON sessions (last DESC, uid, part);

CREATE TABLE session_joins (
    origin     BLOB NOT NULL,
    target     BLOB NOT NULL,
    kind       TEXT NOT NULL,
    tenant     TEXT NOT NULL,
    reason     TEXT NOT NULL,
    confidence INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (origin, target, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_joins_by_target ON session_joins (target);

CREATE TABLE blind_sessions (
    tenant   TEXT NOT NULL,
    identity BLOB NOT NULL,
    system   TEXT NOT NULL,
    severity INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (tenant, identity, system)
) STRICT, WITHOUT ROWID;
CREATE INDEX blind_sessions_by_weight ON blind_sessions (tenant, severity DESC, last DESC);
CREATE INDEX blind_sessions_by_age ON blind_sessions (last DESC);
