"""Counts the rows of an archive with two other engines: deltalake (Python) and DuckDB.

Usage: count.py TABLE_FOLDER -> one line of JSON
"""

import json
import sys

import deltalake
import duckdb

table = deltalake.DeltaTable(sys.argv[1])
files = table.file_uris()
query = deltalake.QueryBuilder().register("events", table)
answer = query.execute("SELECT count(*) AS n, max(log_seq) AS s FROM events").read_all()
by_deltalake = [answer["n"][0].as_py(), answer["s"][0].as_py()]
connection = duckdb.connect()
scan = "read_parquet(?, hive_partitioning = true)"
count, identities, newest = connection.execute(
    f"SELECT count(*), count(DISTINCT actor_alias_uid), max(epoch_us(time_effective)) FROM {scan}",
    [files],
).fetchone()
aliases = connection.execute(
    f"SELECT count(*) FROM (SELECT unnest(actor_aliases) AS alias FROM {scan}) WHERE alias.namespace = 'email'",
    [files],
).fetchone()[0]
print(
    json.dumps(
        {
            "version": table.version(),
            "columns": len(table.schema().fields),
            "partitions": table.metadata().partition_columns,
            "deltalake": by_deltalake,
            "duckdb": count,
            "identities": identities,
            "newest": newest,
            "aliases": aliases,
        }
    )
)
