#!/usr/bin/env python3
"""Resizes one image over HTTP, with nothing but Python's own library.

    http_client.py photo.jpg small.webp width=320 format=webp
"""
import argparse
import json
import sys
import urllib.error
import urllib.parse
import urllib.request


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image")
    parser.add_argument("result")
    parser.add_argument("options", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--server", default="127.0.0.1:8080")
    parser.add_argument("--token")
    arguments = parser.parse_args()

    query = urllib.parse.urlencode(dict(option.split("=", 1) for option in arguments.options))
    with open(arguments.image, "rb") as file:
        request = urllib.request.Request(f"http://{arguments.server}/resize?{query}", data=file.read())
    request.add_header("Content-Type", "application/octet-stream")
    if arguments.token:
        request.add_header("Authorization", f"Bearer {arguments.token}")
    try:
        with urllib.request.urlopen(request) as response, open(arguments.result, "wb") as file:
            file.write(response.read())
            print(response.headers["Content-Type"], response.headers["Server-Timing"])
    except urllib.error.HTTPError as error:
        sys.exit(f"refused: {json.load(error)['message']}")


if __name__ == "__main__":
    main()
