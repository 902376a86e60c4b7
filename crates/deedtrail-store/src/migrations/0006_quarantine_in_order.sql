-- Every list of quarantine is read in its order and no further than its page, and what waits is
-- counted in an index. `sequence` is the key of the table.

DROP INDEX quarantine_by_source;
CREATE INDEX quarantine_in_order
    ON quarantine (tenant, (dismissed_at IS NOT NULL), sequence);
CREATE INDEX quarantine_by_source
    ON quarantine (tenant, (dismissed_at IS NOT NULL), source, sequence);
CREATE INDEX quarantine_by_reason
    ON quarantine (tenant, (dismissed_at IS NOT NULL), source, code, sequence);
