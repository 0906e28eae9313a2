#!/usr/bin/env python3
"""The pages of the HTTP door in a real Chromium: a picture is chosen, resized, refused, and the endpoints are listed.

    python3 tests/pages.py target/release/imgsrv

Wants /usr/bin/chromium (tests/interop.sh installs it); Playwright goes into a virtual environment under target/.
"""
import sys

from clients import PHOTO, inside_venv, server

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def shown(page, id):
    return page.evaluate("id => { const i = document.getElementById(id); return [i.naturalWidth, i.naturalHeight]; }", id)


def try_it(page, url):
    page.goto(url + "/")
    assert not page.is_visible("#pair") and page.is_disabled("#go"), "nothing is chosen yet"
    page.set_input_files("#file", str(PHOTO))
    page.wait_for_selector("#after-text:has-text('jpeg, 800 × 600')")
    page.wait_for_timeout(500)  # for the picture behind the words
    assert shown(page, "before") == [1600, 1200] and shown(page, "after") == [800, 600]
    page.fill("[name=width]", "320")
    page.select_option("[name=format]", "webp")
    page.wait_for_selector("#after-text:has-text('webp, 320 × 240')")
    page.wait_for_timeout(500)
    assert shown(page, "after") == [320, 240]
    page.fill("[name=ops]", "polish")
    page.click("#go")
    page.wait_for_selector("#said.failed")
    assert "polish" in page.inner_text("#said"), page.inner_text("#said")


def look_up(page, url):
    page.goto(url + "/docs")
    page.wait_for_selector("details")
    paths = page.inner_text("main")
    for path in ["/resize", "/pipeline/{operations}", "/status/{id}", "/RPC2"]:
        assert path in paths, path


def main():
    from playwright.sync_api import sync_playwright

    with server(sys.argv[1]) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = browser.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("requestfailed", lambda request: errors.append(request.url) if "ABORTED" not in request.failure else None)
        for scene in [try_it, look_up]:
            scene(page, f"http://{address}")
            assert not errors, errors
            print("ok", scene.__name__)
        browser.close()


if __name__ == "__main__":
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        inside_venv(__file__, ["playwright"], sys.argv[1:])
    main()
