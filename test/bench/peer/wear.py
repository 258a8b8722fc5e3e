"""The peer of bench:wear: what mosquitto delivers goes into SQLite (WAL, synchronous FULL), acknowledged by nobody.

Usage: python3 wear.py PORT FILE INTERVAL_MS; prints "ready PID", PID being that of mosquitto_sub. INTERVAL_MS 0 gives each
message a transaction of its own; otherwise they share one, begun at most that often. SIGTERM ends it with a count of rows.
"""
import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import time

port, path, interval = sys.argv[1], sys.argv[2], float(sys.argv[3]) / 1000
db = sqlite3.connect(path, isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute("PRAGMA synchronous = FULL")
db.execute("CREATE TABLE readings (device TEXT, metric TEXT, time INTEGER, value REAL, unit TEXT, arrival INTEGER)")
db.execute("CREATE INDEX by_series ON readings (device, metric, time)")
subscriber = subprocess.Popen(
    ["stdbuf", "-oL", "mosquitto_sub", "-p", port, "-t", "sensors/#", "-q", "1", "-c", "-i", "peer", "-F", "%t %p"],
    stdout=subprocess.PIPE,
)
is_over = False


def end(*_):
    global is_over
    is_over = True


signal.signal(signal.SIGTERM, end)
print("ready", subscriber.pid, flush=True)
pipe = subscriber.stdout.fileno()
waiting, rest, written_at = [], b"", 0.0


def store(rows):
    db.execute("BEGIN")
    db.executemany("INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?)", rows)
    db.execute("COMMIT")


while not is_over:
    due = written_at + interval - time.monotonic() if waiting else 0.2
    if select.select([pipe], [], [], max(0.0, due))[0]:
        lines = (rest + os.read(pipe, 65536)).split(b"\n")
        rest = lines.pop()
        for line in lines:
            topic, payload = line.decode().split(" ", 1)
            _, device, metric = topic.split("/")
            reading = json.loads(payload)
            row = (device, metric, reading["time"], reading["value"], reading["unit"], int(time.time() * 1000))
            if interval == 0:
                store([row])
            else:
                waiting.append(row)
    if waiting and time.monotonic() >= written_at + interval:
        store(waiting)
        waiting, written_at = [], time.monotonic()
if waiting:
    store(waiting)
subscriber.terminate()
print("stored", db.execute("SELECT count(*) FROM readings").fetchone()[0], flush=True)
