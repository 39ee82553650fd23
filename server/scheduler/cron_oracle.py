#!/usr/bin/env python3
"""Writes cron_oracle.txt: when cron expressions fire, found by walking every minute of a year.

It shares nothing with cron.cc: time zones come from Python's zoneinfo, and there is no search for the next
tick. A line: expression|zone|year|number of ticks|SHA-256 of their epoch seconds, one a line.

    cron_oracle.py             writes the table beside this script
    cron_oracle.py EXPR ZONE YEAR   prints one case's ticks, to look at a difference
"""
import datetime
import hashlib
import pathlib
import sys
import zoneinfo

UTC = datetime.timezone.utc
MINUTE = datetime.timedelta(minutes=1)
# Zone -> a year that shows something: daylight saving of an hour, of half an hour, in the southern half, at
# midnight, of 45 minutes, none, and a zone that left out a whole day.
ZONES = [("Europe/Berlin", 2026), ("America/New_York", 2026), ("Australia/Lord_Howe", 2026),
         ("America/Santiago", 2026), ("Asia/Kathmandu", 2026), ("UTC", 2028), ("Pacific/Apia", 2011),
         ("Pacific/Chatham", 2025), ("Africa/Casablanca", 2026)]
EXPRESSIONS = [
    "* * * * *", "*/5 * * * *", "30 2 * * *", "0 2 * * *", "15 1,2,3 * * *", "0 0 * * *", "59 23 * * *",
    "30 0 1 * *", "0 12 * * 1-5", "0 0 13 * 5", "7-59/13 */3 * * *", "0 3 29 2 *", "0 9 31 * *",
    "45 1 * 3,4,9,10,11 0", "10 2 */2 * 1", "0 0 1,15 * 3", "0 4 8-14 * 6,7",
]
BOUNDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]


def values(text, low, high):
    found = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, last = (low, high) if span == "*" else (
            (int(span.split("-")[0]), int(span.split("-")[-1])))
        found.update(range(first, last + 1, int(step or 1)))
    return found


def matcher(expression):
    words = expression.split()
    minute, hour, day, month, weekday = [values(w, *b) for w, b in zip(words, BOUNDS)]
    weekday = {d % 7 for d in weekday}
    either = not words[2].startswith("*") and not words[4].startswith("*")

    def matches(local):
        of_month = local.day in day
        of_week = local.isoweekday() % 7 in weekday
        right_day = (of_month or of_week) if either else (of_month and of_week)
        return right_day and local.minute in minute and local.hour in hour and local.month in month

    return matches


def walk(zone, year):
    """Every minute of the UTC year with the local minutes that become due in it."""
    tz = zoneinfo.ZoneInfo(zone)
    now = datetime.datetime(year, 1, 1, tzinfo=UTC)
    end = datetime.datetime(year + 1, 1, 1, tzinfo=UTC)
    newest = (now - MINUTE).astimezone(tz).replace(tzinfo=None)
    while now < end:
        local = now.astimezone(tz).replace(tzinfo=None)
        due = []
        while newest < local:  # Two steps and more: local time was skipped.
            newest += MINUTE
            due.append(newest)
        yield int(now.timestamp()), due
        now += MINUTE


def main():
    if len(sys.argv) == 4:
        matches = matcher(sys.argv[1])
        for at, due in walk(sys.argv[2], int(sys.argv[3])):
            if any(map(matches, due)):
                print(at, datetime.datetime.fromtimestamp(at, UTC).isoformat())
        return
    lines = []
    for zone, year in ZONES:
        cases = [(e, matcher(e), []) for e in EXPRESSIONS]
        for at, due in walk(zone, year):
            for _, matches, ticks in cases:
                if any(map(matches, due)):
                    ticks.append(str(at))
        for expression, _, ticks in cases:
            digest = hashlib.sha256("\n".join(ticks).encode()).hexdigest()
            lines.append(f"{expression}|{zone}|{year}|{len(ticks)}|{digest}\n")
    pathlib.Path(__file__).with_suffix(".txt").write_text("".join(lines))


main()
