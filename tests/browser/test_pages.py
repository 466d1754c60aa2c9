#!/usr/bin/env python3
"""The pages of all models, and of one with too much of everything, opened in headless Chromium: no text is clipped, none lies on another, what
stands in a box stays in it, and a screenshot shows something, on light paper and on dark. Usage:
test_pages.py CYGNET REPOSITORY [DIRECTORY FOR SCREENSHOTS]"""
# MOD-026

import concurrent.futures
import glob
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

ROWS = 600  # of a screenshot, which are looked at

# Runs in the page and leaves its findings in an element. Letters may touch; more than 1 pixel in both
# directions is an overlap.
SCRIPT = """<script>
addEventListener('load', () => {
  const found = [], name = e => e.textContent.slice(0, 40);
  let texts = 0;
  for (const svg of document.querySelectorAll('svg')) {
    const paper = svg.getBoundingClientRect();
    const all = [...svg.querySelectorAll('text')].map(e => [e, e.getBoundingClientRect()]);
    const boxes = [...svg.querySelectorAll('rect.box')].map(e => e.getBoundingClientRect());
    texts += all.length;
    const inside = (a, b) => a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom;
    all.forEach(([e, r], i) => {
      if (!inside(r, paper)) found.push('clipped: ' + name(e));
      if (r.width === 0) found.push('not drawn: ' + name(e));
      if (e.classList.contains('inside') && !boxes.some(b => inside(r, b)))
        found.push('outside its box: ' + name(e));
      for (let j = 0; j < i; j++) {
        const [f, s] = all[j];
        if (Math.min(r.right, s.right) - Math.max(r.left, s.left) > 1 &&
            Math.min(r.bottom, s.bottom) - Math.max(r.top, s.top) > 1)
          found.push('overlap: ' + name(e) + ' / ' + name(f));
      }
    });
    if (svg.parentElement.scrollWidth > svg.parentElement.clientWidth)
      found.push('wider than the page: ' + svg.querySelector('title').textContent);
  }
  for (const e of document.querySelectorAll('p,dt,dd,li,h1,h2,h3,figcaption'))
    if (e.scrollWidth > e.clientWidth + 1) found.push('wider than the page: ' + name(e));
  const out = document.createElement('pre');
  out.id = 'findings';
  out.textContent = JSON.stringify({texts, found});
  document.body.append(out);
});
</script>"""


def chromium(page, *arguments):
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
             "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}",
             "--window-size=1000,3000", *arguments, "file://" + page],
            capture_output=True, text=True, timeout=120, check=True).stdout


def examine(page):
    """What the script found wrong, and how many texts it looked at."""
    with open(page) as file:
        html = file.read()
    with tempfile.NamedTemporaryFile("w", suffix=".html") as copy:
        copy.write(html.replace("</body>", SCRIPT + "</body>"))
        copy.flush()
        dom = chromium(copy.name, "--dump-dom")
    result = re.search(r'<pre id="findings">(.*?)</pre>', dom, re.S)
    if result is None:
        raise SystemExit(f"{page}: the script did not run")
    text = result[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return json.loads(text)


def pixels(path):
    """Width, octets a pixel and the first rows of an 8-bit RGB or RGBA picture, not interlaced."""
    with open(path, "rb") as file:
        data = file.read()
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    size = {2: 3, 6: 4}[kind]
    assert depth == 8
    at, packed = 8, b""
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at:at + 8])
        if name == b"IDAT":
            packed += data[at + 8:at + 8 + length]
        at += 12 + length
    raw, stride = zlib.decompress(packed), width * size
    rows, before = [], bytearray(stride)
    for y in range(min(height, ROWS)):
        kind, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for x in range(stride) if kind else ():
            left, up = row[x - size] if x >= size else 0, before[x]
            corner = before[x - size] if x >= size else 0
            if kind == 4:
                guess = min((left, up, corner),
                            key=lambda v, p=left + up - corner: abs(p - v))
            else:
                guess = (left, up, (left + up) // 2)[kind - 1]
            row[x] = (row[x] + guess) & 255
        rows.append(bytes(row))
        before = row
    return width, size, rows


def brightness(path):
    """Of the corner, which is paper, and of how many pixels are something else in a hundred."""
    width, size, rows = pixels(path)
    paper, other = rows[0][:3], 0
    for row in rows[::4]:
        other += sum(row[x:x + 3] != paper for x in range(0, width * size, 4 * size))
    return sum(paper) / 3, 1600 * other / (width * len(rows))


def wrong_with(cygnet, model, shots):
    name = os.path.basename(model)[:-len(".model")]
    page = os.path.join(shots, name + ".html")
    with open(page, "w") as file:
        subprocess.run([cygnet, "model", "render", "--to", "html", model], stdout=file, check=True)
    result = examine(page)
    wrong = result["found"]
    if result["texts"] < 20:
        wrong.append(f"only {result['texts']} texts in the drawings")
    for scheme, preferred, lowest, highest in (("light", 1, 200, 255), ("dark", 0, 0, 60)):
        shot = os.path.join(shots, f"{name}-{scheme}.png")
        chromium(page, f"--screenshot={shot}", f"--blink-settings=preferredColorScheme={preferred}")
        paper, drawn = brightness(shot)
        if not lowest <= paper <= highest:
            wrong.append(f"paper of brightness {paper:.0f} in the {scheme} scheme")
        if drawn < 1:
            wrong.append(f"nothing to see in the {scheme} scheme")
    return name, wrong


def self_test(shots):
    """The script does find what it is for."""
    page = os.path.join(shots, "bad.html")
    with open(page, "w") as file:
        file.write("<body><svg width=100 height=50><text x=90 y=20>clipped</text><text x=5 y=20>one</text>"
                   "<text x=8 y=22>two</text></svg></body>")
    found = " ".join(examine(page)["found"])
    assert "clipped: clipped" in found and "overlap: two / one" in found, found


def main():
    cygnet, repository = map(os.path.abspath, sys.argv[1:3])
    if shutil.which("chromium") is None:
        sys.exit("chromium is missing: run 'sudo make deps'")
    models = sorted(glob.glob(os.path.join(repository, "docs/models/*.model")))
    failed = len(models) == 0
    models.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "crowded.model"))
    with tempfile.TemporaryDirectory() as scratch:
        shots = sys.argv[3] if len(sys.argv) > 3 else scratch
        self_test(shots)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for name, wrong in pool.map(lambda model: wrong_with(cygnet, model, shots), models):
                print(f"{name}: {'; '.join(wrong) or 'good'}")
                failed |= bool(wrong)
    sys.exit(failed)


if __name__ == "__main__":
    main()
