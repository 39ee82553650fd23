"""Checks JSON against the part of JSON Schema (draft 7) that docs/reference uses."""

import re

TYPES = {
    "object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
    "integer": int, "number": (int, float),
}
NOTES = {"$schema", "title", "description", "definitions"}


def is_type(value, name):
    if isinstance(value, bool) and name != "boolean":
        return False
    return isinstance(value, TYPES[name])


def problems(value, schema, root=None, path="$"):
    """What is wrong with the value, one text each; a keyword unknown here is wrong too."""
    root = schema if root is None else root
    found = []

    def wrong(text):
        found.append(f"{path}: {text}")

    def inside(part, rule, name):
        found.extend(problems(part, rule, root, f"{path}.{name}"))

    for keyword, rule in schema.items():
        if keyword == "$ref":
            target = root
            for part in rule.removeprefix("#/").split("/"):
                target = target[part]
            found += problems(value, target, root, path)
        elif keyword == "type":
            names = rule if isinstance(rule, list) else [rule]
            if not any(is_type(value, name) for name in names):
                wrong(f"{value!r} is not of type {rule}")
        elif keyword == "const":
            if value != rule:
                wrong(f"{value!r} is not {rule!r}")
        elif keyword == "enum":
            if value not in rule:
                wrong(f"{value!r} is none of {rule}")
        elif keyword == "anyOf":
            tried = [problems(value, choice, root, path) for choice in rule]
            if all(tried):
                found += min(tried, key=len)
        elif keyword == "minimum":
            if is_type(value, "number") and value < rule:
                wrong(f"{value} is less than {rule}")
        elif keyword == "pattern":
            if isinstance(value, str) and not re.search(rule, value):
                wrong(f"{value!r} does not match {rule}")
        elif keyword == "items":
            for i, item in enumerate(value if isinstance(value, list) else []):
                inside(item, rule, i)
        elif keyword == "required":
            for name in rule if isinstance(value, dict) else []:
                if name not in value:
                    wrong(f"'{name}' is missing")
        elif keyword == "properties":
            for name, part in rule.items() if isinstance(value, dict) else ():
                if name in value:
                    inside(value[name], part, name)
        elif keyword == "additionalProperties" and rule is False:
            for name in value if isinstance(value, dict) else ():
                if name not in schema.get("properties", {}):
                    wrong(f"'{name}' is not in the schema")
        elif keyword not in NOTES:
            wrong(f"the schema's keyword '{keyword}' is unknown to this test")
    return found
