-- Exceptions to rules with what they held back; derived from the log.
CREATE TABLE rule_exceptions (
    tenant TEXT NOT NULL,
    number INTEGER NOT NULL,
    record TEXT NOT NULL, -- JSON
    PRIMARY KEY (tenant, number)
) STRICT;
