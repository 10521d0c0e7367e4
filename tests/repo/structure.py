#!/usr/bin/env python3
"""Checks the structure of the product's source tree, and prints every fault.

    structure.py ROOT      exit 0: no fault; 1: faults, one per line; 2: ROOT is no source tree

The rules:
  rooms      a room includes only itself and the rooms of lower floors (ALLOWED)
  parts      inside io and src/train the folders have an order too (PARTS)
  vendors    the header of an external library stays in its home (VENDOR_HOMES)
  circles    no header includes itself through other headers
  sizes      no file over MOST_LINES lines, no folder with more than MOST_FILES source files
  headers    every source file has a header of its own name (HEADERLESS lists the exceptions)
  types      a type name is defined in one namespace only, and in one file
"""

import collections
import os
import re
import sys

# The rooms, and which rooms each of them may include. A room is the first folder below ROOT, without src/.
ALLOWED = {
    "core": "core",
    "kernels": "core kernels",
    "parallel": "core parallel",
    "io": "core parallel io",
    "model": "core kernels parallel io model",
    "train": "core kernels parallel io model train",
    "generate": "core kernels parallel io model train generate",
    "verify": "core kernels parallel io model train generate verify",
    "export": "core kernels parallel io model train export",
    "prepare": "core parallel io prepare",
    "frames": "core io frames",
    "status": "core kernels parallel io model train status",
    "doctor": "core kernels parallel io model train doctor",
    "evaluate": "core io evaluate",
    "judge": "core io evaluate judge",
    "slurm": "core io slurm",
    "cli": "core kernels parallel io model train generate verify export status doctor prepare evaluate slurm cli",
}
FLOORS_0_AND_1 = ("core", "kernels", "parallel", "io")
FOLDERS = FLOORS_0_AND_1 + tuple("src/" + room for room in ALLOWED if room not in FLOORS_0_AND_1)

# Rooms with folders: which folders of the same room each folder may include, besides itself. "." is the
# room's own folder.
PARTS = {
    "io": {
        "files": "",
        "dataset": "files",
        "media": "files dataset",
        "text": "files dataset",
        "weights": "files",
        "weight_views": "weights",
        "checkpoint": "files weights",
    },
    "train": {
        ".": "",
        "data": ".",
        "step": ". data",
        "metrics": ". data step",
        "nonfinite": ". data step",
        "incarnation": "",
        "watch": ". data step incarnation",
        "save": ".",
        "run": ". data step metrics nonfinite watch incarnation save",
    },
    "generate": {
        ".": "",
        "engine": ".",
        "rows": ". engine",
    },
    "prepare": {
        "rows": "",
        ".": "rows",
        "sources": ". rows",
    },
    "evaluate": {
        ".": "",
        "benchmarks": ".",
        "owleval": ".",
        "compare": ".",
        "judge": ".",
    },
}

# Where the header of an external library may be included, as a pattern of paths.
VENDOR_HOMES = (
    (r"mpi\.h", r"^(parallel|io)/"),
    (r"(hdf5|hdf5_hl|H5\w*)\.h", r"^io/"),
    (r"(jpeglib|jerror|turbojpeg|png|gif_lib|tiff|tiffio)\.h|webp/.*", r"^io/"),
    (r"archive(_entry)?\.h", r"^io/"),
    (r"sentencepiece_\w+\.h", r"^io/"),
    (r"unicode/.*", r"^io/text/"),
    (r"nlohmann/.*", r"^(io/files/|src/prepare/rows/json_stream\.(h|cpp)$)"),
    (r"boost/math/.*", r"^src/evaluate/"),
    (r"dnnl.*|oneapi/dnnl/.*|cblas\.h|openblas.*", r"^kernels/cpu/"),
    (r"curl/.*", r"^src/judge/transfers\.cpp$"),
    (r"lib(av|sw)\w*/.*", r"^src/frames/"),
    (r"nccl\.h", r"^parallel/nccl"),
    (r"hwloc\.h|hwloc/.*", r"^src/doctor/hwloc/"),
    (r"cuda\.h|cuda_.*\.h|cuda/.*|cublas.*|cub/.*|mma\.h", r"/cuda"),
)

MOST_LINES = 400
MOST_FILES = 36  # about 18 headers and their source files
# A layer a file, all next to each other: the model reads like the paper.
LARGER_FOLDERS = {"src/model": 42}

# Implementations of one header for builds with and without an optional dependency: folders with the same
# file names and the same symbols.
TWINS = r"/(cuda|no_cuda|nccl|no_nccl|hwloc|no_hwloc)/"
# Source files without a header of their own name: programs, twins, and the subcommands, which share headers.
HEADERLESS = (
    r"(^|/)main\.cpp$",
    TWINS,
    r"^src/cli/(compare|doctor|evaluate|export|generate|inspect/inspect|prepare/(prepare|shapes|sources)|status|submit|train|verify)\.cpp$",
)

SOURCE = re.compile(r"\.(h|cpp|cu|cuh)$")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)


