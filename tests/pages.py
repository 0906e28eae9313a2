#!/usr/bin/env python3
"""The pages in a real Chromium against a real server, point by point.

    python3 tests/pages.py target/release/imgsrv [--screenshots docs/images] [scene ...]

Wants /usr/bin/chromium (tests/interop.sh installs it) and imgcli beside imgsrv. Playwright, axe-core and Pillow go into a virtual
environment under target/. With --screenshots the pictures of docs/ are made anew.
"""
import base64
import contextlib
import importlib.resources
import io
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile

from clients import PHOTO, inside_venv, server

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PROGRAM = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
SETTINGS = {"width": "160", "format": "webp", "quality": "70"}

# Notes what the policy blocks, which must be nothing.
WATCH = """
    window.blocked = [];
    document.addEventListener("securitypolicyviolation", (event) => window.blocked.push(`${event.violatedDirective} ${event.blockedURI}`));
"""

# Gives files to the page as a drop or a paste does.
HAND_OVER = """
    async ([kind, files]) => {
        const transfer = new DataTransfer();
        for (const [name, type, text] of files) {
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            transfer.items.add(new File([bytes], name, { type }));
        }
        const event = kind === "drop" ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
                                      : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true });
        return document.body.dispatchEvent(event);
    }
"""


def imgcli(*arguments):
    subprocess.run([PROGRAM.parent / "imgcli", "--local", *arguments], check=True, stdout=subprocess.DEVNULL)


def locally(image, out, **options):
    """The result of imgcli, in process, for the same options as the page sends."""
    options = {"width": "0", "height": "0", **options}
    out.unlink(missing_ok=True)  # imgcli overwrites nothing
    imgcli(image, "-o", out, *(part for key, value in options.items() for part in (f"--{key.replace('_', '-')}", value)))
    return out.read_bytes()


class Pictures:
    """The pictures of all scenes, made from the painted one."""

    def __init__(self, folder):
        self.folder = folder
        self.many = []
        for n in range(49):
            path = folder / f"picture-{n:02}.jpg"
            locally(PHOTO, path, width=str(200 + 2 * n), quality="95")
            self.many.append(path)
        self.broken = folder / "broken.jpg"
        self.broken.write_bytes(b"\xff\xd8\xff\xe0 this is no picture")
        self.large = folder / "large.png"
        imgcli(PHOTO, "-o", self.large, "--width", "2400", "--height", "0", "--format", "png")
        self.tiff = folder / "scan.tiff"
        locally(PHOTO, self.tiff, width="300", format="tiff")
        self.clear = folder / "clear.png"
        locally(PHOTO, self.clear, crop="0,0,1600,600", fit="contain", width="400", height="400", background="#00000000", format="png")
        self.tiny = folder / "tiny.png"
        locally(PHOTO, self.tiny, width="2", height="2", format="png")
        self.located = folder / "located.jpg"
        self._locate()
        self.album = folder / "album"
        (self.album / "inner").mkdir(parents=True)
        for n, path in enumerate(self.many[:4]):
            (self.album / ("inner" if n % 2 else ".") / path.name).write_bytes(path.read_bytes())
        (self.album / "notes.txt").write_text("no picture")

    def _locate(self):
        from PIL import Image

        exif = Image.Exif()
        exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 0.0), 3: "E", 4: (13.0, 24.0, 0.0)})
        Image.open(self.many[0]).save(self.located, exif=exif)


