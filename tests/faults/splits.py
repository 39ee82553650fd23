"""Cells whose rows are read by several readers at a time, each a split of one PostgreSQL table."""

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
    modes = ["append-full", "replace-full", "upsert-full", "mirror-full", "append-incremental",
             "upsert-incremental"]

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

    def unlike(self, result):
        readers = result["streams"][0]["readers"]
        return f"{readers} readers, not {READERS}" if readers != READERS else None

    def write_source(self, rows):
        # Few rows a block make more splits.
        statements = ["DROP SCHEMA IF EXISTS source CASCADE", "CREATE SCHEMA source",
                      cells.TABLE.replace("TABLE rows", "TABLE source.rows") + " WITH (fillfactor = 25)"]
        statements += [f"INSERT INTO source.rows VALUES {cells.values_of(rows[at:at + CHUNK])}"
                       for at in range(0, len(rows), CHUNK)]
        self._ask("BEGIN", *statements, "COMMIT", "VACUUM source.rows")
        self.close()


TARGETS = {Splits.name: Splits}
