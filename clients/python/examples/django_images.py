"""Django: a storage that keeps uploads small, and the thumbnails of easy-thumbnails, both without Pillow's work.

In settings.py::

    STORAGES = {"default": {"BACKEND": "django_images.SmallUploads"}, ...}
"""

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from easy_thumbnails.files import Thumbnailer, ThumbnailFile

import imgsrv

images = imgsrv.local()  # shared among the workers of gunicorn; or imgsrv.Client("imgsrv.internal:8080")

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".tiff", ".bmp")


class SmallUploads(FileSystemStorage):
    """Saves pictures upright, without GPS, and at most 2048 pixels wide and high. Other files stay as they are."""

    options = {"width": 2048, "height": 2048, "fit": "inside", "format": "source"}

    def _save(self, name, content):
        if name.lower().endswith(PICTURES):
            content.seek(0)
            try:
                content = ContentFile(images.resize(content.file, **self.options).data)
            except (imgsrv.Unsupported, imgsrv.Damaged):
                content.seek(0)  # not a picture after all: validation is the form's business
        return super()._save(name, content)


class ImgsrvThumbnailer(Thumbnailer):
    """A Thumbnailer whose thumbnails are made by imgsrv: `ImgsrvThumbnailer(file, name).get_thumbnail({...})`."""

    def generate_thumbnail(self, thumbnail_options, silent_template_exception=False):
        options = self.get_options(thumbnail_options)
        width, height = options["size"]
        crop = options.get("crop")
        name = self.get_thumbnail_name(options)
        self.open()
        result = images.resize(
            self.file,
            width=int(width),
            height=int(height),
            fit="cover" if crop else "inside",
            gravity="smart" if crop == "smart" else "center",
            enlarge=bool(options.get("upscale")) or None,
            quality=options["quality"],
            format={"jpg": "jpeg"}.get(extension := name.rsplit(".", 1)[-1].lower(), extension),
            ops=["grayscale"] if options.get("bw") else None,
        )
        thumbnail = ThumbnailFile(
            name, file=ContentFile(result.data), storage=self.thumbnail_storage, thumbnail_options=options
        )
        thumbnail._committed = False
        return thumbnail
