#!/usr/bin/env python3
"""Resizes one image over HTTP, with the standard library alone.

    http_client.py photo.jpg small.webp width=320 format=webp
"""
import json
import sys
import urllib.error
import urllib.parse
import urllib.request

from arguments import headers, one_image, pairs


def main():
    arguments = one_image(__doc__)
    query = urllib.parse.urlencode(pairs(arguments.options))
    with open(arguments.image, "rb") as file:
        request = urllib.request.Request(f"{arguments.server}/resize?{query}", file.read(), headers())
    request.add_header("Content-Type", "application/octet-stream")
    try:
        with urllib.request.urlopen(request) as response, open(arguments.result, "wb") as file:
            file.write(response.read())
            print(response.headers["Content-Type"], response.headers["Server-Timing"])
    except urllib.error.HTTPError as error:
        sys.exit(f"refused: {json.load(error)['message']}")


if __name__ == "__main__":
    main()