class Tree:
    """The source files of the rooms: path -> text, and the includes of each."""

    def __init__(self, root):
        self.texts = {}
        self.strangers = []  # files in src/ and the rooms that no rule below would read
        for folder in FLOORS_0_AND_1 + ("src",):
            for place, folders, files in os.walk(os.path.join(root, folder)):
                folders.sort()
                for file in sorted(files):
                    path = os.path.join(place, file)
                    name = os.path.relpath(path, root)
                    if not SOURCE.search(file) or not name.startswith(tuple(f + "/" for f in FOLDERS)):
                        self.strangers.append(name)
                        continue
                    with open(path, encoding="utf-8") as source:
                        self.texts[name] = source.read()
        self.includes = {  # path -> [(line, quote, header)]
            path: [
                (text.count("\n", 0, match.start(1)) + 1, match.group(1), match.group(2))
                for match in INCLUDE.finditer(text)
            ]
            for path, text in self.texts.items()
        }

    def find(self, header):
        """The path of one of our headers, or None: includes are relative to ROOT or ROOT/src."""
        for path in (header, "src/" + header):
            if path in self.texts:
                return path
        return None


def room_of(path):
    return path.removeprefix("src/").split("/")[0]


def part_of(path):
    """The folder inside the room: "media" of io/media/png.cpp, "." of src/train/config.h."""
    inside = path.removeprefix("src/").split("/")[1:]
    return inside[0] if len(inside) > 1 else "."


def words(text):
    return text.replace(" ", ", ")


def check_rooms(tree):
    for path in tree.strangers:
        yield f"{path}: expected a .h, .cpp, .cu or .cuh file in one of the rooms"
    for path, includes in tree.includes.items():
        room = room_of(path)
        for line, quote, header in includes:
            target = header.split("/")[0]
            if "/" in header and target in ALLOWED:
                if target not in ALLOWED[room].split():
                    yield f"{path}:{line}: {room} may include {words(ALLOWED[room])}; found {header}"
            elif quote == '"' or ".." in header.split("/"):
                yield f'{path}:{line}: expected the room in the name of our header, found "{header}"'


def check_parts(tree):
    for path, includes in tree.includes.items():
        room = room_of(path)
        if room not in PARTS:
            continue
        part = part_of(path)
        if part not in PARTS[room]:
            yield f"{path}: expected one of the folders {words(' '.join(PARTS[room]))} of {room}"
            continue
        for line, _, header in includes:
            if room_of(header) != room or header.split("/")[0] not in ALLOWED:
                continue
            target = part_of(header)
            if target not in (part, *PARTS[room][part].split()):
                may = words(" ".join((part, *PARTS[room][part].split())))
                yield f"{path}:{line}: {room}/{part} may include {may} of {room}; found {header}"


def check_vendors(tree):
    for path, includes in tree.includes.items():
        for line, _, header in includes:
            for pattern, home in VENDOR_HOMES:
                if re.fullmatch(pattern, header) and not re.search(home, path):
                    yield f"{path}:{line}: <{header}> may be included in {home} only"


def check_circles(tree):
    """Depth first; a header that is met again while it is still open closes a circle."""
    state = {}
    stack = []

    def visit(path):
        state[path] = "open"
        stack.append(path)
        for _, _, header in tree.includes[path]:
            target = tree.find(header)
            if target is None:
                continue
            if state.get(target) == "open":
                circle = stack[stack.index(target) :] + [target]
                yield f"{path}: includes in a circle: {' -> '.join(circle)}"
            elif target not in state:
                yield from visit(target)
        stack.pop()
        state[path] = "done"

    for path in tree.texts:
        if path not in state:
            yield from visit(path)


def check_sizes(tree):
    folders = collections.Counter()
    for path, text in tree.texts.items():
        folders[os.path.dirname(path)] += 1
        lines = text.count("\n")
        if lines > MOST_LINES:
            yield f"{path}: expected at most {MOST_LINES} lines, found {lines}"
    for folder, files in folders.items():
        most = LARGER_FOLDERS.get(folder, MOST_FILES)
        if files > most:
            yield f"{folder}: expected at most {most} source files, found {files}"


def check_headers(tree):
    for path in tree.texts:
        stem, extension = os.path.splitext(path)
        if extension not in (".cpp", ".cu") or any(re.search(rule, path) for rule in HEADERLESS):
            continue
        # The two sides of an op share one header: kernels/device/norm.h of cpu/norm.cpp and cuda/norm.cu.
        shared = re.sub(r"^kernels/(cpu|cuda)/", "kernels/device/", stem)
        if stem + ".h" not in tree.texts and shared + ".h" not in tree.texts:
            yield f"{path}: expected the header {os.path.basename(stem)}.h next to it, found none"


