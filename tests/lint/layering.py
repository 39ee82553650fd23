#!/usr/bin/env python3
"""Holds the layering of the sources. See README.md beside it.

  layering.py ROOT               check the tree, print what breaks a rule, exit 1
  layering.py ROOT --self-test   plant one violation of each rule and prove that it is found
  layering.py ROOT --headers     print our headers, for the header check
"""
import os
import re
import sys
import tempfile

# Folder -> folders it may include. The longest matching prefix of a path counts; a folder may always include itself.
# Connectors are added below: each may include only what CONNECTOR names.
ALLOWED = {
    "base": [],
    "connectors/sdk": ["base"],
    "connectors/sql": ["base", "connectors/sdk"],
    "connectors/http": ["base", "connectors/sdk"],
    "engine/plan": ["base", "connectors/sdk", "connectors/sql"],
    "engine/stage": ["base", "connectors/sdk", "engine/plan"],
    "engine/run": ["base", "connectors/sdk", "connectors/sql", "engine/plan", "engine/stage"],
    "state": ["base"],
    "state/sqlite": ["base", "state"],
    "state/postgres": ["base", "state"],
    "server/daemon": ["base", "connectors/sdk", "engine/plan"],
    "server/scheduler": ["base", "connectors/sdk", "engine", "state"],
    "server/api": ["base", "connectors/sdk", "engine", "state", "server/scheduler", "dxt"],
    "server/outgoing": ["base"],
    "server/alerts": ["base", "engine", "state", "server/outgoing", "server/scheduler"],
    "server/tracing": ["base", "connectors/sdk", "engine", "state", "server/outgoing", "server/scheduler"],
    "server/http": ["base", "connectors/sdk", "engine", "state", "server/scheduler"],
    "server": ["base", "connectors/sdk", "engine", "state", "server", "dxt"],
    "client": ["base", "dxt"],
}
CONNECTOR = ["base", "connectors/sdk", "connectors/sql", "connectors/http"]
SHARED_CONNECTORS = {"sdk", "sql", "http"}

# Vendor headers and the folders whose .cc files may include them. "*" = everywhere but client.
VENDORS = [
    (r"libpq-fe\.h|libpq/", ["connectors/postgres", "state/postgres"]),
    (r"sqlite3\.h", ["connectors/sqlite", "state/sqlite"]),
    (r"arrow-adbc/|duckdb\.h(pp)?$", ["connectors/duckdb"]),
    (r"yaml-cpp/", ["engine/plan", "client"]),
    (r"parquet/", ["engine/stage", "connectors/file"]),
    (r"CLI/", ["client", "server"]),
    (r"spdlog/", ["base", "server"]),
    (r"grpcpp/|grpc/", ["server/api", "client", "server"]),
    (r"curl/", ["connectors/http", "server/outgoing"]),
    (r"sodium\.h", ["state"]),
    (r"boost/", ["server/http"]),
]
# Never in a header, wherever it stands: they cost every includer seconds, or leak a system.
HEAVY = re.compile(
    r"arrow/api\.h|arrow/compute/api\.h|parquet/|grpcpp/|gmock/|libpq-fe\.h|sqlite3\.h|yaml-cpp/|arrow-adbc/"
    r"|nlohmann/json\.hpp|simdjson|CLI/|spdlog/|boost/")
PROTO = re.compile(r"\.pb\.h$")
# Generated code of messages and services belongs to those who speak gRPC.
PROTO_FOLDERS = ("server", "client")

SQL_WORDS = re.compile(
    r'"[^"\n]*\b(SELECT\s.*\sFROM|INSERT INTO|DELETE FROM|CREATE TABLE|ALTER TABLE|DROP TABLE|MERGE INTO)\b')
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
MACHINE_PATH = re.compile(r"(?<![\w./])/(work|root|home)/\w")
OPENS_DUCKDB = re.compile(r"duckdb_adbc_init|duckdb_open")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.M)

# Header -> what it includes all the same, and why. One that is no longer needed fails the lint.
WAIVERS = {
    "server/api/paging.h": (r"grpcpp/support/status\.h", "fills a grpc::Status; server/api only"),
    "server/api/resource_names.h": (r"grpcpp/support/status\.h", "fills a grpc::Status; server/api only"),
    "server/api/run_filter.h": (r"grpcpp/support/status\.h", "returns a grpc::Status; server/api only"),
    "server/api/streams.h": (r"grpcpp/support/", "a template over gRPC's reactors; server/api only"),
    "server/api/services.h": (r"\.grpc\.pb\.h", "declares the services' classes; included by server/api only"),
    "server/api/status_map.h": (r"grpcpp/support/status\.h", "returns a grpc::Status by value; server/api only"),
    "server/api/threaded_call.h": (r"grpcpp/support/", "a template over gRPC's reactors; server/api only"),
}

