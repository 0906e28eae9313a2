"""The client of openapi-python-client at work. It sends every default that the description states."""

import io
import sys

from imgsrv_client import Client
from imgsrv_client.api.facts import get_info
from imgsrv_client.api.images import convert, resize
from imgsrv_client.api.tasks import list_tasks, submit_task
from imgsrv_client.models import ConvertFilesBody, ConvertFormat, Failure, ResizeFit
from imgsrv_client.types import File
from pictures import picture, size

image = picture()


def body() -> File:
    return File(payload=io.BytesIO(image))


with Client(base_url=sys.argv[1]) as client:
    small = resize.sync(client=client, body=body(), width=80, height=80, fit=ResizeFit.COVER, ops=["grayscale", "blur:1"])
    assert size(small.payload.read()) == ("JPEG", (80, 80))
    cut = resize.sync(client=client, body=body(), crop=[10, 10, 40, 30])
    assert size(cut.payload.read()) == ("JPEG", (40, 30))
    form = ConvertFilesBody()
    form["image"] = File(payload=io.BytesIO(image), file_name="a.png")
    webp = convert.sync(client=client, body=form, format_=ConvertFormat.WEBP, width=64)
    assert size(webp.payload.read()) == ("WEBP", (64, 48))
    refused = resize.sync(client=client, body=File(payload=io.BytesIO(b"text")))
    assert isinstance(refused, Failure) and refused.status == "unsupported", refused
    assert get_info.sync(client=client, body=body()).width == 320
    # Stated defaults are sent and change nothing: a source that needs no work comes back as it is.
    unchanged = convert.sync(client=client, body=body(), format_=ConvertFormat.PNG)
    assert unchanged.payload.read() == image
    submitted = submit_task.sync(client=client, body=body(), width=9)
    assert submitted.task_id in [task.task_id for task in list_tasks.sync(client=client).tasks]
