-- Sources and quarantine belong to a tenant; a record of quarantine may be dismissed.

ALTER TABLE sources RENAME TO sources_of_one;
CREATE TABLE sources (
    tenant TEXT NOT NULL,
    source TEXT NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (tenant, source)
) STRICT, WITHOUT ROWID;
INSERT INTO sources SELECT 'default', source, body FROM sources_of_one;
DROP TABLE sources_of_one;

ALTER TABLE quarantine RENAME TO quarantine_of_one;
DROP INDEX quarantine_by_source;
CREATE TABLE quarantine (
    sequence         INTEGER PRIMARY KEY,
    tenant           TEXT NOT NULL,
    source           TEXT NOT NULL,
    code             TEXT NOT NULL,
    reason           TEXT NOT NULL,
    received         INTEGER NOT NULL,
    bytes            INTEGER NOT NULL,
    dismissed_by     TEXT,
    dismissed_at     INTEGER,
    dismissed_reason TEXT
) STRICT;
INSERT INTO quarantine
    SELECT sequence, 'default', source, code, reason, received, bytes, NULL, NULL, NULL
    FROM quarantine_of_one;
DROP TABLE quarantine_of_one;
CREATE INDEX quarantine_by_source ON quarantine (tenant, source, sequence);
