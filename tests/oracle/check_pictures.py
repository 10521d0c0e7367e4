"""Compares decoded pictures with Pillow's Image.open(...).convert("RGB").

    python3 check_pictures.py FOLDER PROGRAM      PROGRAM: decode_pictures

Writes pictures of many kinds to FOLDER, lets PROGRAM decode them and prints every difference. A kind that
Pillow's encoder cannot write is built here byte by byte.
"""
import io
import itertools
import os
import struct
import subprocess
import sys
import warnings

from PIL import Image

warnings.simplefilter("ignore")


def base(width, height):
    image = Image.new("RGB", (width, height))
    image.putdata([(x * 255 // width, y * 255 // height, (x * y * 7) % 256)
                   for y in range(height) for x in range(width)])
    return image


def saved(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def patched_gif(left, top, transparent):
    """A GIF whose first image covers a part of the screen of 40 x 30."""
    whole = saved(base(17, 11).quantize(16), "GIF", interlace=0)
    data = bytearray(whole)
    data[6:10] = struct.pack("<HH", 40, 30)
    at = 13 + (3 << (data[10] & 7) + 1)
    while data[at] != 0x2C:
        at = at + 2
        while data[at]:
            at += data[at] + 1
        at += 1
    data[at + 1:at + 5] = struct.pack("<HH", left, top)
    if transparent is not None:
        data[at:at] = bytes([0x21, 0xF9, 4, 1, 0, 0, transparent, 0])
    return bytes(data)


def gifs():
    rgb = base(61, 37)
    for colors, interlace in itertools.product((2, 3, 16, 256), (0, 1)):
        yield f"{colors}_{interlace}.gif", saved(rgb.quantize(colors), "GIF", interlace=interlace)
        yield f"t{colors}_{interlace}.gif", saved(rgb.quantize(colors), "GIF", interlace=interlace, transparency=1)
    yield "grey.gif", saved(rgb.convert("L"), "GIF")
    yield "bits.gif", saved(rgb.convert("1"), "GIF")
    frames = [base(61, 37).rotate(angle).quantize(64) for angle in (0, 90, 180)]
    yield "animated.gif", saved(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=2)
    for place in ((0, 0), (5, 7), (30, 25)):
        for transparent in (None, 0, 3, 200):
            yield f"part{place[0]}_{transparent}.gif", patched_gif(*place, transparent)


def bitmap(width, height, bits, compression, pixels, palette=b"", masks=b"", header_bytes=40, colors=0):
    if header_bytes == 12:
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        header = struct.pack("<IiiHHIIiiII", header_bytes, width, height, 1, bits, compression, len(pixels), 0, 0,
                             colors, 0)
        if header_bytes > 40:
            header += masks.ljust(16, b"\0")
            header = header.ljust(header_bytes, b"\0")
            masks = b""
    offset = 14 + len(header) + len(masks) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + header + masks + palette + pixels


def noise(size, seed=1):
    out = bytearray()
    for _ in range(size):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        out.append(seed >> 16 & 255)
    return bytes(out)


def bmps():
    rgb = base(61, 37)
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield f"{mode}.bmp", saved(rgb.convert(mode), "BMP")
    width, height = 13, 9
    for bits, top_down, header in itertools.product((1, 4, 8, 16, 24, 32), (False, True), (12, 40, 64, 108, 124)):
        if header == 12 and top_down:
            continue
        row = (width * bits + 31) // 32 * 4
        entry = 3 if header == 12 else 4
        palette = noise(entry << bits, 5) if bits <= 8 else b""
        pixels = noise(row * height, bits)
        yield (f"raw{bits}_{header}_{top_down}.bmp",
               bitmap(width, -height if top_down else height, bits, 0, pixels, palette, header_bytes=header))
    few = noise(4 * 5, 9)
    yield "few.bmp", bitmap(width, height, 8, 0, noise(16 * height, 3), few, colors=5)
    for bits, masks in ((16, (0xF800, 0x7E0, 0x1F, 0)), (16, (0x7C00, 0x3E0, 0x1F, 0)),
                        (24, (0xFF0000, 0xFF00, 0xFF, 0)), (32, (0xFF0000, 0xFF00, 0xFF, 0)),
                        (32, (0xFF000000, 0xFF0000, 0xFF00, 0)), (32, (0xFF000000, 0xFF0000, 0xFF00, 0xFF)),
                        (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)), (32, (0, 0, 0, 0))):
        for header in (40, 108, 124):
            packed = struct.pack("<4I", *masks)
            if header == 40:
                if masks[3] or not masks[0] and bits == 32:
                    continue
                packed = packed[:12]
            row = (width * bits + 31) // 32 * 4
            yield (f"masks{bits}_{masks[0]:x}_{masks[3]:x}_{header}.bmp",
                   bitmap(width, height, bits, 3, noise(row * height, 11), masks=packed, header_bytes=header))
    runs = b""
    for y in range(height):
        runs += bytes([5, y, 3, 200, 0, 4]) + noise(4, y + 1) + bytes([1, 7, 0, 0])
    yield "rle8.bmp", bitmap(width, height, 8, 1, runs + b"\0\1", noise(1024, 5))
    runs = b"".join(bytes([5, 0x1F - y, 2, 0x33, 0, 4, 0x9A, 0x5C, 2, 0xE1, 0, 0]) for y in range(height))
    yield "rle4.bmp", bitmap(width, height, 4, 2, runs + b"\0\1", noise(64, 5))


def tiffs():
    rgb = base(61, 37)
    cmyk = rgb.convert("CMYK")
    alpha = rgb.convert("RGBA")
    alpha.putalpha(rgb.convert("L"))
    deep = Image.frombytes("I;16", (8, 2), noise(32))
    for name, image in (("rgb", rgb), ("grey", rgb.convert("L")), ("bits", rgb.convert("1")), ("cmyk", cmyk),
                        ("palette", rgb.quantize(200)), ("alpha", alpha), ("la", alpha.convert("LA")),
                        ("deep", deep)):
        for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4", "group3"):
            if compression == "jpeg" and name not in ("rgb", "grey", "cmyk"):
                continue
            if compression in ("group3", "group4") and name != "bits":
                continue
            yield f"{name}_{compression}.tif", saved(image, "TIFF", compression=compression)
    for orientation in range(1, 9):
        yield f"turned{orientation}.tif", saved(rgb, "TIFF", tiffinfo={274: orientation})
    yield "pages.tif", saved(rgb, "TIFF", save_all=True, append_images=[rgb.rotate(180)])
    yield "predictor.tif", saved(rgb, "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    yield "strips.tif", saved(rgb, "TIFF", compression="tiff_lzw", tiffinfo={278: 5})
    yield from built_tiffs()


def built_tiffs():
    """Kinds that Pillow reads and does not write, in both byte orders and without compression."""
    width, height = 11, 6
    for order, (name, photometric, bits, samples, extra) in itertools.product("<>", (
            ("white1", 0, 1, 1, ()), ("white2", 0, 2, 1, ()), ("black2", 1, 2, 1, ()), ("white4", 0, 4, 1, ()),
            ("black4", 1, 4, 1, ()), ("white8", 0, 8, 1, ()), ("deep", 1, 16, 1, ()), ("palette1", 3, 1, 1, ()),
            ("palette2", 3, 2, 1, ()), ("palette4", 3, 4, 1, ()), ("rgb16", 2, 16, 3, ()),
            ("rgbx", 2, 8, 4, (0,)), ("rgba", 2, 8, 4, (2,)), ("rgb_premultiplied", 2, 8, 4, (1,)),
            ("rgba16", 2, 16, 4, (2,)), ("rgb_premultiplied16", 2, 16, 4, (1,)), ("rgbax", 2, 8, 5, (2, 0)),
            ("cmykx", 5, 8, 5, (0,)))):
        pixels = noise((width * samples * bits + 7) // 8 * height, 3)
        tags = [(256, 3, [width]), (257, 3, [height]), (258, 3, [bits] * samples), (259, 3, [1]),
                (262, 3, [photometric]), (273, 4, [8]), (277, 3, [samples]), (278, 3, [height]),
                (279, 4, [len(pixels)])]
        if photometric == 3:
            tags.append((320, 3, list(struct.unpack(f"<{3 << bits}H", noise(6 << bits, 7)))))
        if extra:
            tags.append((338, 3, list(extra)))
        yield f"{name}_{'II' if order == '<' else 'MM'}.tif", tiff_file(order, tags, pixels)


def tiff_file(order, tags, pixels):
    body = pixels + b"\0" * (len(pixels) % 2)
    at = 8 + len(body)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at)
    entries, more = b"", b""
    behind = at + 2 + 12 * len(tags) + 4
    for tag, kind, values in tags:
        packed = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            place = struct.pack(order + "I", behind + len(more))
            more += packed + b"\0" * (len(packed) % 2)
        else:
            place = packed.ljust(4, b"\0")
        entries += struct.pack(order + "HHI", tag, kind, len(values)) + place
    return head + body + struct.pack(order + "H", len(tags)) + entries + b"\0\0\0\0" + more


def others():
    rgb = base(61, 37)
    alpha = rgb.convert("RGBA")
    alpha.putalpha(rgb.convert("L"))
    for name, image in (("rgb", rgb), ("alpha", alpha)):
        for lossless in (False, True):
            yield f"{name}_{lossless}.webp", saved(image, "WEBP", lossless=lossless)
            yield (f"{name}_{lossless}_animated.webp",
                   saved(image, "WEBP", lossless=lossless, save_all=True, duration=50,
                         append_images=[image.rotate(90), image.rotate(180)]))
    deep = Image.frombytes("I;16", (8, 2), noise(16) + b"".join(bytes([n * 30, 0]) for n in range(8)))
    yield "deep.png", saved(deep, "PNG")
    jpeg = saved(rgb, "JPEG")
    scan = jpeg.index(b"\xff\xda")
    for name, at, extra in (("eoi", len(jpeg) - 2, b"xy"), ("many", len(jpeg) - 2, noise(1000)), ("scan", scan, b"abc")):
        extra = extra.replace(b"\xff", b"\xfe")
        yield f"extra_{name}.jpg", jpeg[:at] + extra + jpeg[at:]
    for subsampling, progressive in itertools.product((0, 1, 2), (False, True)):
        yield (f"{subsampling}_{progressive}.jpg",
               saved(rgb, "JPEG", subsampling=subsampling, progressive=progressive))


def main():
    folder, program = sys.argv[1:]
    pictures = dict(itertools.chain(gifs(), bmps(), tiffs(), others()))
    for name, data in pictures.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
    subprocess.run([program, folder], check=True)
    bad = compared = 0
    for name in sorted(pictures):
        path = os.path.join(folder, name)
        try:
            expected = Image.open(path).convert("RGB")
        except Exception as error:  # of any type: Pillow refuses in many ways
            print(f"{name}: Pillow cannot read it: {error}")
            bad += 1
            continue
        if not os.path.exists(path + ".ppm"):
            print(f"{name}: refused: {open(path + '.refused').read()}")
            bad += 1
            continue
        found = Image.open(path + ".ppm")
        compared += 1
        if found.size != expected.size or found.tobytes() != expected.tobytes():
            print(f"{name}: expected {expected.size} {list(expected.getdata())[:3]}, "
                  f"found {found.size} {list(found.getdata())[:3]}")
            bad += 1
    print(f"{compared} pictures compared with Pillow {Image.__version__}, {bad} faults")
    return 1 if bad or compared < 200 else 0


if __name__ == "__main__":
    sys.exit(main())
