-- What is known of behaviour, what budgets of alerts would let through, and approved baselines;
-- all derived from the log.
CREATE TABLE behaviours (
    tenant TEXT NOT NULL,
    identity BLOB NOT NULL,
    at INTEGER NOT NULL, -- newest event, µs
    drift REAL, -- distance where it departs, else NULL
    record TEXT NOT NULL, -- JSON
    PRIMARY KEY (tenant, identity)
) STRICT;
CREATE INDEX behaviours_drifting ON behaviours (tenant, drift) WHERE drift IS NOT NULL;
CREATE INDEX behaviours_newest ON behaviours (tenant, at);
-- How one identity's sessions of a verdict are found.
DROP INDEX sessions_by_identity;
CREATE INDEX sessions_by_verdict ON sessions (identity, verdict, last DESC);
CREATE TABLE forecasts (
    tenant TEXT PRIMARY KEY,
    record TEXT NOT NULL -- JSON
) STRICT;
CREATE TABLE baselines (
    tenant TEXT NOT NULL,
    identity BLOB NOT NULL,
    version INTEGER NOT NULL,
    record TEXT NOT NULL, -- JSON
    PRIMARY KEY (tenant, identity, version)
) STRICT;
