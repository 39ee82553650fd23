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
    part_type = "INTEGER"  # In the source.
    codes = (0,)  # With which a run that succeeds may end.

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

    def lanes(self, window):
        """By lane: how many rows the ledger has once that window is committed, and its watermark."""
        return {"sync": (self.loads(window), self.watermark(window))}

    def steps(self, _window):
        """The runs that make that window, by what their commands have besides; the last is killed."""
        return [[]]

    def letters(self, _window):
        """The seq of each dead letter there must be, in order."""
        return []

    def seen(self, rows):
        """What is read of the target, as target() says it."""
        return rows

    def loads(self, window):
        """How many rows of the ledger are of regular runs once that window is committed."""
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


class History(Mode):
    """Every version of each row, with the number of the load from which on and up to which it holds.
    Read whole, some of the older rows are missing in each window, and come back with the next one.
    """

    expressions = [*COLUMNS, *(f"coalesce(CAST({column} AS VARCHAR), '')"
                               for column in ("valid_from", "valid_to"))]

    def __init__(self, extract):
        super().__init__("scd2", extract)

    def _is_away(self, seq, window):
        return not self.incremental and seq not in self.block(window) and seq % 7 == window % 7

    @functools.lru_cache(maxsize=8)
    def source(self, window):
        return [cells for cells in super().source(window) if not self._is_away(cells[0], window)]

    @functools.lru_cache(maxsize=8)
    def target(self, window):
        versions, holds = [], {}
        for load in range(1, window + 1):
            rows = {cells[0]: cells for cells in self.source(load)}
            for seq, (cells, since) in list(holds.items()):
                if rows.get(seq) != cells:
                    versions.append((*cells, since, load))
                    del holds[seq]
            for seq in rows.keys() - holds.keys():
                holds[seq] = (rows[seq], load)
        return versions + [(*cells, since, 0) for cells, since in holds.values()]

    def seen(self, rows):
        # A load has one moment, at which it also closes what is over.
        moments = {moment: load for load, moment in
                   enumerate(sorted({cells[-2] for cells in rows}), 1)}
        return [(*cells[:-2], moments[cells[-2]], moments.get(cells[-1], -1) if cells[-1] else 0)
                for cells in rows]


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


class Backfill(Mode):
    """Ranges in lanes of their own, two of them, one before any regular run and one after it; then a
    regular run. Rows from BEYOND on are for the regular runs, which begin there.
    """

    BEYOND = 100_000
    WINDOW = 400

    def __init__(self, load):
        super().__init__(load, "backfill", self.WINDOW)

    @property
    def watermark_field(self):
        return "seq"

    def source(self, window):
        older = [row(seq, 1) for done in (1, 2) for seq in self.block(done)]
        newer = [row(seq + self.BEYOND, 1) for seq in range(1, 101 * window)]
        return [*older, *newer]

    def _bounds(self, window):
        block = self.block(window)
        return block.start, block.stop

    def steps(self, window):
        if window > 2:
            return [[]]
        first, beyond = self._bounds(window)
        words = ["--from", str(first), "--to", str(beyond)]
        return [words] if window == 1 else [[], words]

    def _regular(self, window):
        """The window up to which regular runs have come."""
        return {1: None, 2: 2}.get(window, window)

    def target(self, window):
        beyond = self._bounds(min(window, 2))[1]
        regular = self._regular(window)
        rows = [cells for cells in self.source(1) if cells[0] < beyond]
        if regular:
            rows += [cells for cells in self.source(regular) if cells[0] > self.BEYOND]
        return rows

    def lanes(self, window):
        lanes = {}
        for done in range(1, min(window, 2) + 1):
            first, beyond = self._bounds(done)
            lanes[f"backfill/{first}..{beyond}"] = (-(-ROWS // self.WINDOW), str(beyond))
        if regular := self._regular(window):
            lanes["sync"] = (regular - 1, str(self.BEYOND + 101 * regular - 1))
        return lanes

    def stream(self, target):
        stream = super().stream(target)
        stream["extract"]["initial_value"] = self.BEYOND
        return stream


class Letters(Mode):
    """Rows that do not fit are left out, and kept as dead letters."""

    codes = (0, 3)
    part_type = "TEXT"

    def __init__(self, load):
        super().__init__(load, "letters", 400)

    @staticmethod
    def _fits(cells):
        return cells[0] % 100 != 1

    @functools.lru_cache(maxsize=8)
    def source(self, window):
        return [cells if self._fits(cells) else (cells[0], "much", *cells[2:])
                for cells in super().source(window)]

    def target(self, window):
        return [cells for cells in self.source(window) if self._fits(cells)]

    def letters(self, window):
        return [cells[0] for cells in self.source(window) if not self._fits(cells)]

    def stream(self, target):
        stream = super().stream(target)
        stream["fields"] = [field if field != "part" else {"id": "part", "dtype": "int64"}
                            for field in COLUMNS]
        stream["load"]["on_error"] = "dead_letter"
        return stream


MODES = {mode.name: mode for mode in (
    Mode("append"), Mode("replace"), Mode("upsert"), Mirror("mirror-full"),
    Mode("append", "incremental"), Mode("upsert", "incremental"),
    Mode("append", "windows", 400), Mode("upsert", "windows", 400),
    SoftMirror("mirror-soft"), TrackedMirror("mirror-tracked"),
    History("full"), History("incremental"), InsertOnly("insert_only"), DeleteInsert("delete_insert", "incremental"),
    Backfill("append"), Backfill("upsert"), Letters("append"), Letters("upsert"))}
