"""The examples of the README, with the frameworks that they are for."""

import importlib.util
import io
import os
from pathlib import Path

import pytest
from conftest import picture, program, size

EXAMPLES = Path(__file__).parents[1] / "examples"


def framework(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")


def load(name: str):
    os.environ["IMGSRV_PROGRAM"] = program()
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["flask_upload", "flask_pillow"])
def test_flask(tmp_path, name):
    framework("flask")
    example = load(name)
    try:
        web = example.create_app(tmp_path).test_client()
        told = web.post("/photos/cat", data={"photo": (io.BytesIO(picture(1600, 1200)), "cat.jpg")})
        assert told.json == {"widths": [320, 640, 1280]}
        assert size((tmp_path / "cat-640.jpg").read_bytes()) == ("JPEG", (640, 480))
        assert web.post("/photos/cat", data={"photo": (io.BytesIO(b"text"), "cat.jpg")}).status_code == 422
    finally:
        if name == "flask_upload":
            example.images.close()


def test_django(tmp_path):
    framework("django")
    framework("easy_thumbnails")
    import django
    from django.conf import settings

    settings.configure(
        INSTALLED_APPS=["easy_thumbnails"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        MEDIA_ROOT=str(tmp_path),
        THUMBNAIL_CHECK_CACHE_MISS=True,
    )
    django.setup()
    from django.core.files.base import ContentFile
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    example = load("django_images")
    try:
        storage = example.SmallUploads(location=tmp_path)
        name = storage.save("big.jpg", ContentFile(picture(3000, 1500)))
        assert size((tmp_path / name).read_bytes()) == ("JPEG", (2048, 1024))
        name = storage.save("notes.txt", ContentFile(b"text"))
        assert (tmp_path / name).read_bytes() == b"text"
        name = storage.save("not_a_picture.jpg", ContentFile(b"text"))
        assert (tmp_path / name).read_bytes() == b"text"

        source = storage.open("big.jpg")
        thumbnailer = example.ImgsrvThumbnailer(source, "big.jpg", source_storage=storage, thumbnail_storage=storage)
        fitted = thumbnailer.get_thumbnail({"size": (200, 200)})
        assert size((tmp_path / fitted.name).read_bytes()) == ("JPEG", (200, 100))
        square = thumbnailer.get_thumbnail({"size": (80, 80), "crop": "smart", "bw": True})
        assert size((tmp_path / square.name).read_bytes())[1] == (80, 80)
        assert fitted.name != square.name
    finally:
        example.images.close()