TOKEN = re.compile(
    r"""(?P<skip>//[^\n]*|/\*.*?\*/|^[ \t]*\#(?:[^\n]*\\\n)*[^\n]*)"""
    r"""|(?P<raw>R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)")"""
    r"""|(?P<string>"(?:\\.|[^"\\])*"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\])*')"""
    r"""|(?P<number>[0-9](?:['.]?[0-9A-Za-z_])*)"""
    r"""|(?P<word>[A-Za-z_]\w*)|(?P<sign>::|->|[^\s])""",
    re.S | re.M,
)


def tokens_of(text):
    """(token, line) without comments, directives and texts."""
    line, last = 1, 0
    for match in TOKEN.finditer(text):
        line += text.count("\n", last, match.start())
        last = match.start()
        if match.lastgroup in ("word", "sign", "number"):
            yield match.group(), line


def without_template(statement):
    """A declaration without template<...>, requires and attributes in front."""
    index = 0
    while index < len(statement) and statement[index] in ("template", "export", "inline", "["):
        if statement[index] == "template":
            depth = 0
            index += 1
            while index < len(statement):
                depth += {"<": 1, ">": -1}.get(statement[index], 0)
                index += 1
                if depth == 0:
                    break
        elif statement[index] == "[":
            while index < len(statement) and statement[index] != "]":
                index += 1
            while index < len(statement) and statement[index] == "]":
                index += 1
        else:
            index += 1
    return statement[index:]


def defined_type(statement):
    """The name of the class, struct, union or enum whose body follows the statement, or None."""
    rest = without_template(statement)
    if not rest or rest[0] not in ("class", "struct", "union", "enum"):
        return None
    index = 1
    while index < len(rest) and rest[index] in ("class", "struct", "alignas", "[", "("):
        if rest[index] in ("[", "("):
            close = {"[": "]", "(": ")"}[rest[index]]
            while index < len(rest) and rest[index] != close:
                index += 1
            while index < len(rest) and rest[index] == close:
                index += 1
        else:
            index += 1
    if index >= len(rest) or not re.fullmatch(r"[A-Za-z_]\w*", rest[index]):
        return None
    after = rest[index + 1] if index + 1 < len(rest) else ""
    # A specialization, or a class of another class: no new name here. A function that returns a struct.
    return rest[index] if after in ("", ":", "final") else None


def types_of(text):
    """(name, namespace, line) of each type that is defined in a named namespace, classes' own ones excepted."""
    scopes = []  # (kind, name): "namespace", "class" or "block"
    statement, lines = [], []

    def place():
        """The namespace here, or None inside a class, a block or an anonymous namespace."""
        if any(kind != "namespace" or name == "" for kind, name in scopes):
            return None
        return "::".join(name for _, name in scopes)

    for token, line in tokens_of(text):
        if token == "{":
            words_here = [word for word in statement if word not in ("inline", "export")]
            if words_here[:1] == ["namespace"]:
                scopes.append(("namespace", "".join(words_here[1:])))
            elif words_here[:1] == ["extern"] and len(words_here) == 1:  # extern "C"
                scopes.append(("namespace", "C"))
            else:
                name = defined_type(statement)
                if name is not None and place():
                    yield name, place(), lines[0]
                scopes.append(("class" if name else "block", name))
            statement, lines = [], []
        elif token == "}":
            if scopes:
                scopes.pop()
            statement, lines = [], []
        elif token == ";":
            rest = without_template(statement)
            if len(rest) > 2 and rest[0] == "using" and "=" in rest[2:] and place():
                yield rest[1], place(), lines[0]
            elif len(rest) > 2 and rest[0] == "typedef" and place():
                yield rest[-1], place(), lines[0]
            statement, lines = [], []
        else:
            statement.append(token)
            lines.append(line)


def check_types(tree):
    places = collections.defaultdict(list)  # name -> [(namespace, path, line)]
    for path, text in tree.texts.items():
        for name, namespace, line in types_of(text):
            if namespace.split("::")[0] == "lynceus":
                places[name].append((namespace, path, line))
    for name, found in sorted(places.items()):
        if len({namespace for namespace, _, _ in found}) > 1:
            text = ", ".join(f"{space}::{name} ({path}:{line})" for space, path, line in found)
            yield f"{found[0][1]}:{found[0][2]}: {name} is a type in more than one namespace: {text}"
        else:
            ours = [(path, line) for _, path, line in found if not re.search(TWINS, path)]
            if len(ours) > 1:
                text = ", ".join(f"{path}:{line}" for path, line in ours)
                yield f"{ours[0][0]}:{ours[0][1]}: {name} is defined more than once: {text}"


RULES = (check_rooms, check_parts, check_vendors, check_circles, check_sizes, check_headers, check_types)


def main(root):
    tree = Tree(root)
    if not tree.texts:
        print(f"{root}: expected the folders {', '.join(FOLDERS)}, found none")
        return 2
    faults = 0
    for rule in RULES:
        for fault in rule(tree):
            print(f"{fault}  [{rule.__name__.removeprefix('check_')}]")
            faults += 1
    includes = sum(len(found) for found in tree.includes.values())
    print(f"{len(tree.texts)} files, {includes} includes: {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
