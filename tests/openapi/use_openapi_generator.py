"""The Python client of openapi-generator at work."""

import sys

import imgsrv_generated as generated
from pictures import picture, size

image = picture()
with generated.ApiClient(generated.Configuration(host=sys.argv[1])) as client:
    images, tasks, facts = generated.ImagesApi(client), generated.TasksApi(client), generated.FactsApi(client)
    small = images.resize(image, width=80, height=80, fit="cover", ops=["grayscale", "blur:1"])
    assert size(small) == ("JPEG", (80, 80))
    assert size(images.resize(image, crop=[10, 10, 40, 30])) == ("JPEG", (40, 30))
    assert size(images.convert("webp", image)) == ("WEBP", (320, 240))
    assert size(images.pipeline(["grayscale", "blur:2"], image, width=40)) == ("JPEG", (40, 30))
    try:
        images.resize(b"text")
        raise AssertionError("it is refused")
    except generated.ApiException as refused:
        assert refused.status == 415, refused
    assert facts.get_info(image).width == 320
    submitted = tasks.submit_task(image, width=9)
    assert submitted.task_id in [task.task_id for task in tasks.list_tasks(limit=200).tasks]
    assert tasks.get_task(submitted.task_id).source_bytes == len(image)
