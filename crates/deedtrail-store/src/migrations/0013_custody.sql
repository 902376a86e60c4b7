-- Which audit entries of the log speak of what: findings, identities, events by their ids. Derived
-- from the log: a rebuild makes it anew.
CREATE TABLE custody (
    tenant   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (tenant, subject, sequence)
) WITHOUT ROWID;
