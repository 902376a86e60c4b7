-- Findings belong to a tenant: lists, counts and sums of one read its index and no other finding.
ALTER TABLE findings ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';
UPDATE findings SET tenant = json_extract(body, '$.tenant')
    WHERE json_extract(body, '$.tenant') <> 'default';
DROP INDEX findings_by_activity;
CREATE INDEX findings_by_activity
    ON findings (tenant, last_time DESC, severity DESC, id, kind, identity, position);
DROP INDEX findings_by_update;
CREATE INDEX findings_by_update ON findings (tenant, updated);
