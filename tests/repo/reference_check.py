"""Compares docs/reference.md, the page of all config keys, with `lynceus train --help`.

    reference_check.py PAGE LYNCEUS [--update]     --update writes the table of keys into the page

Fails for a key without help text and for a page that is out of date. The text before the first key is
written by hand.
"""

import os
import re
import subprocess
import sys

BEGIN = "<!-- keys: written by reference_check.py --update -->"
KEY = re.compile(r"  --(?P<key>[a-z-]+(\.\w+)?) (?P<value>\S+) +(?P<help>.*?) ?\(default: (?P<default>.*)\)$")
SECTION = re.compile(r"\[(?P<name>\w+)\] (?P<help>.*)$")
NOT_KEYS = ("  --config FILE", "  --print-config", "  --help")
KINDS = {
    "true|false": "`true`, `false`",
    "INT": "integer",
    "NUMBER": "number",
    "TEXT": "text",
    "TEXT...": "texts, repeatable",
    "auto|INT": "integer or `auto`",
}


def kind_of(value):
    return KINDS.get(value) or ", ".join(f"`{choice}`" for choice in value.split("|"))


def cell(text):
    return text.replace("|", "\\|")


def default_of(key):
    """--help prints an empty text and an empty list as empty, which no key has as its value."""
    return key["default"] if key["default"] == "empty" else f"`{key['default']}`"


def table_of(page):
    """The Markdown of all keys in the output of --help, and the keys without a help text."""
    lines, bare = ["## Options of a start"], []
    heading = True
    for line in page.splitlines():
        section, key = SECTION.match(line), KEY.match(line)
        if section:
            lines += ["", f"## [{section['name']}]: {section['help']}"]
            heading = True
        if not key:
            if line.startswith("  --") and not line.startswith(NOT_KEYS):
                sys.exit(f"--help has a line of an unknown form: {line}")
            continue
        if heading:
            lines += ["", "| key | value | default | meaning |", "|---|---|---|---|"]
            heading = False
        if not key["help"].strip():
            bare.append(key["key"])
        lines.append(f"| `{key['key']}` | {kind_of(key['value'])} | {default_of(key)} | {cell(key['help'])} |")
    return "\n".join(lines) + "\n", bare


def main():
    path, program = sys.argv[1:3]
    environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    printed = subprocess.run([program, "train", "--help"], env=environment, text=True, check=True,
                             stdout=subprocess.PIPE).stdout
    expected, bare = table_of(printed)
    with open(path, encoding="utf-8") as file:
        before, _, found = file.read().partition(BEGIN + "\n")
    for key in bare:
        print(f"{key}: expected a help text, found none")
    if "--update" in sys.argv:
        with open(path, "w", encoding="utf-8") as file:
            file.write(before + BEGIN + "\n" + expected)
    elif found != expected:
        known = set(found.splitlines())
        for line in expected.splitlines():
            if line not in known:
                print(f"{path}: missing or out of date: {line}")
        for line in known - set(expected.splitlines()):
            print(f"{path}: no longer true: {line}")
        print("run tests/repo/reference_check.py PAGE LYNCEUS --update")
        return 1
    print(f"{expected.count(chr(10) + '| `')} keys")
    return 1 if bare else 0


if __name__ == "__main__":
    sys.exit(main())
