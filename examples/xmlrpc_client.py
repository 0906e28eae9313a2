#!/usr/bin/env python3
"""Makes an image grayscale, or anything else of it, by XML-RPC with nothing but Python's own library.

    xmlrpc_client.py photo.jpg gray.jpg
    xmlrpc_client.py photo.jpg small.webp width=320 format=webp
"""
import argparse
import base64
import sys
import xmlrpc.client


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image")
    parser.add_argument("result")
    parser.add_argument("options", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--server", default="127.0.0.1:8080")
    parser.add_argument("--token")
    arguments = parser.parse_args()

    headers = [("Authorization", f"Bearer {arguments.token}")] if arguments.token else []
    server = xmlrpc.client.ServerProxy(f"http://{arguments.server}/RPC2", headers=headers)
    with open(arguments.image, "rb") as file:
        image = file.read()
    try:
        if arguments.options:
            options = dict(option.split("=", 1) for option in arguments.options)
            answer = server.process(xmlrpc.client.Binary(image), options)
            result = answer["image"].data
            print(answer["report"])
        else:
            result = base64.b64decode(server.preto_branco(base64.b64encode(image).decode()))
    except xmlrpc.client.Fault as fault:
        sys.exit(f"refused ({fault.faultCode}): {fault.faultString}")
    with open(arguments.result, "wb") as file:
        file.write(result)


if __name__ == "__main__":
    main()