TOP = ["base", "connectors", "engine", "state", "server", "client"]
TEXT = (".h", ".cc", ".py", ".md", ".proto", ".txt", ".cmake", ".yaml", ".yml", ".sh")


def is_test(path):
    name = os.path.basename(path)
    return path.startswith("tests/") or "_test." in name or name.startswith(("test_", "fake_"))


def folder_of(path):
    """The folder of ALLOWED, or the connector's own, that a path belongs to; "" = unknown."""
    parts = path.split("/")
    if parts[0] == "connectors" and len(parts) > 2 and parts[1] not in SHARED_CONNECTORS:
        return "connectors/" + parts[1]
    for length in range(len(parts) - 1, 0, -1):
        prefix = "/".join(parts[:length])
        if prefix in ALLOWED:
            return prefix
    return ""


def allowed_for(folder, connectors):
    if folder in ALLOWED:
        return ALLOWED[folder]
    return CONNECTOR if folder in connectors else []


def below(path, folder):
    return path == folder or path.startswith(folder + "/")


def without_comments(text):
    return re.sub(r"//[^\n]*", "", text)


def check_includes(path, text, connectors, problems):
    folder = folder_of(path)
    header = path.endswith(".h")
    for kind, name in INCLUDE.findall(text):
        if header and HEAVY.search(name) and not is_test(path):
            problems.append((path, f"a header includes {name}: forward-declare, include it in the .cc"))
        if PROTO.search(name):
            if header and not is_test(path):
                problems.append((path, f"a header includes {name}: only .cc files may"))
            if not below(path, "tests") and not path.startswith(PROTO_FOLDERS):
                problems.append((path, f"{name}: generated code belongs to server/api and client"))
            continue
        for pattern, folders in VENDORS:
            if not re.match(pattern, name) or kind == '"' or is_test(path):
                continue
            if not any(below(path, allowed) for allowed in folders):
                problems.append((path, f"{name} belongs to {', '.join(folders)}"))
        if kind == "<" or is_test(path) or "/" not in name:
            continue
        target = folder_of(name) or name.split("/")[0]
        if target == folder or below(target, folder):
            continue
        if not any(below(target, allowed) for allowed in allowed_for(folder, connectors)):
            problems.append((path, f"{folder} may not include {name}"))


def check_text(path, text, connectors, problems):
    if UNFINISHED.search(text):
        problems.append((path, "unfinished: " + UNFINISHED.search(text).group(0)))
    if MACHINE_PATH.search(text) and not path.startswith("tests/lint/"):
        problems.append((path, "a path of one machine: " + MACHINE_PATH.search(text).group(0)))
    if not path.endswith((".h", ".cc")) or is_test(path):
        return
    if OPENS_DUCKDB.search(text) and not below(path, "connectors/duckdb"):
        problems.append((path, "only connectors/duckdb opens DuckDB databases"))
    if not below(path, "engine"):
        return
    code = without_comments(text)
    if SQL_WORDS.search(code):
        problems.append((path, "SQL text in the engine: " + SQL_WORDS.search(code).group(0)[:50]))
    for name in sorted(connectors):
        word = name.split("/")[1]
        # Words that also mean something else: a stream kind, a buffer format, JSON's null.
        if word not in ("file", "memory", "null") and re.search(rf'"{word}"', code):
            problems.append((path, f'the engine names the connector "{word}"'))
    for system in ("spdlog", "grpc::", "StateStore"):
        if system in code:
            problems.append((path, f"the engine uses {system}"))


def files_of(root):
    for top in TOP + ["proto", "tests", "deploy", "docs"]:
        for folder, folders, names in os.walk(os.path.join(root, top)):
            folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in ("build", "__pycache__"))
            for name in sorted(names):
                if name.endswith(TEXT):
                    yield os.path.relpath(os.path.join(folder, name), root)


def connectors_of(root):
    folder = os.path.join(root, "connectors")
    return {"connectors/" + name for name in os.listdir(folder)
            if os.path.isdir(os.path.join(folder, name)) and name not in SHARED_CONNECTORS}