class Scene:
    """One browser context with a page on the server."""

    def __init__(self, browser, url, **context):
        self.context = browser.new_context(accept_downloads=True, viewport={"width": 1440, "height": 900}, **context)
        self.context.add_init_script(WATCH)
        self.page = self.context.new_page()
        self.errors = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text) if "Content Security" in message.text else None)
        self.url = url

    def open(self, hash="", wait=True):
        self.page.goto(f"{self.url}/{hash}")
        if wait:
            self.page.wait_for_selector("html[data-ready]")
        return self.page

    def choose(self, *paths):
        self.page.set_input_files("#files", [str(path) for path in paths])

    def hand_over(self, kind, *paths, type="image/jpeg"):
        files = [[path.name, type, base64.b64encode(path.read_bytes()).decode()] for path in paths]
        return self.page.evaluate(HAND_OVER, [kind, files])

    def all_done(self, total, failed=0, timeout=60_000):
        self.page.wait_for_selector(f"#total:text-is('{total} picture{'s' if total != 1 else ''}')", timeout=timeout)
        self.page.wait_for_selector("#stop", state="hidden", timeout=timeout)
        assert self.text("#total-failed") == (f"{failed} failed" if failed else ""), self.text("#total-failed")

    def until(self, expression, timeout=30_000):
        """Waits until an expression is true. Playwright's own way to wait is blocked by the page's policy."""
        end = time.monotonic() + timeout / 1000
        while not self.page.evaluate(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            self.page.wait_for_timeout(50)

    def text(self, selector):
        return self.page.inner_text(selector).replace("\xa0", " ")

    def row(self, name):
        return self.page.locator(".row", has_text=name)

    def end(self):
        assert not self.errors, self.errors
        assert self.page.evaluate("window.blocked") == [], "blocked by the policy"
        self.context.close()

    def download(self, click):
        with self.page.expect_download() as waiting:
            click()
        download = waiting.value
        return download.suggested_filename, pathlib.Path(download.path()).read_bytes()


def fifty_with_a_broken_one(scene, pictures):
    """Fifty pictures, one broken: rows, totals, retry, the zip byte for byte as imgcli makes it."""
    page = scene.open("#" + "&".join(f"{key}={value}" for key, value in SETTINGS.items()))
    assert page.is_visible(".hero") and not page.is_visible(".viewer"), "nothing is chosen yet"
    # Chromium's dialog for files is the system's; without it the page falls back to a download.
    page.evaluate("delete window.showSaveFilePicker")
    scene.choose(*pictures.many[:2], pictures.broken, *pictures.many[2:])
    scene.all_done(50, failed=1)
    assert scene.row("broken.jpg").get_attribute("data-state") == "failed"
    assert "→" in scene.row("picture-00.jpg").locator(".row-detail").inner_text()
    assert re.match(r"−\d+ %", scene.row("picture-00.jpg").locator(".saved").inner_text())
    page.click("#retry-failed")
    scene.all_done(50, failed=1)
    name, zipped = scene.download(lambda: page.click("#download-all"))
    assert name == "pictures.zip"
    archive = zipfile.ZipFile(io.BytesIO(zipped))
    assert sorted(archive.namelist()) == sorted(f"{path.stem}.webp" for path in pictures.many)
    for path in pictures.many[::7]:
        ours = locally(path, pictures.folder / "expected.webp", **SETTINGS)
        assert archive.read(f"{path.stem}.webp") == ours, path
    page.click("#finish")
    said = scene.text("#finish-content")
    assert "49 pictures" in said and "webp 49" in said and "broken.jpg" in said, said
    page.click("#start-over")
    assert page.is_visible(".hero")


def streamed_zip(scene, pictures):
    """The zip goes straight into a file where the browser has the File System Access API."""
    page = scene.open("#width=100")
    # The private file system of the origin stands in for the system's dialog: the handle and its stream are real.
    page.evaluate("""() => {
        window.showSaveFilePicker = async ({ suggestedName }) =>
            (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true });
    }""")
    scene.choose(*pictures.many[:3])
    scene.all_done(3)
    page.click("#download-all")
    scene.until("document.getElementById('live').textContent.startsWith('All results')")
    text = page.evaluate("""async () => {
        const file = await (await (await navigator.storage.getDirectory()).getFileHandle("pictures.zip")).getFile();
        return btoa(String.fromCharCode(...new Uint8Array(await file.arrayBuffer())));
    }""")
    archive = zipfile.ZipFile(io.BytesIO(base64.b64decode(text)))
    assert archive.testzip() is None and len(archive.namelist()) == 3


def folder_drop_and_paste(scene, pictures):
    """A folder with its paths, a drop anywhere in the window, a paste, a TIFF that no browser shows."""
    page = scene.open()
    page.set_input_files("#folder", str(pictures.album))
    scene.all_done(4)
    assert page.locator("[title='album/inner/picture-01.jpg']").count() == 1
    assert "1 file left out" in scene.text("#live") or "done" in scene.text("#live")
    assert scene.hand_over("drop", pictures.many[5]) is False, "the browser must not open the file"
    scene.all_done(5)
    scene.hand_over("paste", pictures.many[6])
    scene.all_done(6)
    scene.choose(pictures.tiff)
    scene.all_done(7)
    scene.row("scan.tiff").locator(".row-main").click()
    scene.until("document.getElementById('before').naturalWidth === 300")
    scene.until("[...document.querySelectorAll('.row')].find((row) => row.textContent.includes('scan.tiff')).querySelector('img').naturalWidth > 0")


def own_settings(scene, pictures):
    """Settings of one picture over those of all; nothing is sent that is not set; passthrough shows."""
    page = scene.open("#width=120")
    sent = []
    page.on("request", lambda request: sent.append(request.url) if "/resize" in request.url else None)
    scene.choose(*pictures.many[:3])
    scene.all_done(3)
    assert {url.partition("?")[2] for url in sent} == {"width=120"}, sent
    scene.row("picture-01.jpg").locator(".row-main").click()
    page.check("[name=scope][value=one]", force=True)
    assert page.input_value("#option-width") == "120"
    page.fill("#option-width", "90")
    page.select_option("#option-format", "png")
    scene.until("document.getElementById('after-text').textContent.includes('png, 90')")
    scene.row("picture-00.jpg").locator(".row-main").click()
    scene.until("document.getElementById('after-text').textContent.includes('jpeg, 120')")
    page.check("[name=scope][value=all]", force=True)
    page.fill("#option-width", "110")
    scene.until("document.getElementById('after-text').textContent.includes('jpeg, 110')")
    scene.row("picture-01.jpg").locator(".row-main").click()
    scene.until("document.getElementById('after-text').textContent.includes('png, 90')")
    page.check("[name=scope][value=one]", force=True)
    page.click("#reset-all")
    scene.until("document.getElementById('after-text').textContent.includes('jpeg, 110')")
    page.check("[name=scope][value=all]", force=True)
    page.click("#reset-all")
    page.wait_for_selector("#notes:has-text('untouched')")
    assert "unchanged" in scene.text("#saved")
    assert sent[-1].partition("?")[2] == ""


def every_option_of_the_table(scene, pictures):
    """Each option of /options.json has a control; each operation can be added, with its parameters, as chips in order."""
    page = scene.open("#width=100")
    table = page.evaluate("fetch('options.json').then((response) => response.json())")
    shown = set(page.eval_on_selector_all("[id^=option-]", "all => all.map((one) => one.id.slice(7))"))
    missing = {option["name"] for option in table["options"]} - shown - {"quality", "target", "max_bytes", "ops"}
    assert not missing, missing
    scene.choose(pictures.many[0])
    scene.all_done(1)
    page.select_option("#add-operation", "blur")
    page.select_option("#add-operation", "sepia")
    page.fill("[aria-label='blur, value 1']", "3.5")
    page.click("[aria-label='sepia earlier']")
    scene.until("location.hash.includes('ops=sepia,blur:3.5')")
    page.click("[aria-label='Remove: sepia']")
    scene.until("location.hash.includes('ops=blur:3.5')")
    page.wait_for_selector("#stage[aria-busy=false]")
    _, result = scene.download(lambda: page.click("#result-side .primary"))
    assert result == locally(pictures.many[0], pictures.folder / "blurred.jpg", width="100", ops="blur:3.5")
    page.click("label:has([value=max_bytes])")
    page.fill("#quality-bytes", "2k")
    scene.until("location.hash.includes('max_bytes=2k')")
    scene.until("/ [\\d.]+.(k?B)/.test(document.getElementById('after-text').textContent)")
    scene.all_done(1)
    _, result = scene.download(lambda: page.click("#result-side .primary"))
    assert len(result) <= 2000
    page.click("#looks-the-same")
    page.wait_for_selector("#after-text:has-text('SSIMULACRA2')")
    page.select_option("#preset", "builtIn:Thumbnail")
    scene.until("location.hash.includes('gravity=smart')")
    page.click("#preset-save")
    page.fill("#preset-name", "Mine")
    page.keyboard.press("Enter")
    address = page.url
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.url == address and page.input_value("#option-gravity") == "smart", "the address holds the settings"
    page.evaluate("document.body.classList.add('has-pictures')")
    page.select_option("#preset", "builtIn:As it is")
    page.select_option("#preset", "own:Mine")
    assert page.input_value("#option-gravity") == "smart"
    page.select_option("#preset", "server:shop")
    scene.until("location.hash === '#preset=shop'")
    page.evaluate("document.body.classList.remove('has-pictures')")
    scene.choose(pictures.many[0])
    page.wait_for_selector("#after-text:has-text('77 × ')")


def look_closely(scene, pictures):
    """The slider by keyboard, zoom and pan of both pictures, checkerboard, facts of the source, copy, drag out."""
    scene.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = scene.open("#width=200&format=png")
    scene.choose(pictures.located, pictures.clear)
    scene.all_done(2)
    page.wait_for_selector(".stage.has-result")
    page.focus("#split")
    clip = "getComputedStyle(document.querySelector('.layer-after')).clipPath"
    assert "50%" in page.evaluate(clip)
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert "55%" in page.evaluate(clip), page.evaluate(clip)
    page.keyboard.press("Home")
    assert page.input_value("#split") == "0" and page.get_attribute("#split", "aria-label")
    page.focus("#stage")
    page.keyboard.press("1")
    boxes = "['before', 'after'].map((id) => { const { x, y, width } = document.getElementById(id).getBoundingClientRect(); return [x, y, width].map(Math.round); })"
    before, after = page.evaluate(boxes)
    assert before == after and before[2] == 200, (before, after)
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    moved_before, moved_after = page.evaluate(boxes)
    assert moved_before == moved_after and moved_before[2] == 300 and moved_before != before, (moved_before, before)
    box = page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.wheel(0, -400)
    assert page.evaluate(boxes)[0][2] > 300
    page.keyboard.press("0")
    assert scene.text("#zoom-text") == "100 %"
    page.click("#facts summary")
    page.wait_for_selector(".warned:has-text('GPS')")
    page.click("#copy-result")
    page.wait_for_selector("#copy-result:has-text('Copied')")
    copied = page.evaluate("""async () => {
        const [item] = await navigator.clipboard.read();
        const bitmap = await createImageBitmap(await item.getType("image/png"));
        return [bitmap.width, bitmap.height];
    }""")
    assert copied == [200, 150], copied
    dragged = page.evaluate("""() => {
        const event = new DragEvent("dragstart", { dataTransfer: new DataTransfer(), bubbles: true, cancelable: true });
        document.querySelector(".row-main").dispatchEvent(event);
        return event.dataTransfer.getData("DownloadURL");
    }""")
    assert re.match(r"image/png:located\.png:blob:", dragged), dragged
    scene.row("clear.png").locator(".row-main").click()
    page.wait_for_selector("#after-text:has-text('200 × 200')")
    assert "conic-gradient" in page.evaluate("getComputedStyle(document.getElementById('after')).backgroundImage")


def several_results(scene, pictures):
    """Several widths and formats of one picture, their names, the HTML for them."""
    page = scene.open("#widths=80,160&formats=webp,jpeg")
    page.evaluate("delete window.showSaveFilePicker")
    scene.choose(pictures.many[0])
    scene.all_done(1)
    assert page.locator("#which-result option").count() == 4
    scene.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("#copy-snippet")
    html = page.evaluate("navigator.clipboard.readText()")
    assert '<source type="image/webp" srcset="picture-00-160w.webp 160w, picture-00-80w.webp 80w"' in html, html
    assert '<img src="picture-00-160w.jpg"' in html, html
    name, zipped = scene.download(lambda: page.click("#result-side .primary"))
    names = zipfile.ZipFile(io.BytesIO(zipped)).namelist()
    assert name == "picture-00.zip" and sorted(names) == sorted(f"picture-00-{w}w.{s}" for w in (80, 160) for s in ("webp", "jpg"))


def eight_operations(scene, pictures):
    """The eight operations of the replaced app: one click for all, and for one picture."""
    page = scene.open("#width=64")
    scene.choose(*pictures.many[:2])
    scene.all_done(2)
    for name in ["edges", "invert", "corners", "sift", "denoise", "erode", "dilate", "equalize"]:
        page.click(f"[data-operation={name}]")
        page.wait_for_selector(f"[data-operation={name}][aria-pressed=true]")
        scene.until(f"location.hash.includes('ops={name}')")
        page.click(f"[data-operation={name}]")
        scene.until("!location.hash.includes('ops=')")
    page.check("[name=scope][value=one]", force=True)
    page.click("[data-operation=equalize]")
    page.wait_for_timeout(1000)  # the others follow later, if they did
    scene.all_done(2)
    page.click("#finish")
    assert "Histogram equalization 1" in scene.text("#finish-content"), scene.text("#finish-content")
    page.keyboard.press("Escape")
    _, result = scene.download(lambda: page.click("#result-side .primary"))
    assert result == locally(pictures.many[0], pictures.folder / "equal.jpg", width="64", ops="equalize")


def code_for_what_is_set(scene, pictures):
    """The curl, Python and imgcli that the page shows give the page's own bytes."""
    page = scene.open("#width=140&format=webp&quality=60&ops=grayscale,blur:1.5")
    scene.choose(pictures.many[0])
    scene.all_done(1)
    _, ours = scene.download(lambda: page.click("#result-side .primary"))
    page.click("#show-code")

    def shown(language):
        page.check(f"[name=language][value={language}]", force=True)
        return page.inner_text("#code-text")

    out = pictures.folder / "picture-00-small.webp"
    for command in [shown("curl"), shown("imgcli").replace("imgcli", f"{shlex.quote(str(PROGRAM.parent / 'imgcli'))} --local", 1)]:
        out.unlink(missing_ok=True)
        subprocess.run(command, shell=True, check=True, cwd=pictures.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert out.read_bytes() == ours, command
    out.unlink()
    subprocess.run([sys.executable, "-c", shown("python")], check=True, cwd=pictures.folder)
    assert out.read_bytes() == ours
    assert "URLSearchParams" in shown("javascript") and shown("url").startswith(scene.url)


def quality_curve(scene, pictures):
    """The curve has points of both formats with their scores, and a point can be used."""
    page = scene.open("#width=160")
    scene.choose(pictures.many[0])
    scene.all_done(1)
    page.click("#curve summary")
    page.click("#curve-draw")
    scene.until("document.querySelectorAll('#curve-chart circle').length >= 8 && document.getElementById('curve-state').textContent === ''", timeout=60_000)
    labels = page.eval_on_selector_all("#curve-chart circle", "all => all.map((one) => one.getAttribute('aria-label'))")
    points = [re.match(r"(\w+), quality (\d+): .*SSIMULACRA2 ([\d.]+)", label).groups() for label in labels]
    assert {format for format, _, _ in points} == {"jpeg", "webp"}, labels
    for format in ("jpeg", "webp"):
        scores = [float(score) for one, quality, score in sorted(points, key=lambda p: int(p[1])) if one == format]
        assert scores == sorted(scores), (format, scores)
    page.locator("#curve-chart circle").first.focus()
    page.keyboard.press("Enter")
    scene.until("/format=(jpeg|webp)&quality=\\d+/.test(location.hash)")


def tasks_and_health(scene, pictures):
    """The list handed in as tasks, their history by events, a result fetched; the strip shows the server."""
    page = scene.open("#width=130")
    scene.choose(*pictures.many[:3])
    scene.all_done(3)
    page.click("#show-tasks")
    page.click("#send-tasks")
    page.wait_for_selector("#tasks-state:has-text('3 pictures sent')")
    scene.until("document.querySelectorAll('.task-state.done').length === 3", timeout=30_000)
    name, result = scene.download(lambda: page.locator("#tasks-body tr", has_text="picture-00.jpg").locator("[aria-label^=Download]").click())
    assert name == "picture-00.jpg" and result == locally(pictures.many[0], pictures.folder / "task.jpg", width="130")
    page.locator("#tasks-body tr", has_text="picture-00.jpg").locator("[aria-label^=Remove]").click()
    scene.until("document.querySelectorAll('#tasks-body tbody tr').length === 2")
    page.keyboard.press("Escape")
    page.wait_for_selector("#health:has-text('p99')")
    strip = scene.text("#health")
    assert "working" in strip and "images/s" in strip and "reserved" in strip, strip


def slow_network(scene, pictures):
    """On a slow line the progress of the upload shows, and a cancelled picture can be tried again."""
    page = scene.open("#width=100")
    slow = scene.context.new_cdp_session(page)
    slow.send("Network.enable")
    size = pictures.large.stat().st_size
    slow.send("Network.emulateNetworkConditions", {"offline": False, "latency": 50, "downloadThroughput": 1e6, "uploadThroughput": size / 6})
    scene.choose(pictures.large)
    scene.until("/sending [1-9]\\d? %/.test(document.querySelector('.row-detail').textContent)", timeout=20_000)
    scene.row("large.png").hover()
    page.click("[aria-label='Cancel: large.png']")
    page.wait_for_selector(".row[data-state=cancelled]")
    slow.send("Network.emulateNetworkConditions", {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1})
    page.click("[aria-label='Try again: large.png']")
    scene.all_done(1)


def ten_thousand(scene, pictures):
    """Ten thousand files at once: few rows exist, the end is reached, the page answers all the time."""
    page = scene.open("#width=16")
    longest = page.evaluate("""async (text) => {
        const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
        const transfer = new DataTransfer();
        for (let n = 0; n < 10000; n++) transfer.items.add(new File([bytes], `file-${n}.png`, { type: "image/png" }));
        let longest = 0;
        let last = performance.now();
        let goes = true;
        (function frame(now) {
            longest = Math.max(longest, now - last);
            last = now;
            if (goes) requestAnimationFrame(frame);
        })(last);
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        await new Promise((resolve) => setTimeout(resolve, 3000));
        const rows = document.getElementById("rows");
        rows.scrollTop = rows.scrollHeight;
        await new Promise((resolve) => setTimeout(resolve, 500));
        goes = false;
        return longest;
    }""", base64.b64encode(pictures.tiny.read_bytes()).decode())
    assert longest < 5000, f"frozen for {longest} ms"
    assert page.locator(".row").count() < 60
    assert page.locator("[aria-posinset='10000']").count() == 1
    assert "of 10,000 pictures" in scene.text("#total")
    page.click("#stop")
    page.wait_for_selector("#stop", state="hidden")


def phone_dark_and_reading_aloud(scene, pictures):
    """At 375 px the result comes before the options; dark; no motion; axe-core finds nothing in any state."""
    axe = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()
    page = scene.page

    def check(state):
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        assert not found, (state, json.dumps([[one["id"], [node["html"][:200] + str(node["any"][:1] or node["all"][:1]) for node in one["nodes"]]] for one in found], indent=1))

    scene.open("#width=200&ops=blur:2")
    check("empty")
    scene.choose(*pictures.many[:3], pictures.broken)
    scene.all_done(4, failed=1)
    page.wait_for_selector(".stage.has-result")
    page.evaluate("document.querySelectorAll('details.group').forEach((group) => (group.open = true))")
    page.click("#facts summary")
    page.wait_for_selector("#facts-list dd")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.wait_for_timeout(300)
        check(f"work, {scheme}")
        for opens, dialog in [("#finish", "finish"), ("#show-code", "code"), ("#show-tasks", "tasks"), ("#preset-save", "preset")]:
            page.click(opens)
            page.wait_for_timeout(200)
            check(f"{dialog}, {scheme}")
            page.keyboard.press("Escape")
    colours = "['body', '.viewer'].map((one) => getComputedStyle(document.querySelector(one)).backgroundColor)"
    dark = page.evaluate(colours)
    page.emulate_media(color_scheme="light")
    assert dark != page.evaluate(colours)
    page.click("#theme")
    assert page.evaluate(colours) == dark
    assert page.evaluate("getComputedStyle(document.querySelector('.busy-bar')).animationName") == "none"
    for width in (375, 320):
        page.set_viewport_size({"width": width, "height": 812})
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"wider than {width} px"
        tops = page.evaluate("['.viewer', '.pictures', '.settings'].map((one) => document.querySelector(one).getBoundingClientRect().top)")
        assert tops == sorted(tops), tops
        check(f"{width} px")
    page.set_viewport_size({"width": 3840, "height": 2160})
    page.wait_for_timeout(300)
    check("4K")
    page.goto(f"{scene.url}/docs")
    page.wait_for_selector("details")
    paths = page.inner_text("main")
    for path in ["/resize", "/pipeline/{operations}", "/status/{task_id}", "/RPC2"]:
        assert path in paths, path
    page.locator("#resize summary").click()
    page.emulate_media(color_scheme="light")
    check("docs")


def endpoints_to_read_and_send(scene, pictures):
    """The page of endpoints: groups, anchors, filter, curl, and sending a file."""
    page = scene.page
    page.goto(f"{scene.url}/docs#thumbnail")
    page.wait_for_selector("html[data-ready]")
    assert page.eval_on_selector("#thumbnail", "one => one.open"), "the anchor opens its endpoint"
    assert page.locator("main h2").count() == page.locator("#groups a").count() == 4
    shown = "[...document.querySelectorAll('#endpoints details')].filter((one) => one.checkVisibility()).map((one) => one.id)"
    page.fill("#filter", "deadline_ms upload")
    assert page.evaluate(shown) == ["submitTask"], page.evaluate(shown)
    page.fill("#filter", "no such thing")
    assert page.evaluate(shown) == [] and page.is_visible("#nothing")
    page.fill("#filter", "")
    resize = page.locator("#resize")
    resize.locator("summary").click()
    resize.get_by_role("button", name="Send").click()
    assert "Choose a file" in resize.locator(".sent").inner_text()
    scene.page.set_input_files("#file", str(pictures.many[3]))
    resize.get_by_label("width", exact=True).fill("64")
    resize.get_by_label("format", exact=True).select_option("png")
    resize.get_by_label("ops", exact=True).fill("grayscale,blur:2")
    curl = resize.locator(".curl").inner_text()
    assert shlex.split(curl)[-1] == "result" and f"@{pictures.many[3].name}" in curl, curl
    resize.get_by_role("button", name="Send").click()
    resize.locator(".sent img").wait_for()
    scene.until("document.querySelector('#resize .sent img').naturalWidth === 64")
    # The line of curl gets as many bytes.
    done = subprocess.run(shlex.split(curl)[:-2], capture_output=True, cwd=pictures.folder, check=True).stdout
    assert f"{len(done)} bytes" in resize.locator(".sent p").first.inner_text()
    resize.get_by_label("quality", exact=True).fill("101")
    resize.get_by_role("button", name="Send").click()
    assert resize.locator("input:invalid").count() == 1, "the browser checks the range"
    page.locator("#getInfo summary").click()
    page.locator("#getInfo").get_by_role("button", name="Send").click()
    scene.until("document.querySelector('#getInfo .sent pre')?.textContent.includes('\"jpeg\"')")
    page.locator("#getTask summary").click()
    page.locator("#getTask").get_by_label("task_id", exact=True).fill("0" * 32)
    page.locator("#getTask").get_by_role("button", name="Send").click()
    scene.until("document.querySelector('#getTask .sent .failed')?.textContent.startsWith('404')")
    for width in (375, 1440):
        page.set_viewport_size({"width": width, "height": 812})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"wider than {width} px"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def server_at(port, *flags):
    command = [PROGRAM, "--bind", "127.0.0.1:0", "--http", f"127.0.0.1:{port}", "-qq", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert "http on" in process.stdout.readline()
        yield process
    finally:
        process.terminate()
        process.wait(30)


def server_gone_and_back(browser, pictures):
    """The server is killed in the middle: nothing is lost, and the page says when it is back."""
    port = free_port()
    with server_at(port) as process:
        scene = Scene(browser, f"http://127.0.0.1:{port}")
        page = scene.open("#width=700&format=webp&effort=smallest&enlarge=true")
        scene.choose(*pictures.many)
        page.wait_for_selector(".row[data-state=done]")
        process.send_signal(signal.SIGKILL)
        page.wait_for_selector("#banner:has-text('does not answer')", timeout=20_000)
        page.wait_for_timeout(1500)
    with server_at(port):
        page.click("#try-now")
        page.wait_for_selector("#banner:has-text('is back')", timeout=40_000)
        scene.all_done(49, timeout=120_000)
        scene.end()


def token_asked_for(browser, pictures):
    """Where tokens are in use the field appears, focused; a wrong one is told, the right one lets all go on."""
    tokens = pictures.folder / "tokens"
    tokens.touch(0o600)
    tokens.write_text("page:right-token-0123456789abcdef\n")
    with server(PROGRAM, "--token-file", tokens) as address:
        scene = Scene(browser, f"http://{address}")
        page = scene.open()
        page.wait_for_selector("#token")
        assert page.evaluate("document.activeElement.id") == "token"
        scene.choose(pictures.many[0])
        page.fill("#token", "wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("#banner:has-text('refused')")
        page.fill("#token", "right-token-0123456789abcdef")
        page.keyboard.press("Enter")
        scene.all_done(1)
        assert not page.is_visible("#token")
        scene.end()


def busy_server(browser, pictures):
    """A server with one worker and a queue of one refuses; the page waits as told, and all are done."""
    with server(PROGRAM, "--workers", "1", "--queue", "1", "--queue-timeout", "200ms") as address:
        scene = Scene(browser, f"http://{address}")
        answers = []
        scene.page.on("response", lambda response: answers.append(response.status) if "/resize" in response.url else None)
        scene.open("#width=900&format=webp&effort=smallest&enlarge=true")
        scene.choose(*pictures.many[:12])
        scene.all_done(12, timeout=120_000)
        assert 503 in answers and answers.count(200) >= 12, answers
        scene.end()


def opened_by_the_server(browser, pictures):
    """`imgsrv --open` hands the page's address to the system's opener, outside the sandbox."""
    opener = pictures.folder / "bin" / "xdg-open"
    opener.parent.mkdir()
    told = pictures.folder / "told"
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {told}.new && mv {told}.new {told}\n')
    opener.chmod(0o755)
    command = [PROGRAM, "--open", "--bind", "127.0.0.1:0", "--http", "0.0.0.0:0", "--insecure", "-qq"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PATH": f"{opener.parent}:/usr/bin:/bin"})
    try:
        end = time.monotonic() + 30
        while not told.exists():
            assert time.monotonic() < end, "nothing was opened"
            time.sleep(0.05)
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", told.read_text()), told.read_text()
        scene = Scene(browser, told.read_text().rstrip("/"))
        assert scene.open().is_visible(".hero")
        scene.end()
    finally:
        process.terminate()
        assert process.wait(30) == 0


def screenshots(browser, url, pictures, folder):
    """The pictures of docs/: light, dark, phone."""
    for name, context in {
        "light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
        "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
        "phone": {"viewport": {"width": 375, "height": 812}, "color_scheme": "light", "device_scale_factor": 2},
    }.items():
        scene = Scene(browser, url)
        scene.context.close()
        scene.context = browser.new_context(**context)
        scene.page = scene.context.new_page()
        page = scene.open("#width=1200&format=webp&quality=60" + ("&ops=sepia" if name == "dark" else ""))
        shots = pictures.folder / "shots"
        shots.mkdir(exist_ok=True)
        paths = []
        for shot, ops in [("ridge", None), ("dawn", "hue:-25"), ("dusk", "hue:200"), ("fog", "contrast:-40"), ("ink", "grayscale"), ("moss", "saturation:-40")]:
            path = shots / f"{shot}.png"
            if not path.exists():
                locally(PHOTO, path, format="png", **({"ops": ops} if ops else {}))
            paths.append(path)
        scene.choose(*paths)
        scene.all_done(6)
        page.wait_for_selector(".stage.has-result")
        page.wait_for_timeout(4000)  # for the second reading of the strip
        made = pictures.folder / f"page-{name}.png"
        page.screenshot(path=made)
        imgcli(made, "-o", folder / f"page-{name}.webp", "--width", "0", "--height", "0", "--format", "webp", "--quality", "88")
        scene.context.close()
        print("made", folder / f"page-{name}.webp")


SHARED = [
    fifty_with_a_broken_one, streamed_zip, folder_drop_and_paste, own_settings, every_option_of_the_table, look_closely,
    several_results, eight_operations, code_for_what_is_set, quality_curve, tasks_and_health, slow_network, ten_thousand,
    phone_dark_and_reading_aloud, endpoints_to_read_and_send,
]  # fmt: skip
ALONE = [server_gone_and_back, token_asked_for, busy_server, opened_by_the_server]


def main():
    from playwright.sync_api import sync_playwright

    arguments = sys.argv[2:]
    folder = pathlib.Path(arguments.pop(arguments.index("--screenshots") + 1)) if "--screenshots" in arguments else None
    wanted = {argument for argument in arguments if not argument.startswith("--")}
    with tempfile.TemporaryDirectory() as work, sync_playwright() as playwright:
        work = pathlib.Path(work)
        pictures = Pictures(work)
        config = work / "imgsrv.toml"
        config.write_text("[preset.shop]\nwidth = 77\n")
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        with server(PROGRAM, "--config", config, "--data-dir", work / "tasks") as address:
            for play in SHARED:
                if wanted and play.__name__ not in wanted or folder and not wanted:
                    continue
                scene = Scene(browser, f"http://{address}")
                play(scene, pictures)
                scene.end()
                print("ok", play.__name__, flush=True)
            if folder:
                screenshots(browser, f"http://{address}", pictures, folder)
        for play in ALONE:
            if wanted and play.__name__ not in wanted or folder and not wanted:
                continue
            play(browser, pictures)
            print("ok", play.__name__, flush=True)
        browser.close()


if __name__ == "__main__":
    try:
        import axe_playwright_python  # noqa: F401
        import PIL  # noqa: F401
        import playwright.sync_api  # noqa: F401
    except ImportError:
        inside_venv(__file__, ["playwright", "axe-playwright-python", "Pillow"], sys.argv[1:])
    main()
