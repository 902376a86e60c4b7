-- A decision covers a finding up to the newest event that had arrived; later ones open it again.
ALTER TABLE findings ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
UPDATE findings SET position = coalesce(
    (SELECT max(json_extract(value, '$.log_seq')) FROM json_each(body, '$.events')), 0);
-- Decisions made before this was kept cover what their finding holds now.
ALTER TABLE decisions ADD COLUMN covered INTEGER NOT NULL DEFAULT 0;
UPDATE decisions SET covered = coalesce(
    (SELECT position FROM findings WHERE findings.id = decisions.finding), 9223372036854775807);