def check_text_of(path, text, connectors):
    problems = []
    if path.endswith((".h", ".cc")) and path.split("/")[0] in TOP:
        check_includes(path, text, connectors, problems)
    check_text(path, text, connectors, problems)
    return problems


def check(root):
    connectors = connectors_of(root)
    problems = []
    for path in files_of(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            found = check_text_of(path, file.read(), connectors)
        if path in WAIVERS:
            pattern, _ = WAIVERS[path]
            kept = [problem for problem in found if not re.search(pattern, problem[1])]
            if kept == found:
                kept.append((path, "its waiver is not needed any more"))
            found = kept
        problems += found
    return problems


# What must be found: a path, and the text planted there.
PLANTED = [
    ("base/planted.cc", '#include "connectors/sdk/types.h"\n'),
    ("connectors/sdk/planted.cc", '#include "connectors/sql/select.h"\n'),
    ("connectors/sqlite/planted.cc", '#include "connectors/duckdb/types.h"\n'),
    ("connectors/duckdb/planted.cc", '#include "engine/run/engine.h"\n'),
    ("connectors/file/planted.cc", '#include "server/api/service.h"\n'),
    ("engine/plan/planted.cc", '#include "engine/run/engine.h"\n'),
    ("engine/run/planted.cc", '#include "connectors/postgres/postgres.h"\n'),
    ("engine/run/planted.cc", '#include "state/state_store.h"\n'),
    ("engine/run/planted.cc", "#include <spdlog/spdlog.h>\n"),
    ("engine/run/planted.cc", 'const char kSql[] = "SELECT a FROM b";\n'),
    ("engine/run/planted.cc", 'bool Is() { return name == "postgres"; }\n'),
    ("engine/stage/planted.h", "#include <arrow/api.h>\n"),
    ("engine/stage/planted.cc", '#include "dxt/v1/run.pb.h"\n'),
    ("state/planted.cc", '#include "engine/run/engine.h"\n'),
    ("server/scheduler/planted.cc", '#include "server/api/service.h"\n'),
    ("server/api/planted.h", '#include "dxt/v1/run.pb.h"\n'),
    ("client/dxtctl/planted.cc", '#include "engine/run/engine.h"\n'),
    ("client/dxtctl/planted.h", "#include <grpcpp/grpcpp.h>\n"),
    ("connectors/file/planted.cc", "#include <sqlite3.h>\n"),
    ("connectors/sqlite/planted.h", "#include <sqlite3.h>\n"),
    ("connectors/file/planted.cc", 'extern "C" int duckdb_adbc_init(int);\n'),
    ("docs/planted.md", "Look in /" + "home/someone.\n"),
    ("base/planted.cc", "// TO" + "DO: finish\n"),
]
# What must not be found.
FINE = [
    ("base/fine.cc", '#include "base/clock.h"\n#include <map>\n'),
    ("connectors/duckdb/fine.cc", '#include "connectors/sql/select.h"\n#include <arrow-adbc/adbc.h>\n'),
    ("engine/run/fine.cc", '#include "connectors/sdk/source.h"\n// SELECT a FROM b\n'),
    ("server/dxtd.cc", '#include "server/api/service.h"\n#include "connectors/sdk/registry.h"\n'),
    ("engine/run/fine_test.cc", '#include "connectors/memory/memory.h"\n'),
]


def self_test():
    failures = []
    with tempfile.TemporaryDirectory() as root:
        for name in ("sdk", "sql", "postgres", "sqlite", "duckdb", "file", "memory"):
            os.makedirs(os.path.join(root, "connectors", name))
        for planted, expected in [(p, True) for p in PLANTED] + [(f, False) for f in FINE]:
            path, text = planted
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
            found = [problem for problem in check(root) if problem[0] == path]
            if bool(found) != expected:
                failures.append(f"{path}: {text.strip()!r}: " + ("not found" if expected else f"found {found}"))
            os.remove(full)
    for failure in failures:
        print("self-test:", failure)
    print(f"self-test: {len(PLANTED) + len(FINE)} cases, {len(failures)} failures")
    return 1 if failures else 0


def main():
    root = sys.argv[1]
    if "--self-test" in sys.argv:
        return self_test()
    if "--headers" in sys.argv:
        for path in files_of(root):
            if path.endswith(".h") and path.split("/")[0] in TOP:
                print(path)
        return 0
    problems = check(root)
    for path, text in problems:
        print(f"{path}: {text}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
