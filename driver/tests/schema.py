"""schema.py: checks a JSON value against a schema in the part of JSON Schema (draft 2020-12) that our schemas use: $ref to
$defs, type, const, enum, anyOf, required, properties, patternProperties, additionalProperties, items, pattern, minimum. A word
of a schema that is not known here is an error: nothing is passed over in silence."""
import re

TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "null": lambda v: v is None,
}
SAID_ELSEWHERE = {"$schema", "$defs", "title", "properties", "patternProperties"}


def check_type(value, types, found, where):
    if not any(TYPES[name](value) for name in ([types] if isinstance(types, str) else types)):
        found.append(f"{where}: {value!r:.60} is not of type {types}")


def check_members(value, schema, root, found, where):
    """properties, patternProperties and additionalProperties of an object."""
    for name, member in value.items():
        known = [rule for key, rule in schema.get("properties", {}).items() if key == name]
        known += [rule for pattern, rule in schema.get("patternProperties", {}).items() if re.search(pattern, name)]
        for rule in known or [schema.get("additionalProperties", True)]:
            if rule is False:
                found.append(f"{where}: member {name!r} is not allowed")
            elif rule is not True:
                found += problems(member, rule, root, f"{where}.{name}")


def problems(value, schema, root=None, where="$"):
    """A list of sentences; empty when the value is as the schema says."""
    root, found = root or schema, []
    for word, rule in schema.items():
        if word == "$ref":
            found += problems(value, root["$defs"][rule.removeprefix("#/$defs/")], root, where)
        elif word == "type":
            check_type(value, rule, found, where)
        elif word == "const":
            if value != rule:
                found.append(f"{where}: {value!r:.60} is not {rule!r}")
        elif word == "enum":
            if value not in rule:
                found.append(f"{where}: {value!r:.60} is none of {rule}")
        elif word == "anyOf":
            if all(problems(value, choice, root, where) for choice in rule):
                found.append(f"{where}: is none of {rule}")
        elif word == "required":
            found += [f"{where}: no member {name!r}" for name in rule if isinstance(value, dict) and name not in value]
        elif word == "pattern":
            if isinstance(value, str) and not re.search(rule, value):
                found.append(f"{where}: {value!r:.60} does not match {rule}")
        elif word == "minimum":
            if TYPES["number"](value) and value < rule:
                found.append(f"{where}: {value} is below {rule}")
        elif word == "items":
            for i, item in enumerate(value if isinstance(value, list) else []):
                found += problems(item, rule, root, f"{where}[{i}]")
        elif word != "additionalProperties" and word not in SAID_ELSEWHERE:
            raise ValueError(f"{where}: schema word {word!r} is not known")
    if isinstance(value, dict):
        check_members(value, schema, root, found, where)
    return found
