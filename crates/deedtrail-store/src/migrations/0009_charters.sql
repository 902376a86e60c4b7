-- Every version of every charter; derived from the log.
CREATE TABLE charters (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    record TEXT NOT NULL, -- JSON
    PRIMARY KEY (tenant, name, version)
) STRICT;
