"""Compares real answers with the description: status, type, headers, JSON by its schema, and no unknown field."""

import json
import sys
import time

import requests
from jsonschema import Draft202012Validator, FormatChecker
from pictures import picture

address = sys.argv[1]
document = json.load(open("openapi.json"))
checked = set()


def resolve(value):
    while "$ref" in value:
        at = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            at = at[part]
        value = at
    return value


def known_fields(schema):
    schema = resolve(schema)
    fields = dict(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        fields.update(known_fields(part))
    return fields


def check(method, path, told, code, **request):
    response = requests.request(method, address + told, timeout=60, **request)
    assert response.status_code == code, (told, response.status_code, response.text[:300])
    operation = document["paths"][path][method]
    described = resolve(operation["responses"][str(code)])
    checked.add((operation["operationId"], code))
    names = {name.lower() for name in described.get("headers", {})}
    ours = {name.lower() for name in response.headers if name.lower().startswith(("x-result", "x-origin", "etag", "retry"))}
    assert ours <= names, (path, code, ours - names)
    if code == 304:
        return response
    kind = response.headers["content-type"].split(";")[0]
    assert kind in described["content"], (path, code, kind)
    if kind == "application/json":
        schema = described["content"][kind]["schema"]
        whole = {**schema, "components": document["components"]}
        Draft202012Validator(whole, format_checker=FormatChecker()).validate(response.json())
        if resolve(schema).get("additionalProperties") is not True:
            unknown = response.json().keys() - known_fields(schema).keys()
            assert not unknown, (path, code, unknown)
    return response


image = picture()
for path, told in [
    ("/resize", "/resize?width=50"),
    ("/crop", "/crop?width=50&height=50"),
    ("/thumbnail", "/thumbnail?width=50&height=50"),
    ("/convert", "/convert?format=webp"),
    ("/pipeline/{operations}", "/pipeline/grayscale,blur:2"),
]:
    tag = check("post", path, told, 200, data=image).headers["etag"]
    check("post", path, told, 304, data=image, headers={"If-None-Match": tag})
    check("post", path, told, 400, data=b"")
    check("post", path, told, 415, data=b"not a picture")
    check("post", path, told, 422, data=b"\x89PNG\r\n\x1a\n" + image[8:40])
    check("post", path, told, 403, data=image, headers={"Origin": "http://elsewhere.example"})
check("post", "/resize", "/resize?target=70&ops=grayscale&ops=blur:2&crop=0&crop=0&crop=99&crop=99", 200, data=image)
check("post", "/resize", "/resize", 413, data=bytes(40 << 20))
check("post", "/info", "/info", 200, data=image)
jpeg = check("post", "/resize", "/resize?width=50", 200, data=image).content
check("post", "/info", "/info", 200, data=jpeg)
check("post", "/info", "/info", 415, data=b"not a picture")

submitted = check("post", "/upload", "/upload?width=50", 202, files={"image": image}, data={"quality": 70}).json()
id = submitted["task_id"]
for _ in range(600):
    task = check("get", "/status/{task_id}", f"/status/{id}", 200).json()
    if task["status"] == "done":
        break
    check("get", "/result/{task_id}", f"/result/{id}", 409) if task["status"] == "queued" else None
    time.sleep(0.05)
assert task["status"] == "done" and task["width"] == 50, task
check("get", "/status/{task_id}/events", f"/status/{id}/events", 200)
check("get", "/result/{task_id}", f"/result/{id}", 200)
check("post", "/upload", "/upload?width=51", 202, data=image)
check("get", "/tasks", "/tasks?limit=1", 200)
check("get", "/tasks", "/tasks?limit=0", 400)
check("delete", "/status/{task_id}", f"/status/{id}", 200)
for path, told in [("/status/{task_id}", f"/status/{id}"), ("/result/{task_id}", f"/result/{id}")]:
    check("get", path, told, 404)
for path in ["/options.json", "/presets.json", "/openapi.json", "/health", "/ready", "/ready/tasks", "/metrics"]:
    check("get", path, path, 200)

described = {
    (operation["operationId"], 200 if "200" in operation["responses"] else 202)
    for route in document["paths"].values()
    for operation in route.values()
}
assert described <= checked, described - checked
print(f"{len(checked)} answers are as described")
