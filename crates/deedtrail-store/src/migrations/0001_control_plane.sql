-- Ids are 16-byte blobs, times microseconds since the Unix epoch (UTC). Columns named `folded` hold
-- lower-case text for searching. Documents that are only read whole are JSON in `body`.

CREATE TABLE position (
    only_row  INTEGER PRIMARY KEY CHECK (only_row = 1),
    processed INTEGER NOT NULL
) STRICT;
INSERT INTO position VALUES (1, 0);

CREATE TABLE identities (
    id          BLOB PRIMARY KEY,
    tenant      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    name        TEXT NOT NULL,
    folded      TEXT NOT NULL,
    status      TEXT NOT NULL,
    discovered  INTEGER NOT NULL,
    first_alias BLOB NOT NULL,
    created     INTEGER,
    first_seen  INTEGER,
    last_seen   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX identities_by_activity ON identities (last_seen DESC, id);
CREATE INDEX identities_by_kind ON identities (kind, last_seen DESC, id);

-- What people declare. No foreign key: it outlives a rebuild, which makes the identities anew.
CREATE TABLE declared (
    identity BLOB PRIMARY KEY,
    owner    TEXT,
    folded   TEXT NOT NULL,
    body     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE aliases (
    uid        BLOB PRIMARY KEY,
    identity   BLOB NOT NULL REFERENCES identities (id) DEFERRABLE INITIALLY DEFERRED,
    namespace  TEXT NOT NULL,
    value      TEXT NOT NULL,
    folded     TEXT NOT NULL,
    evidence   TEXT NOT NULL,
    first_seen INTEGER,
    last_seen  INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_by_identity ON aliases (identity);
CREATE INDEX aliases_by_value ON aliases (folded);

CREATE TABLE credentials (
    uid          BLOB PRIMARY KEY,
    identity     BLOB NOT NULL REFERENCES identities (id) DEFERRABLE INITIALLY DEFERRED,
    kind         TEXT NOT NULL,
    reference    TEXT NOT NULL,
    system       TEXT NOT NULL,
    created      INTEGER,
    last_rotated INTEGER,
    expires      INTEGER,
    revoked      INTEGER,
    first_used   INTEGER,
    last_used    INTEGER,
    uses         INTEGER NOT NULL,
    used_from    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX credentials_by_identity ON credentials (identity);

CREATE TABLE merges (
    merged      BLOB NOT NULL,
    kept        BLOB NOT NULL,
    reason      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    aliases     TEXT NOT NULL,
    credentials TEXT NOT NULL,
    undone      INTEGER,
    PRIMARY KEY (merged, kept)
) STRICT, WITHOUT ROWID;
CREATE INDEX merges_by_kept ON merges (kept);

CREATE TABLE findings (
    id         BLOB PRIMARY KEY,
    identity   BLOB NOT NULL,
    kind       TEXT NOT NULL,
    severity   INTEGER NOT NULL,
    folded     TEXT NOT NULL,
    last_time  INTEGER NOT NULL,
    updated    INTEGER NOT NULL,
    body       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX findings_by_activity ON findings (last_time DESC, severity DESC, id);
CREATE INDEX findings_by_identity ON findings (identity, last_time DESC);
CREATE INDEX findings_by_update ON findings (updated);

-- Analysts' decisions, by finding id: they outlive a rebuild.
CREATE TABLE decisions (
    finding     BLOB PRIMARY KEY,
    status      TEXT NOT NULL,
    disposition TEXT,
    analyst     TEXT NOT NULL,
    at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sources (
    source TEXT PRIMARY KEY,
    body   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
    sequence INTEGER PRIMARY KEY,
    source   TEXT NOT NULL,
    code     TEXT NOT NULL,
    reason   TEXT NOT NULL,
    received INTEGER NOT NULL,
    bytes    INTEGER NOT NULL
) STRICT;
CREATE INDEX quarantine_by_source ON quarantine (source, sequence);

CREATE TABLE snapshots (
    name     TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    bytes    BLOB NOT NULL
) STRICT;

CREATE TABLE tokens (
    prefix    TEXT PRIMARY KEY,
    hash      TEXT NOT NULL UNIQUE,
    name      TEXT NOT NULL,
    tenant    TEXT NOT NULL,
    scopes    TEXT NOT NULL,
    created   INTEGER NOT NULL,
    expires   INTEGER,
    last_used INTEGER,
    revoked   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE sign_in_links (
    hash TEXT PRIMARY KEY,
    ends INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE web_sessions (
    hash         TEXT PRIMARY KEY,
    principal    TEXT NOT NULL,
    tenant       TEXT NOT NULL,
    created      INTEGER NOT NULL,
    last_used    INTEGER NOT NULL,
    absolute_end INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
