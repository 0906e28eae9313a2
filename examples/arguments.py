"""Command line arguments shared by the examples for HTTP, WebSocket and XML-RPC."""
import argparse
import os


def parser(doc):
    """Options as KEY=VALUE, and the server. Token and further CA certificates come from the environment, where
    other users of the machine cannot see them: IMGSRV_TOKEN, SSL_CERT_FILE."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="http://127.0.0.1:8080", metavar="URL")
    return parser


def one_image(doc):
    """Arguments of a command for one image: image, result, options."""
    arguments = parser(doc)
    arguments.add_argument("image")
    arguments.add_argument("result")
    arguments.add_argument("options", nargs="*", metavar="KEY=VALUE")
    return arguments.parse_args()


def pairs(options):
    """Options as a dictionary."""
    return dict(option.split("=", 1) for option in options)


def headers():
    """Headers with the token, if there is one."""
    token = os.environ.get("IMGSRV_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}
