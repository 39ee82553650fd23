"""What is loaded: the rows of each window, and what each mode must make of them."""

import functools
import hashlib

ROWS = 1200  # That come with one window.
COLUMNS = ["seq", "part", "payload", "checksum", "updated"]
OTHERS = [(-seq, -1, "somebody else's", "", 0) for seq in range(1, 41)]


def row(seq, version):
    payload = f"{seq}.{version}." + "x" * (seq * 7 % 160)
    checksum = hashlib.sha256(payload.encode()).hexdigest()[:24]
    return (seq, (seq - 1) // 40, payload, checksum, version * 1_000_000 + seq)


class Mode:
    """What one write mode makes of the windows 1, 2, 3 …"""

    expressions = COLUMNS  # What is read of the target, to be compared with target().
    tables = ()  # Of dxt in the target, besides ledger and fence.
    others = ()  # Rows that stand in the target before dxt sees it.

    def __init__(self, load, extract="full", window_rows=None):
        self.load, self.window_rows = load, window_rows
        self.incremental = extract != "full"
        self.name = f"{load}-{extract}"

    @property
    def watermark_field(self):
        return "seq" if self.load == "append" else "updated"

    @staticmethod
    def block(window):
        return range((window - 1) * ROWS + 1, window * ROWS + 1)

    @functools.lru_cache(maxsize=8)
    def source(self, window):
        """The source's rows when that window is loaded."""
        if self.name in ("append-full", "replace-full"):
            return [row(seq, window) for seq in self.block(window)]
        newest = {}
        for version in range(1, window + 1):
            self.change(newest, version)
            newest.update((seq, version) for seq in self.block(version))
        return [row(seq, version) for seq, version in sorted(newest.items())]

    def change(self, newest, version):
        """What happens to older rows when that window's come: some change."""
        if self.load != "append":
            newest.update((seq, version) for seq in newest if seq % 5 == version % 5)

    @functools.lru_cache(maxsize=8)
    def target(self, window):
        """What the target must hold once that window is committed."""
        if self.name != "append-full":
            return self.source(window)
        return [cells for done in range(1, window + 1) for cells in self.source(done)]

    def watermark(self, window):
        if not self.incremental:
            return ""
        at = COLUMNS.index(self.watermark_field)
        return str(max(cells[at] for cells in self.source(window)))

    def loads(self, window):
        """How many rows the ledger has once that window is committed."""
        if not self.window_rows:
            return window
        above = self.watermark(window - 1) if window > 1 else "0"
        at = COLUMNS.index(self.watermark_field)
        rows = sum(cells[at] > int(above) for cells in self.source(window))
        before = self.loads(window - 1) if window > 1 else 0
        return before + -(-rows // self.window_rows)

    def stream(self, target):
        load = {"mode": self.load, "batch_size": 300}
        if self.window_rows:
            load["window_rows"] = self.window_rows
        extract = {"mode": "full"}
        if self.incremental:
            extract = {"mode": "incremental", "watermark_field": self.watermark_field}
        if self.load not in ("append", "replace"):
            load["upsert_keys"] = ["part" if self.load == "delete_insert" else "seq"]
        return {"id": "t", "source": "rows", "target": target, "extract": extract, "load": load}


class Mirror(Mode):
    """Some rows go with each window, and must go from the target as well."""

    def __init__(self, name):
        super().__init__("mirror")
        self.name = name

    def change(self, newest, version):
        super().change(newest, version)
        for seq in [seq for seq in newest if seq % 7 == version % 7]:
            del newest[seq]


class TrackedMirror(Mirror):
    """A mirror in a table that has rows of others, which must stay."""

    tables = ("_dxt_keys",)
    others = OTHERS

    def target(self, window):
        return [*OTHERS, *self.source(window)]

    def stream(self, target):
        stream = super().stream(target)
        stream["load"]["mirror"] = {"scope": "tracked"}
        return stream


class SoftMirror(Mirror):
    """A mirror that marks what has gone."""

    expressions = [*COLUMNS, "CASE WHEN gone_at IS NULL THEN 0 ELSE 1 END"]

    @functools.lru_cache(maxsize=8)
    def target(self, window):
        last = {}
        for done in range(1, window + 1):
            last.update((cells[0], cells) for cells in self.source(done))
        here = {cells[0] for cells in self.source(window)}
        return [(*cells, int(seq not in here)) for seq, cells in sorted(last.items())]

    def stream(self, target):
        stream = super().stream(target)
        stream["load"]["mirror"] = {"deletes": "soft", "soft_delete_column": "gone_at"}
        return stream


class InsertOnly(Mode):
    """Rows of the source change, and the target must keep what it had first."""

    @functools.lru_cache(maxsize=8)
    def target(self, window):
        first = {}
        for done in range(window, 0, -1):
            first.update((cells[0], cells) for cells in self.source(done))
        return [cells for _, cells in sorted(first.items())]


class DeleteInsert(Mode):
    """Some groups come anew with each window, whole, and with half of their rows."""

    def change(self, newest, version):
        for seq in [seq for seq in newest if (seq - 1) // 40 % 5 == version % 5]:
            if seq % 2:
                del newest[seq]
            else:
                newest[seq] = version


MODES = {mode.name: mode for mode in (
    Mode("append"), Mode("replace"), Mode("upsert"), Mirror("mirror-full"),
    Mode("append", "incremental"), Mode("upsert", "incremental"),
    Mode("append", "windows", 400), Mode("upsert", "windows", 400),
    SoftMirror("mirror-soft"), TrackedMirror("mirror-tracked"),
    InsertOnly("insert_only"), DeleteInsert("delete_insert", "incremental"))}
