#!/usr/bin/env python3
"""Megabytes of tar per second that `lynceus prepare webdataset` reads, writes and checks on one rank.

    python3 bench/measure_prepare.py --images DIR [--gib 1] [--rounds 5] [--folder DIR] [--json FILE]

The tar contains the images of DIR repeatedly, each with a .txt and a .json as img2dataset writes
them. It stays in the page cache; what is written goes to --folder and is synced to disk, so a plain
copy of the tar by dd with fsync alternates with it. Standard library only.
"""

import argparse
import io
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import tarfile
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHECKS = ("header", "decode")


def write_tar(path, pictures, wanted_bytes):
    def add(tar, name, content):
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))

    rows = 0
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        while tar.offset < wanted_bytes:
            key = f"{rows:09d}"
            about = {"key": key, "url": f"https://example.org/{rows}.jpg", "width": 640, "height": 480}
            add(tar, key + ".jpg", pictures[rows % len(pictures)])
            add(tar, key + ".txt", f"photograph number {rows}".encode())
            add(tar, key + ".json", json.dumps(about).encode())
            rows += 1
    return rows


def timed(command):
    """Seconds, and seconds of all cores, of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=pathlib.Path, required=True, help="folder of JPEG files")
    parser.add_argument("--gib", type=float, default=1, help="of tar")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=pathlib.Path, help="where the tar and the shards go")
    parser.add_argument("--lynceus", type=pathlib.Path, default=ROOT / "build/release/lynceus")
    parser.add_argument("--json", type=pathlib.Path, help="write the lines here too")
    arguments = parser.parse_args()
    pictures = [path.read_bytes() for path in sorted(arguments.images.glob("*.jpg"))]
    if not pictures:
        parser.error(f"--images {arguments.images}: expected *.jpg, found none")

    lines = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        folder = pathlib.Path(folder)
        tar, copy, shards = folder / "pairs.tar", folder / "copy.tar", folder / "shards"
        rows = write_tar(tar, pictures, arguments.gib * 2**30)
        size = tar.stat().st_size / 1e6
        commands = {check: [arguments.lynceus, "prepare", "webdataset", "--input", tar, "--output",
                            shards, "--check-pictures", check] for check in CHECKS}
        commands["dd"] = ["dd", f"if={tar}", f"of={copy}", "bs=4M", "conv=fsync"]
        rates = {name: ([], []) for name in commands}
        for turn in range(arguments.rounds + 1):  # the first one warms up
            for name, command in commands.items():
                shutil.rmtree(shards, ignore_errors=True)
                copy.unlink(missing_ok=True)
                os.sync()
                seconds, of_cores = timed(command)
                if turn > 0:
                    rates[name][0].append(size / seconds)
                    rates[name][1].append(size / of_cores)
        for name, (wall, cores) in rates.items():
            lines.append(json.dumps({
                "figure": "copy" if name == "dd" else "prepare", "check_pictures": name,
                "tar_mb": round(size), "rows": rows,
                "mb_per_s": spread([round(rate) for rate in wall]),
                "mb_per_core_s": spread([round(rate) for rate in cores])}))
            print(lines[-1])
    if arguments.json:
        arguments.json.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
