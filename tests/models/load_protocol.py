#!/usr/bin/env python3
"""Explores every interleaving of small models of the write protocol, with and without its safeguards.

    load_protocol.py             # the table, and whether each row ends as it must
    load_protocol.py --traces    # also the shortest way to each thing that goes wrong
    load_protocol.py --json FILE

A state is a tuple, a step a pair of a name and the state after it. Owners crash at any moment, stop for
any time, and lose the answer to a commit, which then lands late or never.
"""

import argparse
import collections
import dataclasses
import json
import pathlib
import sys
import typing

OWNERS_TRY = 3  # So many attempts in all: one more finds nothing new.


def explore(model):
    """The verdict ("holds", or what is wrong), the number of states, and the way there."""
    start = model.start()
    came_from = {start: None}
    waiting = collections.deque([start])
    while waiting:
        state = waiting.popleft()
        wrong = model.wrong(state)
        if wrong:
            return wrong, len(came_from), way(came_from, state)
        for name, after in model.steps(state):
            if after not in came_from:
                came_from[after] = (state, name)
                waiting.append(after)
    return "holds", len(came_from), []


def way(came_from, state):
    names = []
    while came_from[state]:
        state, name = came_from[state]
        names.append(name)
    return names[::-1]


def changed(items, at, item):
    return (*items[:at], item, *items[at + 1:])


class Owner(typing.NamedTuple):
    """One worker. `at` is what it has done last."""
    at: str = "idle"
    epoch: int = 0


class World(typing.NamedTuple):
    """The target, by lane, and who works on it."""
    fences: tuple
    rows: tuple  # Of the ledger.
    data: tuple  # How often the window's rows are there.
    told: tuple  # Was it told as done?
    newest: tuple  # Who has acquired the lane last.
    owners: tuple
    flights: tuple  # Commits on their way, by owner.
    attempts: int = 0
    refused: bool = False  # An owner was refused though nobody had come after it.


