"""Serves an upload handler of Flask on a free port: serve.py flask_upload|flask_pillow FOLDER."""

import importlib.util
import sys
from pathlib import Path

from werkzeug.serving import make_server

EXAMPLES = Path(__file__).parents[2] / "clients" / "python" / "examples"

name, folder = sys.argv[1], Path(sys.argv[2])
spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)
server = make_server("127.0.0.1", 0, example.create_app(folder), threaded=True)
print(server.port, example.images.server.pid if name == "flask_upload" else 0, flush=True)
server.serve_forever()
