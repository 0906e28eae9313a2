#!/usr/bin/env python3
"""Makes an image grayscale, or applies other options, by XML-RPC with the standard library alone.

    xmlrpc_client.py photo.jpg gray.jpg
    xmlrpc_client.py photo.jpg small.webp width=320 format=webp
"""
import base64
import sys
import xmlrpc.client

from arguments import headers, one_image, pairs


def main():
    arguments = one_image(__doc__)
    server = xmlrpc.client.ServerProxy(f"{arguments.server}/RPC2", headers=headers().items())
    with open(arguments.image, "rb") as file:
        image = file.read()
    try:
        if arguments.options:
            answer = server.process(xmlrpc.client.Binary(image), pairs(arguments.options))
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