@dataclasses.dataclass
class Commit:
    """One window in each lane. Several owners try to commit it, one after the other or at once.

    fence: none, start or end (when it is checked) · key: the ledger's key refuses a second row ·
    same: data and ledger row in one transaction · look: a new owner looks the load up first ·
    lanes: the lane of each owner · shared: fence and key do not know lanes.
    """
    fence: str = "end"
    key: bool = True
    same: bool = True
    look: bool = True
    lanes: tuple = (0, 0)
    shared: bool = False

    def start(self):
        none = (0,) * (max(self.lanes) + 1)
        count = len(self.lanes)
        return World(none, none, none, (False,) * len(none), (-1,) * len(none),
                     (Owner(),) * count, ("",) * count)

    def wrong(self, world):
        if any(times > 1 for times in world.data):
            return "doubled"
        if any(told and not times for told, times in zip(world.told, world.data)):
            return "lost"
        return "refused for nothing" if world.refused else ""

    def fence_of(self, owner):
        return 0 if self.shared else self.lanes[owner]

    def steps(self, world):
        for owner, (at, _) in enumerate(world.owners):
            if world.flights[owner]:
                yield from self._landing(world, owner)
            step = getattr(self, f"_{at}", None)
            if step:
                yield from step(world, owner)
            if at not in ("idle", "done"):
                yield f"{owner} crashes", self._move(world, owner, "idle")

    @staticmethod
    def _move(world, owner, at, **more):
        state = world.owners[owner]._replace(at=at)
        return world._replace(owners=changed(world.owners, owner, state), **more)

    def _locked(self, world, owner):
        """Does a transaction hold the fence's row?"""
        mine = self.fence_of(owner)
        return self.fence == "end" and any(
            self.fence_of(other) == mine and (world.flights[other]
                                              or (other != owner and state.at == "checked"))
            for other, state in enumerate(world.owners))

    def _idle(self, world, owner):
        lane = self.lanes[owner]
        if world.attempts == OWNERS_TRY + len(world.data) - 1 or world.told[lane]:
            return
        if self._locked(world, owner):
            return
        at = self.fence_of(owner)
        fences = changed(world.fences, at, world.fences[at] + (self.fence != "none"))
        more = {"fences": fences, "attempts": world.attempts + 1,
                "newest": changed(world.newest, lane, owner),
                "owners": changed(world.owners, owner, Owner("ready", fences[at]))}
        if self.look and world.rows[lane]:
            yield f"{owner} acquires and finds it done", self._told(
                world._replace(**more), owner)
        else:
            yield f"{owner} acquires", world._replace(**more)

    _unknown = _idle

    def _fenced(self, world, owner):
        return world.fences[self.fence_of(owner)] != world.owners[owner].epoch

    def _refuse(self, world, owner, why):
        alone = world.newest[self.lanes[owner]] == owner and not world.rows[self.lanes[owner]]
        return f"{owner} is refused, {why}", self._move(world, owner, "idle",
                                                        refused=world.refused or alone)

    def _ready(self, world, owner):
        if self.fence == "start" and self._fenced(world, owner):
            yield self._refuse(world, owner, "fenced")
        else:
            yield f"{owner} writes", self._move(world, owner, "written")

    def _written(self, world, owner):
        if self.fence != "end":
            yield f"{owner} goes on", self._move(world, owner, "checked")
        elif self._locked(world, owner):
            return
        elif self._fenced(world, owner):
            yield self._refuse(world, owner, "fenced")
        else:
            yield f"{owner} finds the fence its own", self._move(world, owner, "checked")

    def _checked(self, world, owner):
        lane = self.lanes[owner]
        among = range(len(world.rows)) if self.shared else [lane]
        if self.key and self.same:
            if any(flight and other != owner and (self.shared or self.lanes[other] == lane)
                   for other, flight in enumerate(world.flights)):
                return  # Waits for the row of the other's transaction.
            if any(world.rows[other] for other in among):
                yield self._refuse(world, owner, "there is such a row")
                return
        if world.flights[owner]:
            return
        yield f"{owner} sends COMMIT", self._move(
            world, owner, "sent", flights=changed(world.flights, owner, "travels"))

    def _landing(self, world, owner):
        lane = self.lanes[owner]
        gone = changed(world.flights, owner, "")
        lost = world._replace(flights=gone)
        landed = lost._replace(
            data=changed(world.data, lane, world.data[lane] + 1),
            rows=changed(world.rows, lane, world.rows[lane] + self.same))
        if world.owners[owner].at == "sent":
            yield f"{owner}'s COMMIT lands, answered", self._move(landed, owner, "answered")
            yield f"{owner}'s COMMIT lands, unanswered", self._move(landed, owner, "unknown")
            yield f"{owner}'s COMMIT is lost", self._move(lost, owner, "unknown")
            yield f"{owner} hears nothing", self._move(world, owner, "unknown")
        else:
            yield f"{owner}'s COMMIT lands late", landed
            yield f"{owner}'s COMMIT never lands", lost

    def _answered(self, world, owner):
        if self.same:
            yield f"{owner} tells", self._told(world, owner)
            return
        lane = self.lanes[owner]
        rows = changed(world.rows, lane, world.rows[lane] + 1)
        yield f"{owner} writes the row and tells", self._told(world._replace(rows=rows), owner)

    def _told(self, world, owner):
        return self._move(world, owner, "done",
                          told=changed(world.told, self.lanes[owner], True))


@dataclasses.dataclass
class Writers:
    """One window that two writers stage, each a part of it, in tables that survive them.

    receipts: the commit takes what its own writers handed it, and not all that carries the load's id ·
    sweep: a new owner first removes what older ones have staged.
    """
    receipts: bool = True
    sweep: bool = True

    def start(self):
        # Epoch; per attempt the parts staged; per attempt its state; rows of each part; committed.
        return (0, (), (), (0, 0), False)

    def wrong(self, state):
        _, _, _, data, committed = state
        if max(data) > 1:
            return "doubled"
        return "lost" if committed and min(data) < 1 else ""

    def steps(self, state):
        epoch, staged, attempts, data, committed = state
        if len(attempts) < OWNERS_TRY and not committed:
            kept = tuple((0, 0) for _ in staged) if self.sweep else staged
            yield "a new owner acquires", (epoch + 1, (*kept, (0, 0)),
                                           (*attempts, (0, 0)), data, committed)
        for owner, receipts in enumerate(attempts):
            for part in (0, 1):
                if receipts[part]:
                    continue
                parts = changed(staged[owner], part, staged[owner][part] + 1)
                yield (f"writer {part} of {owner} stages",
                       (epoch, changed(staged, owner, parts),
                        changed(attempts, owner, changed(receipts, part, 1)), data, committed))
            # The fence is checked at the end, in the transaction of rows and ledger row.
            if all(receipts) and owner == epoch - 1 and not committed:
                sources = [staged[owner]] if self.receipts else staged
                rows = tuple(data[part] + sum(source[part] for source in sources)
                             for part in (0, 1))
                yield f"{owner} commits", (epoch, staged, attempts, rows, True)


