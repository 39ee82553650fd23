#!/usr/bin/env python3
"""Holds docs/reference/errors.md to the error codes of the sources, in both directions.

    error_codes.py ROOT             fails when a code is missing on either side
    error_codes.py ROOT --list      prints the codes of the sources
"""
import pathlib
import re
import sys

FOLDERS = ("base", "connectors", "engine", "state", "server", "client")
CODE = re.compile(r'"([a-z][a-z0-9_]*\.[a-z][a-z0-9_]+)"')
FILE_NAME = re.compile(r"\.(yaml|yml|json|db|addr|gz|zst|duckdb|csv|parquet|sock|log|tmp)$")
# Texts of the same shape that are no codes: Arrow's and gRPC's names, keys of documents, examples.
OTHER = {
    "arrow.json", "arrow.uuid", "public.orders",
    "raw.orders", "extract.watermark_field", "load.mode", "logging.file", "memory.injected", "dxtd.lock", "owner.lock", "spawn.lock",
    "auth.token_file", "buffer.location", "dependency.downstream", "dependency.upstream",
    "options.phase", "schedule.jitter", "schedule.max_instances", "schedule.misfire",
    "schedule.misfire_grace", "schedule.name", "schedule.pipeline", "schedule.priority", "files.roots", "http.listen", "log.file", "log.format", "log.level",
    "retention.audit", "retention.runs", "retention.runs_per_pipeline", "tls.cert", "tls.client_ca", "tls.key",
}
# Attributes of traces, and the keys that turn them on.
OTHER_PREFIXES = ("db.", "dxt.", "error.type", "host.", "otel.", "process.", "service.")


def codes_of(root):
    found = {}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            name = path.name
            if path.suffix not in (".h", ".cc") or "_test" in name or "test_" in name or (
                    "fixture" in name):
                continue
            lines = [line.split("//")[0] for line in path.read_text(encoding="utf-8").splitlines()]
            for code in CODE.findall("\n".join(lines)):
                if code not in OTHER and not code.startswith(OTHER_PREFIXES) and not FILE_NAME.search(code):
                    found.setdefault(code, path.relative_to(root))
    return found


def main():
    root = pathlib.Path(sys.argv[1])
    codes = codes_of(root)
    if "--list" in sys.argv[2:]:
        print("\n".join(sorted(codes)))
        return 0
    page = root / "docs/reference/errors.md"
    described = set()
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            described |= set(re.findall(r"`([a-z0-9_]+\.[a-z0-9_]+)`", line.split("|")[1]))
    problems = [f"{path}: the code {code} is not on docs/reference/errors.md"
                for code, path in sorted(codes.items()) if code not in described]
    problems += [f"docs/reference/errors.md: no source has the code {code}"
                 for code in sorted(described - set(codes))]
    print("\n".join(problems) if problems else f"{len(codes)} codes, all described")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
