"""Cells whose rows are read by several readers at a time, each a split of one PostgreSQL table, and
written by as many where they fill a new or a replaced one.
"""

import re

import cells
from network import Proxy

READERS = 3
CHUNK = 200  # Rows of one INSERT.


class Splits(cells.Postgres):
    """PostgreSQL, loaded from a table beside it. What goes to the source is not counted: it takes the
    way through the proxy, where nobody watches.
    """

    name = "splits"
    modes = ["append-full", "replace-full", "upsert-full", "mirror-full", "scd2-full",
             "append-incremental", "upsert-incremental"]

    def __init__(self, tools, live, mode):
        super().__init__(tools, live, mode)
        self.proxy = Proxy(tools.postgres.port)

    def source(self):
        url = re.sub(r":\d+/", f":{self.proxy.port}/", self.url)
        return {"type": "postgres", "url": f"{url}?sslmode=disable&gssencmode=disable"}

    def stream(self):
        stream = self.mode.stream(self.table)
        stream["source"] = "source.rows"
        stream["extract"]["readers"] = READERS
        return stream

    def settings(self):
        return {"runtime": {"parallelism": READERS}}

    def unlike(self, result, start, buffer):
        """A table that nobody sees yet is filled by as many writers, when the rows come straight."""
        stream = result["streams"][0]
        several = start == "first" or not self.mode.incremental  # From a watermark on reads one.
        unseen = self.mode.load == "replace" or (start == "first" and self.mode.load == "append")
        expected = {"readers": READERS if several else 1,
                    "writers": READERS if unseen and buffer == "streamed" else 1}
        found = {name: stream[name] for name in expected}
        return f"{found}, not {expected}" if found != expected else None

    def write_source(self, rows):
        # Few rows a block make more splits.
        statements = ["DROP SCHEMA IF EXISTS source CASCADE", "CREATE SCHEMA source",
                      cells.TABLE.replace("TABLE rows", "TABLE source.rows") + " WITH (fillfactor = 25)"]
        statements += [f"INSERT INTO source.rows VALUES {cells.values_of(rows[at:at + CHUNK])}"
                       for at in range(0, len(rows), CHUNK)]
        self._ask("BEGIN", *statements, "COMMIT", "VACUUM source.rows")
        self.close()


TARGETS = {Splits.name: Splits}
