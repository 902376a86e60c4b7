"""S5, S6, S7: the newest 200 events of one identity, and needles, asked of the running server, of DuckDB and
ClickHouse (chdb) on the same Parquet files, and of a MergeTree table of the same rows; bytes of each.

    python compare.py DEEDTRAIL DATA WORK [ROUNDS]

DATA is the folder of a stopped installation, as `growth` leaves it; WORK takes the copies of the others.
All sides are asked in turn, each ROUNDS times after one round that does not count; medians and largest. Ours is
asked over HTTP or by the command and answers JSON; the others run in this process and answer Arrow.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

import chdb.session
import deltalake
import duckdb

LIMIT = 200


def main():
    binary, data, work = (pathlib.Path(word) for word in sys.argv[1:4])
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 9
    work.mkdir(parents=True, exist_ok=True)
    table = data / "archive" / "events"
    files = [uri.removeprefix("file://") for uri in deltalake.DeltaTable(str(table.resolve())).file_uris()]
    duck, house, merge_bytes = peers(files, work)
    rows = duck.execute("SELECT count(*) FROM events").fetchone()[0]
    parquet = sum(pathlib.Path(file).stat().st_size for file in files)
    print(f"{rows} events in {len(files)} files; bytes an event: Parquet {parquet / rows:.1f}, "
          f"MergeTree {merge_bytes / rows:.1f}, DuckDB's Parquet {duck_parquet(duck, work) / rows:.1f}")
    with Server(binary, data) as server:
        for name, sides in questions(server, duck, house):
            report(name, sides, rounds)


def peers(files, work):
    """The same rows for DuckDB, for ClickHouse on Parquet and in a MergeTree table; bytes of the last."""
    duck = duckdb.connect()
    duck.execute("SET threads = 2")
    names = "[" + ", ".join(f"'{file}'" for file in files) + "]"
    duck.execute(f"CREATE VIEW events AS SELECT * FROM read_parquet({names}, hive_partitioning = true)")
    folder = work / "clickhouse"
    is_there = folder.exists()
    house = chdb.session.Session(str(folder))
    # ClickHouse's patterns do not take a list of paths: the files are linked into one folder.
    links = work / "files"
    links.mkdir(exist_ok=True)
    for number, file in enumerate(files):
        link = links / f"{number}.parquet"
        link.unlink(missing_ok=True)
        link.hardlink_to(file)
    source = f"file('{links}/*.parquet', Parquet)"
    house.query("CREATE DATABASE IF NOT EXISTS bench ENGINE = Atomic")
    house.query("DROP VIEW IF EXISTS bench.parquet")
    house.query(f"CREATE VIEW bench.parquet AS SELECT * FROM {source}")
    if not is_there:
        house.query(
            "CREATE TABLE bench.events ENGINE = MergeTree ORDER BY (ifNull(actor_alias_uid, ''), time_effective) "
            f"SETTINGS index_granularity = 8192, allow_nullable_key = 1 AS SELECT * FROM {source}"
        )
        house.query("OPTIMIZE TABLE bench.events FINAL")
    size = house.query(
        "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'bench' AND table = 'events'", "CSV"
    )
    return duck, house, int(str(size).strip())


def duck_parquet(duck, work):
    """Bytes of the same rows as DuckDB writes them with zstd, sorted as ours are."""
    path = work / "duckdb.parquet"
    if not path.exists():
        duck.execute(f"COPY (SELECT * FROM events ORDER BY actor_alias_uid, time_effective) TO '{path}' "
                     "(FORMAT parquet, COMPRESSION zstd)")
    return path.stat().st_size


class Server:
    """The server on an installation, with a token to read."""

    def __init__(self, binary, data):
        self.command = [str(binary), "--data", str(data)]
        create = [*self.command, "token", "create", f"bench-{time.time_ns()}", "--scope", "read"]
        self.token = subprocess.run(create, check=True, capture_output=True, text=True).stdout.strip()
        self.process = subprocess.Popen([*self.command, "serve", "--listen", "127.0.0.1:0"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if " on http://" in line:
                self.base = "http://" + line.split(" on http://")[1].strip()
                break
        # What it says later nobody reads, and a full pipe would stop it.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def get(self, path):
        request = urllib.request.Request(self.base + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def sql(self, statement):
        """By the command, which asks the running server."""
        run = [*self.command, "query", "--format", "json", statement]
        return subprocess.run(run, check=True, capture_output=True, text=True).stdout


def questions(server, duck, house):
    """Name of each question, and the sides that answer it."""
    def all_sides(ours, where, limit=LIMIT):
        tail = f"WHERE {where} ORDER BY time_effective DESC, event_uid DESC LIMIT {limit}"
        return {
            "ours": ours,
            "DuckDB": lambda: len(duck.execute(f"SELECT * FROM events {tail}").to_arrow_table()),
            "ClickHouse, Parquet": lambda: house.query(f"SELECT * FROM bench.parquet {tail}", "Arrow"),
            "MergeTree": lambda: house.query(f"SELECT * FROM bench.events {tail}", "Arrow"),
        }

    busiest = duck.execute("SELECT actor_alias_uid, count(*) AS n FROM events WHERE actor_alias_uid IS NOT NULL "
                           "GROUP BY 1 ORDER BY n DESC").fetchall()
    people = server.get("/v1/identities?limit=1000")["identities"]
    for name, (alias, count) in [("busiest", busiest[0]), ("median", busiest[len(busiest) // 2])]:
        identity = owner(server, people, alias)
        if identity is None:
            print(f"S5: nobody among the newest 1,000 identities goes by {alias}: not asked")
            continue
        uid, aliases = identity
        one_of = ", ".join(f"'{one}'" for one in aliases)
        where = " OR ".join(f"{column} IN ({one_of})"
                            for column in ("actor_alias_uid", "on_behalf_of_uid", "target_alias_uid"))
        ours = lambda uid=uid: len(server.get(f"/v1/identities/{uid}/timeline?limit={LIMIT}")["events"])
        yield f"S5 timeline of the {name} identity ({count} events)", all_sides(ours, where)
    event, = duck.execute("SELECT event_uid FROM events USING SAMPLE 1").fetchone()
    yield "S6 one event by its id", all_sides(
        lambda: server.get(f"/v1/events/{event}"), f"event_uid = '{event}'")
    address, count = duck.execute("SELECT src_ip, count(*) AS n FROM events WHERE src_ip IS NOT NULL GROUP BY 1 "
                                  "ORDER BY n, src_ip LIMIT 1").fetchone()
    statement = f"SELECT * FROM events WHERE src_ip = '{address}' ORDER BY time_effective DESC, event_uid DESC LIMIT {LIMIT}"
    yield f"S6 a rare address ({count} events), ours by the command", all_sides(
        lambda: server.sql(statement), f"src_ip = '{address}'")
    yield "the command alone (SELECT 1)", {"ours": lambda: server.sql("SELECT 1")}
    text = address.replace("'", "")
    columns = ("operation", "actor_name", "actor_ref", "target_name", "target_ref", "src_ip")
    where = " OR ".join(f"contains(lower({column}), '{text}')" for column in columns)
    sides = all_sides(lambda: len(server.get(f"/v1/events?text={text}&limit={LIMIT}")["events"]), where)
    # ClickHouse has the function under another name.
    like = where.replace("contains(lower(", "(positionCaseInsensitive(").replace(f"), '{text}')", f", '{text}') > 0)")
    tail = f"WHERE {like} ORDER BY time_effective DESC, event_uid DESC LIMIT {LIMIT}"
    for name, source in (("ClickHouse, Parquet", "bench.parquet"), ("MergeTree", "bench.events")):
        sides[name] = lambda source=source: house.query(f"SELECT * FROM {source} {tail}", "Arrow")
    yield "a part of any text", sides


def owner(server, people, alias):
    """Id and aliases of the identity that goes by this alias."""
    for person in people:
        answer = server.get(f"/v1/identities/{person['id']}")
        uids = [one["uid"] for one in answer["aliases"]]
        if alias in uids:
            return person["id"], uids
    return None


def report(name, sides, rounds):
    took = {side: [] for side in sides}
    for number in range(rounds + 1):
        for side, ask in sides.items():
            begun = time.perf_counter()
            ask()
            if number > 0:
                took[side].append((time.perf_counter() - begun) * 1e3)
    print(name)
    for side, all_of in took.items():
        print(f"    {side}: {statistics.median(all_of):.0f} ms, at most {max(all_of):.0f} ms")


if __name__ == "__main__":
    main()
