"""Asks PostgreSQL in this process: a psql for each question would cost more than dxt does."""

import ctypes
import functools

from systems import Failed, row_text

TUPLES, DONE = 2, 1  # Of ExecStatusType.


@functools.lru_cache(maxsize=1)
def library():
    lib = ctypes.CDLL("libpq.so.5")
    for name, result in (("PQconnectdb", ctypes.c_void_p), ("PQexec", ctypes.c_void_p),
                         ("PQgetvalue", ctypes.c_char_p), ("PQerrorMessage", ctypes.c_char_p)):
        getattr(lib, name).restype = result
    for name, count in (("PQfinish", 1), ("PQstatus", 1), ("PQerrorMessage", 1), ("PQclear", 1),
                        ("PQresultStatus", 1), ("PQntuples", 1), ("PQnfields", 1)):
        getattr(lib, name).argtypes = [ctypes.c_void_p] * count
    lib.PQexec.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    for name in ("PQgetvalue", "PQgetisnull"):
        getattr(lib, name).argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    return lib


class Session:
    """One connection; ends with close(), or with the database."""

    def __init__(self, url):
        self.lib = library()
        quiet = "?client_encoding=UTF8&options=-cclient_min_messages%3Dwarning"
        self.connection = self.lib.PQconnectdb((url + quiet).encode())
        if self.lib.PQstatus(self.connection):
            error = self._error()
            self.close()
            raise Failed(error)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()

    def _error(self):
        return f"PostgreSQL: {self.lib.PQerrorMessage(self.connection).decode()}"

    def close(self):
        self.lib.PQfinish(self.connection)

    def query(self, *statements):
        """The rows of all of them, as scenarios write them."""
        rows = []
        for statement in statements:
            result = self.lib.PQexec(self.connection, statement.encode())
            try:
                if self.lib.PQresultStatus(result) not in (TUPLES, DONE):
                    raise Failed(self._error())
                columns = range(self.lib.PQnfields(result))
                rows += [row_text(self._cell(result, row, column) for column in columns)
                         for row in range(self.lib.PQntuples(result))]
            finally:
                self.lib.PQclear(result)
        return rows

    def _cell(self, result, row, column):
        if self.lib.PQgetisnull(result, row, column):
            return None
        return self.lib.PQgetvalue(result, row, column).decode()
