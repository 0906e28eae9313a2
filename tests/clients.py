"""Shared by the tests with third-party clients: their virtual environment, and a server to test."""
import contextlib
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOME = ROOT / "target" / "http-clients"
PHOTO = ROOT / "docs" / "photo.png"


def inside_venv(script, packages, arguments):
    """Runs a script again in the virtual environment of its clients."""
    python = HOME / "bin" / "python"
    if not python.exists():
        venv.create(HOME, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True)
    os.execve(python, [str(python), script, *arguments], {**os.environ, "TEST_CLIENTS": "installed"})


@contextlib.contextmanager
def server(program, *flags):
    """Starts a server on a free port and yields its HTTP address. Checks that it stops cleanly."""
    command = [program, "--bind", "127.0.0.1:0", "--http", "127.0.0.1:0", "-qq", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert "http on" in line, line
        yield line.split()[-1]
    finally:
        process.terminate()
        assert process.wait(30) == 0


@contextlib.contextmanager
def certificate():
    """Yields the TLS flags of a server. Clients imported from here on trust its certificate."""
    import trustme

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1", "localhost")
        authority.cert_pem.write_to_path(folder / "ca.pem")
        issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        issued.private_key_pem.write_to_path(folder / "key.pem")
        for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]:
            os.environ[name] = str(folder / "ca.pem")
        yield ["--tls-cert", folder / "cert.pem", "--tls-key", folder / "key.pem"]


def main(script, packages, serve):
    """Calls `serve(url)` in the clear and under TLS."""
    if "TEST_CLIENTS" not in os.environ:
        inside_venv(script, [*packages, "Pillow", "trustme"], sys.argv[1:])
    with certificate() as tls:
        for scheme, flags in [("http", []), ("https", tls)]:
            with server(sys.argv[1], *flags) as address:
                serve(f"{scheme}://{address}")


def opened(image):
    """Decodes an image by Pillow."""
    from PIL import Image

    image = Image.open(io.BytesIO(image))
    image.load()
    return image
