"""Looks in the sources for each message that docs/messages.md quotes in the first column of its tables.

    messages_check.py PAGE ROOT

In a quoted message "…" stands for what differs: names, numbers, paths. Its other parts must be in one string
of the sources, in this order, with a replacement field ({}) or another end of the string at each "…".
"""

import pathlib
import re
import sys

ROOMS = ("core", "io", "kernels", "parallel", "src")
LITERALS = re.compile(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*')
RAW = re.compile(r'R"\(.*?\)"', re.DOTALL)
ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


def literals_of(source):
    """The strings of a source, adjacent ones joined, with "…" for each replacement field."""
    for text in LITERALS.findall(RAW.sub("", source)):
        joined = "".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', text))
        joined = re.sub(r'\\[n"\\]', lambda found: ESCAPES[found[0]], joined)
        fields = re.sub(r"(?<!\{)\{[^{}]*\}", "…", joined.replace("{{", "\0"))
        yield fields.replace("\0", "{").replace("}}", "}")


def is_in(message, literal):
    parts = [re.escape(part) for part in message.strip("… ").split("…")]
    return re.search(".*".join(parts), literal, re.DOTALL) is not None


def quoted_messages(page):
    for line in page.splitlines():
        if line.startswith("| `"):
            yield line[3:].partition("` |")[0].replace("\\|", "|")


def main():
    page, root = (pathlib.Path(path) for path in sys.argv[1:3])
    sources = [path for room in ROOMS for path in sorted((root / room).rglob("*")) if path.suffix in (".h", ".cpp")]
    literals = {text for path in sources for text in literals_of(path.read_text(encoding="utf-8"))}
    messages = list(quoted_messages(page.read_text(encoding="utf-8")))
    faults = [message for message in messages if not any(is_in(message, literal) for literal in literals)]
    for message in faults:
        print(f"{page}: no source has this message: {message}")
    print(f"{len(messages)} messages, {len(faults)} of them in no source")
    return 1 if faults or not messages else 0


if __name__ == "__main__":
    sys.exit(main())
