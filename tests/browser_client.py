#!/usr/bin/env python3
"""The JavaScript client in a real Chromium, on a page of another origin that the server admits.

    python3 tests/browser_client.py target/release/imgsrv

Wants /usr/bin/chromium. Playwright goes into a virtual environment under target/.
"""
import contextlib
import functools
import http.server
import pathlib
import sys
import tempfile
import threading

from clients import PHOTO, inside_venv, server

SOURCES = pathlib.Path(__file__).resolve().parents[1] / "clients" / "js" / "src"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

USE = """
    async ([address, bytes]) => {
        const { Client, BadRequest, Unreachable } = await import("/browser.js");
        const images = new Client(address, { retries: 1, backoff: 10 });
        const photo = new Blob([new Uint8Array(bytes)]);
        const small = await images.resize(photo, { width: 64, format: "webp", ops: ["grayscale"] });
        const decoded = await createImageBitmap(new Blob([small.data], { type: small.contentType }));
        const streamed = await images.stream(photo.stream(), { width: 32, format: "png" });
        const second = await createImageBitmap(await new Response(streamed.body).blob());
        const refused = await images.resize(photo, { wdth: 5 }).catch((error) => error);
        const away = await new Client("http://127.0.0.1:1", { retries: 0 }).resize(photo).catch((error) => error);
        const task = await images.submit(photo, { width: 16 });
        const done = await images.wait(task.id);
        const listed = [];
        for await (const one of images.tasks({ limit: 1 })) listed.push(one.id);
        return {
            size: [decoded.width, decoded.height], report: small.report, second: second.width,
            refused: refused instanceof BadRequest && refused.message, away: away instanceof Unreachable,
            info: (await images.info(photo)).format, done: done.status, listed: listed.includes(task.id),
            result: (await images.result(task.id)).width, cancelled: (await images.cancel(task.id)).status,
        };
    }
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves the sources of the client; the page itself is their list."""

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def page_server():
    """Yields the origin of a page that is not the server's own: another port is another origin."""
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=SOURCES))
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{web.server_port}"
    web.shutdown()


def main(program):
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as tasks, page_server() as origin, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        with server(program, "--cors-origin", origin, "--data-dir", tasks) as address:
            page = browser.new_page()
            page.goto(origin)
            told = page.evaluate(USE, [f"http://{address}", list(PHOTO.read_bytes())])
        browser.close()
    report = told["report"]
    assert told["size"] == [64, 48] and told["second"] == 32, told
    # Headers that a page of another origin may read only with the server's consent.
    assert (report["width"], report["format"], report["source_width"]) == (64, "webp", 1600), report
    assert report["etag"] and report["encode_ms"] > 0 and report["id"], report
    assert "did you mean 'width'" in told["refused"] and told["away"], told
    assert (told["info"], told["done"], told["listed"], told["result"]) == ("png", "done", True, 16), told
    assert told["cancelled"] == "cancelled", told
    print("ok: the client works in Chromium, from another origin")


if __name__ == "__main__":
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        inside_venv(__file__, ["playwright"], sys.argv[1:])
    main(pathlib.Path(sys.argv[1]).resolve())
