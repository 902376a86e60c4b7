-- What imports say identities may do. A holder is an alias: who it leads to is told when asked.

CREATE TABLE entitlement_imports (
    tenant   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    account  TEXT NOT NULL,
    imported INTEGER NOT NULL,
    grants   INTEGER NOT NULL,
    systems  TEXT NOT NULL,
    PRIMARY KEY (tenant, kind, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE entitlements (
    id             BLOB PRIMARY KEY,
    tenant         TEXT NOT NULL,
    kind           TEXT NOT NULL,
    account        TEXT NOT NULL,
    key            TEXT NOT NULL,
    first_imported INTEGER NOT NULL,
    imported       INTEGER NOT NULL,
    body           TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX entitlements_by_import ON entitlements (tenant, kind, account, key);

CREATE TABLE entitlement_holders (
    entitlement BLOB NOT NULL REFERENCES entitlements (id) ON DELETE CASCADE,
    alias       BLOB NOT NULL,
    place       INTEGER NOT NULL,
    namespace   TEXT NOT NULL,
    value       TEXT NOT NULL,
    PRIMARY KEY (entitlement, alias)
) STRICT, WITHOUT ROWID;
CREATE INDEX entitlement_holders_by_alias ON entitlement_holders (alias, entitlement);
