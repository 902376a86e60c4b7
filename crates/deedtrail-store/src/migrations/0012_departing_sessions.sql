-- Sessions that departed from what is learned of their identity have a list of their own.
ALTER TABLE sessions ADD COLUMN departing INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET departing = 1 WHERE json_array_length(body, '$.departures') > 0;
CREATE INDEX sessions_departing ON sessions (tenant, last DESC, uid, part) WHERE departing;
