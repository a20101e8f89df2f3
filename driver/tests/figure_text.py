#!/usr/bin/env python3
"""figure_text.py SVG...: can each figure be read? Its texts lie in the canvas and do not overlap one another, nor the
samples of the legend; the curves of the legend differ without colour, by dash or mark.

The width of a text is that of its letters in the font file (tables cmap and hmtx of OpenType), so nothing has to be
installed but the font. Exit status: 0 good, 1 a figure is wrong, 2 wrong words or files.
"""
import functools
import re
import struct
import subprocess
import sys
import xml.etree.ElementTree as xml

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
CAPITAL, BELOW = 0.72, 0.21  # of the size: height of capitals, depth of the letters that hang


@functools.lru_cache
def font_widths(family):
    """{code of a letter: width / size} of a font."""
    path = subprocess.run(["fc-match", "-f", "%{file}", family], capture_output=True, text=True, check=True).stdout
    with open(path, "rb") as file:
        data = file.read()
    tables = {data[at:at + 4]: struct.unpack(">I", data[at + 8:at + 12])[0]
              for at in range(12, 12 + 16 * struct.unpack(">H", data[4:6])[0], 16)}
    units = struct.unpack(">H", data[tables[b"head"] + 18:tables[b"head"] + 20])[0]
    metrics = struct.unpack(">H", data[tables[b"hhea"] + 34:tables[b"hhea"] + 36])[0]
    cmap = tables[b"cmap"]
    for number in range(struct.unpack(">H", data[cmap + 2:cmap + 4])[0]):
        platform, _, offset = struct.unpack(">HHI", data[cmap + 4 + 8 * number:cmap + 12 + 8 * number])
        if platform == 3 and struct.unpack(">H", data[cmap + offset:cmap + offset + 2])[0] == 4:
            break
    else:
        raise ValueError("%s has no table of letters" % path)
    at = cmap + offset
    segments = struct.unpack(">H", data[at + 6:at + 8])[0] // 2

    def column(start, kind="H"):
        return struct.unpack(">%d%s" % (segments, kind), data[start:start + 2 * segments])
    ends, starts = column(at + 14), column(at + 16 + 2 * segments)
    deltas, ranges = column(at + 16 + 4 * segments, "h"), column(at + 16 + 6 * segments)
    widths = {}
    for k, (first, last, delta, jump) in enumerate(zip(starts, ends, deltas, ranges)):
        for code in range(first, min(last, 0x2fff) + 1):
            glyph = code + delta
            if jump:
                place = at + 16 + 6 * segments + 2 * k + jump + 2 * (code - first)
                glyph = struct.unpack(">H", data[place:place + 2])[0] + delta
            place = tables[b"hmtx"] + 4 * min(glyph % 65536, metrics - 1)
            widths[code] = struct.unpack(">H", data[place:place + 2])[0] / units
    return widths


def text_box(group, text):
    """(x0, y0, x1, y1) of a text in a group of gnuplot's, which says place, turn, font and anchor."""
    widths, size = font_widths(group.get("font-family")), float(group.get("font-size"))
    length = size * sum(widths.get(ord(letter), 0.6) for letter in text)
    x, y = (float(n) for n in re.match(r"translate\(([-\d.]+),([-\d.]+)\)", group.get("transform")).groups())
    begin = -length * {"start": 0, "middle": 0.5, "end": 1}[group.get("text-anchor")]
    if re.search(r"rotate\(270(\.0+)?\)", group.get("transform")):  # gnuplot 6 writes decimals
        return x - CAPITAL * size, y - begin - length, x + BELOW * size, y - begin
    if "rotate" in group.get("transform"):
        raise ValueError("a text is turned otherwise: %s" % group.get("transform"))
    return x + begin, y - CAPITAL * size, x + begin + length, y + BELOW * size


def texts_of(root):
    """[(text, box)] of all texts; a star marks a point and is none."""
    found = []
    for group in root.iter(SVG + "g"):
        text = "".join(part for node in group.findall(SVG + "text") for part in node.itertext()).strip()
        if text and text != "*":
            found.append((text, text_box(group, text)))
    return found


def legend_of(root):
    """[(name, line, dash, mark)] of the names above a plot; line: the ends of its sample, or None."""
    found = []
    for group in root.iter(SVG + "g"):
        title = group.find(SVG + "title")
        if title is None or title.text == group.get("id"):
            continue
        lines = [(path, re.fullmatch(r"M([\d.]+),([\d.]+) L([\d.]+),([\d.]+)\s*", path.get("d", ""))) for path in group.iter(SVG + "path")]
        lines = [(path, ends) for path, ends in lines if ends and ends.group(2) == ends.group(4)]
        use = group.find(".//" + SVG + "use")
        found.append((title.text, tuple(map(float, lines[0][1].groups())) if lines else None,
                      lines[0][0].get("stroke-dasharray", "") if lines else None, use.get(LINK) if use is not None else ""))
    return found


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def text_faults(path):
    """What is wrong with the texts and the legend of an SVG."""
    root = xml.parse(path).getroot()
    width, height = float(root.get("width")), float(root.get("height"))
    texts, legend = texts_of(root), legend_of(root)
    faults = [] if texts else ["holds no text"]
    for text, box in texts:
        if box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height:
            faults.append("'%s' lies outside the canvas" % text)
    boxes = texts + [("the sample of '%s'" % name, (line[0], line[1] - 1, line[2], line[3] + 1))
                     for name, line, _, _ in legend if line]
    for i, (text, box) in enumerate(boxes):
        faults += ["'%s' and '%s' overlap" % (text, other) for other, place in boxes[:i] if overlap(box, place)]
    curves = [(dash, mark) for _, line, dash, mark in legend if line and mark]
    if len(set(curves)) < len(curves):
        faults.append("two curves have the same dash and mark, so that a grey print shows no difference")
    return faults


def main():
    faults = 0
    try:
        for path in sys.argv[1:]:
            for fault in text_faults(path):
                print("figure_text: %s: %s" % (path, fault))
                faults += 1
    except (OSError, ValueError, KeyError, AttributeError, xml.ParseError, subprocess.CalledProcessError) as error:
        print("figure_text: %s" % error, file=sys.stderr)
        return 2
    print("figure_text: %d figures, %d faults" % (len(sys.argv) - 1, faults))
    return 1 if faults or len(sys.argv) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