@dataclasses.dataclass
class Swap:
    """A replace: each attempt fills a table of its own and puts it in the place of the visible one.

    how: together (swap, ledger row and fence in one transaction), apart (swap, then row and fence),
    or drop (the old table goes before the new one comes, each by itself).
    """
    how: str = "together"

    def start(self):
        # Epoch, visible generation (-1: none), generation of the newest row, states of attempts.
        return (0, 0, 0, ())

    def wrong(self, state):
        _, visible, row, attempts = state
        if visible < 0:
            return "nothing to be seen"
        if visible < row:
            return "an older load over a newer"
        return ""

    def steps(self, state):
        epoch, visible, row, attempts = state
        if len(attempts) < OWNERS_TRY:
            yield "a new owner acquires", (epoch + 1, visible, row, (*attempts, "ready"))
        for owner, at in enumerate(attempts):
            mine = owner + 1
            if at == "ready":
                yield f"{owner} fills its table", (epoch, visible, row,
                                                   changed(attempts, owner, "filled"))
            elif at == "filled" and self.how == "together":
                done = changed(attempts, owner, "done")
                yield f"{owner} commits", ((epoch, mine, mine, done) if epoch == mine
                                           else (epoch, visible, row, done))
            elif at == "filled" and self.how == "apart":
                yield f"{owner} swaps", (epoch, mine, row, changed(attempts, owner, "swapped"))
            elif at == "filled":
                yield f"{owner} drops the old", (epoch, -1, row,
                                                 changed(attempts, owner, "dropped"))
            elif at == "dropped":
                yield f"{owner} renames", (epoch, mine, row, changed(attempts, owner, "swapped"))
            elif at == "swapped":
                yield f"{owner} writes the row", (
                    epoch, visible, mine if epoch == mine else row,
                    changed(attempts, owner, "done"))


CASES = [
    ("all safeguards", Commit(), "holds"),
    ("no unique key", Commit(key=False), "holds"),
    ("no fence", Commit(fence="none"), "holds"),
    ("no fence, no look-up", Commit(fence="none", look=False), "holds"),
    ("no look-up", Commit(look=False), "holds"),
    ("no fence, no unique key", Commit(fence="none", key=False), "doubled"),
    ("fence checked at the start", Commit(fence="start"), "holds"),
    ("fence checked at the start, no unique key", Commit(fence="start", key=False), "doubled"),
    ("no unique key, no look-up", Commit(key=False, look=False), "doubled"),
    ("ledger row in a second transaction", Commit(same=False), "doubled"),
    ("two lanes", Commit(lanes=(0, 0, 1)), "holds"),
    ("two lanes, one fence and key for both", Commit(lanes=(0, 0, 1), shared=True),
     "refused for nothing"),
    ("several writers", Writers(), "holds"),
    ("several writers, staged parts taken by the load's id", Writers(receipts=False), "doubled"),
    ("several writers, nothing swept", Writers(sweep=False), "holds"),
    ("swap in the transaction of row and fence", Swap(), "holds"),
    ("swap before row and fence", Swap("apart"), "an older load over a newer"),
    ("swap by dropping first", Swap("drop"), "nothing to be seen"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--traces", action="store_true", help="show how things go wrong")
    parser.add_argument("--json", type=pathlib.Path, help="write the results there")
    arguments = parser.parse_args()
    failed, results = 0, []
    for name, model, expected in CASES:
        verdict, states, trace = explore(model)
        failed += verdict != expected
        results.append({"case": name, "verdict": verdict, "states": states, "steps": len(trace)})
        print(f"{'ok' if verdict == expected else 'NOT AS EXPECTED':4} {name}: {verdict}"
              f" ({states} states{f', after {len(trace)} steps' if trace else ''})")
        if arguments.traces:
            print("".join(f"         {step}\n" for step in trace), end="")
    if arguments.json:
        arguments.json.write_text(json.dumps({"schema": "dxt.models/1", "cases": results}) + "\n")
    print(f"{len(CASES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
