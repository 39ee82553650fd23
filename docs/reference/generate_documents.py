#!/usr/bin/env python3
"""Writes docs/reference/documents.md from the JSON Schemas that dxtctl prints.

    generate_documents.py DXTCTL            writes the page beside this script
    generate_documents.py DXTCTL --check    fails when the page differs
"""
import json
import pathlib
import subprocess
import sys

PAGE = pathlib.Path(__file__).with_name("documents.md")
HEAD = """# Documents

<!-- Written by docs/reference/generate_documents.py; do not edit. -->

Every key of the two documents. `dxtctl json-schema project|pipeline` prints the same as JSON Schema for an
editor; `dxtctl validate FILE` checks a document and touches no system. Keys are lower case; an unknown one is
an error that names the nearest. Any scalar may hold [`${VAR}`](../how-to/secrets-and-variables.md).
Names in brackets mean the same as the first; only one of them may be given.

"""
SCALAR = {"string", "number", "boolean"}


def is_substitute(schema):
    """The alternative that lets `${VAR}`, or a number in quotes, stand for a value."""
    return set(schema) <= {"type", "pattern"} and schema.get("type") == "string" and (
        "pattern" in schema)


def type_of(schema):
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"] if word is not None)
    kind = schema.get("type")
    if "anyOf" in schema:
        options = [s for s in schema["anyOf"] if not is_substitute(s)]
        sizes = [s for s in schema["anyOf"] if is_substitute(s)]
        if options == [s for s in options if s.get("type") == "number"] and sizes:
            return "duration (`30s`, `5m`)" if "ms|s|m" in sizes[0]["pattern"] else (
                "size (`64MiB`)" if "[KkMmGg]" in sizes[0]["pattern"] else "number")
        names = []
        for option in options:
            name = type_of(option)
            if name not in names:
                names.append(name)
        return " or ".join(names)
    if isinstance(kind, list):
        return "text" if set(kind) == SCALAR else " or ".join(kind)
    if kind == "array":
        return "list of " + type_of(schema.get("items", {})) if schema.get("items") else "list"
    if kind == "integer":
        low, high = schema.get("minimum"), schema.get("maximum")
        if low == high and low is not None:
            return f"{low}"
        if low is not None and high is not None and high < 10**9:
            return f"integer {low}…{high}"
        return f"integer from {low}" if low is not None else "integer"
    return {"object": "map", "string": "text", "boolean": "true, false", None: "any value"}.get(
        kind, kind)


def cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def default_of(schema):
    if "default" not in schema:
        return ""
    value = schema["default"]
    return f"`{cell(json.dumps(value) if not isinstance(value, str) else value)}`"


def exclusive_pairs(schema):
    pairs = set()
    for part in schema.get("allOf", []):
        required = part.get("not", {}).get("required", [])
        if len(required) == 2:
            pairs.add(frozenset(required))
    return pairs


def required_keys(schema):
    """Keys that must be there; alternatives of aliases count as their first."""
    keys = set(schema.get("required", []))
    for part in schema.get("allOf", []):
        options = part.get("anyOf", [])
        if options and all(list(o) == ["required"] and len(o["required"]) == 1 for o in options):
            keys.add(options[0]["required"][0])
    return keys


def grouped(schema):
    """(name, aliases, schema of the key), aliases folded into the first of their names."""
    pairs = exclusive_pairs(schema)
    groups = []
    for name, key in schema.get("properties", {}).items():
        for group in groups:
            first = group[0]
            old = key.get("description", "") in (f"Old name of {first}", f"Old name of {first}.")
            if frozenset((first, name)) in pairs and (
                    old or key.get("description") == group[2].get("description")):
                group[1].append(name)
                break
        else:
            groups.append((name, [], key))
    return groups


class Page:
    def __init__(self):
        self.out = []
        self.known = {}

    def section(self, title, schema, level=2):
        """The table of one map, then the maps inside it."""
        self.out.append(f"{'#' * level} {title}\n")
        if schema.get("description"):
            self.out.append(schema["description"].rstrip() + "\n")
        self.out.append("| key | type | default | meaning |\n|---|---|---|---|")
        required, inner = required_keys(schema), []
        for name, aliases, key in grouped(schema):
            shown = f"`{name}`"
            if aliases:
                shown += " (" + ", ".join(f"`{alias}`" for alias in aliases) + ")"
            kind = type_of(key)
            for child in self.maps_of(key):
                signature = json.dumps([child.get("properties"), child.get("description")])
                place = self.known.get(signature)
                if place is None:
                    base = title.split(" ")[0].strip("`") if level > 2 else ""
                    place = f"{base}.{name}" if base else name
                    if place in self.known.values():
                        place = "pipeline." + place
                    self.known[signature] = place
                    inner.append((place, child))
                anchor = place.lower().replace(".", "").replace(" ", "-")
                if "[map]" not in kind:
                    kind = kind.replace("map", f"[map](#{anchor})", 1)
            default = "required" if name in required else default_of(key)
            meaning = cell(key.get("description", ""))
            examples = key.get("examples")
            if examples and "enum" not in key and str(examples[0]) not in (
                    "true", "false", str(key.get("default"))):
                meaning += f" Example: `{cell(examples[0])}`"
            self.out.append(f"| {shown} | {kind} | {default} | {meaning} |")
        self.out.append("")
        for place, child in inner:
            self.section(place, child, 3)

    @staticmethod
    def maps_of(key):
        found = []
        if key.get("properties"):
            found.append(key)
        for option in key.get("anyOf", []):
            found += Page.maps_of(option)
        if isinstance(key.get("items"), dict):
            found += Page.maps_of(key["items"])
        if isinstance(key.get("additionalProperties"), dict):
            found += Page.maps_of(key["additionalProperties"])
        return found


def render(dxtctl):
    load = lambda word: json.loads(
        subprocess.run([dxtctl, "json-schema", word], check=True, capture_output=True).stdout)
    project, pipeline = load("project"), load("pipeline")
    page = Page()
    connectors = [m for m in Page.maps_of(project["properties"]["connections"])
                  if "type" in m["properties"]]
    project["properties"]["profiles"] = {
        "type": "object", "description": "Old name of `connections`."}
    project["properties"]["connections"] = {
        "type": "object",
        "description": "By name: a connection string, or a map with `type` and the keys of "
                       "[its system](#connections)."}
    for word in ("source", "target", "destination"):
        key = pipeline["properties"].get(word)
        if key is None:
            continue
        named = [m for m in Page.maps_of(key) if "connection" in m["properties"]]
        pipeline["properties"][word] = {
            "anyOf": [{"type": sorted(SCALAR)}] + named,
            "description": key.get("description", "")
            + " A connection's name, a connection string, or a map; in place of `connection` the "
              "map may hold `type` and the keys of [its system](#connections)."}
    page.section("Project", project)
    page.section("Pipeline", pipeline)
    page.out.append("## Connections\n")
    page.out.append("One table a system. [Pages of the systems](connectors/) say what each promises.\n")
    for connector in connectors:
        type_key = connector["properties"]["type"]
        page.section(type_of(type_key).split(",")[0].strip("`"), connector, 3)
    return HEAD + "\n".join(page.out).rstrip() + "\n"


def main():
    text = render(sys.argv[1])
    if "--check" not in sys.argv[2:]:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE} is not what dxtctl says; run {sys.argv[0]} {sys.argv[1]}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
