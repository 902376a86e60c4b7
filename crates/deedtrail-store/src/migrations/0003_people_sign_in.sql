-- A sign-in link and the session it opens belong to a named person with scopes of their own.

DROP TABLE sign_in_links;

CREATE TABLE sign_in_links (
    hash      TEXT PRIMARY KEY,
    principal TEXT NOT NULL,
    tenant    TEXT NOT NULL,
    scopes    TEXT NOT NULL,
    ends      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE web_sessions ADD COLUMN scopes TEXT NOT NULL DEFAULT '["admin"]';
