"""The blocking client against the real server."""

import io
import json
import os
import socket
import ssl
import subprocess
import threading
import time

import pytest
from conftest import Server, program, size

import imgsrv


def test_a_picture_is_resized_and_its_report_says_how(client, photo):
    result = client.resize(photo, width=320, format="webp", quality=70, ops=["grayscale", "blur:1"], id="mine")
    assert size(result.data) == ("WEBP", (320, 240))
    assert result.content_type == "image/webp" and len(result) == len(bytes(result))
    report = result.report
    assert (report.width, report.height, report.format, report.quality) == (320, 240, "webp", 70)
    assert (report.source_width, report.source_height, report.source_format) == (640, 480, "jpeg")
    assert report.source_bytes == len(photo) and report.id == "mine" and report.etag
    assert report.decode_ms >= 0 and report.encode_ms > 0


def test_options_are_words_numbers_pairs_and_truths(client, photo):
    result = client.resize(
        photo, width=100, height=100, fit="cover", gravity=(0.2, 0.8), crop=(0, 0, 400, 400), rotate=90,
        enlarge=False, background="#102030", max_bytes="20k", quality=None,
    )  # fmt: skip
    assert size(result.data) == ("JPEG", (100, 100)) and len(result) <= 20_000


def test_each_route(client, photo):
    assert size(client.crop(photo, width=90, height=90).data)[1] == (90, 90)
    assert size(client.thumbnail(photo, width=90, height=90).data)[1] == (90, 68)
    assert size(client.convert(photo, format="png").data) == ("PNG", (640, 480))
    info = client.info(photo)
    assert (info["format"], info["width"], info["height"]) == ("jpeg", 640, 480)
    assert client.health()


def test_an_image_may_be_bytes_a_path_or_a_file(client, photo, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(photo)
    with path.open("rb") as file:
        results = [client.resize(one, width=8) for one in (photo, bytearray(photo), memoryview(photo), path, file)]
    assert len({result.data for result in results}) == 1
    results[0].save(tmp_path / "b.jpg")
    assert (tmp_path / "b.jpg").read_bytes() == results[0].data
    for wrong in ("photo.jpg", 5, io.StringIO("text")):
        with pytest.raises(TypeError):
            client.resize(wrong, width=8)


def test_a_refusal_is_an_exception_that_says_who_has_to_act(client, photo):
    with pytest.raises(imgsrv.BadRequest, match="did you mean 'width'") as caught:
        client.resize(photo, **{"wdth": 5})
    assert (caught.value.status, caught.value.code) == ("bad_request", 400)
    with pytest.raises(ValueError):
        client.resize(photo, quality=101)
    with pytest.raises(imgsrv.Unsupported):
        client.resize(b"no picture at all", width=5)
    with pytest.raises(imgsrv.Damaged):
        client.resize(photo[: len(photo) // 2], width=5, strict=True)
    with pytest.raises(imgsrv.NotFound):
        client.task("0" * 32)
    assert client.resize(photo, width=5), "the client goes on"


def test_tasks_are_handed_in_waited_for_listed_and_removed(client, photo):
    task = client.submit(photo, width=64, format="png")
    assert task.status == "queued" and not task.is_finished
    done = client.wait(task.id, timeout=30)
    assert (done.status, done.width, done.format) == ("done", 64, "png")
    assert size(client.result(task.id).data) == ("PNG", (64, 48))
    others = [client.submit(photo, width=8).id for _ in range(3)]
    listed = [one.id for one in client.tasks(limit=2)]
    assert {task.id, *others} <= set(listed) and len(listed) == len(set(listed))
    assert client.cancel(task.id).status == "cancelled"
    with pytest.raises(imgsrv.NotFound):
        client.result(task.id)


def test_threads_share_a_client_and_its_connections(client, photo):
    sizes = []
    threads = [threading.Thread(target=lambda: sizes.append(client.resize(photo, width=32).width)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [32] * 16
    assert 1 <= len(client._idle) <= 16


def test_a_token_is_sent_and_a_wrong_one_refused(photo, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("app:sesame\n")
    tokens.chmod(0o600)
    with Server(f"--token-file={tokens}") as server:
        assert imgsrv.Client(server.http, token="sesame").resize(photo, width=8).width == 8
        for token in (None, "wrong"):
            with pytest.raises(imgsrv.Unauthorized):
                imgsrv.Client(server.http, token=token).resize(photo, width=8)


def test_tls_checks_the_certificate(photo, tmp_path):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", key, "-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    key.chmod(0o600)
    with Server(f"--tls-cert={cert}", f"--tls-key={key}") as server:
        address = f"localhost:{server.http.rsplit(':', 1)[1]}"
        for tls in (str(cert), ssl.create_default_context(cafile=str(cert))):
            assert imgsrv.Client(address, tls=tls).resize(photo, width=8).width == 8
        with pytest.raises(imgsrv.Unreachable, match="certificate"):
            imgsrv.Client(f"https://{address}", retries=0).resize(photo, width=8)


def test_a_unix_socket_is_an_address(photo, tmp_path):
    with subprocess.Popen(
        [program(), f"--bind=unix:{tmp_path}/t", f"--http=unix:{tmp_path}/h", "--data-dir=none", "-q"],
        stdout=subprocess.PIPE,
    ) as process:
        process.stdout.readline(), process.stdout.readline()
        assert imgsrv.Client(f"unix:{tmp_path}/h").resize(photo, width=8).width == 8
        process.kill()


class Scripted:
    """A server that answers each connection with the next of these bytes, and notes the requests and their times."""

    def __init__(self, *answers: bytes) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.heads, self.times = [], []
        self.thread = threading.Thread(target=self._serve, args=(answers,), daemon=True)
        self.thread.start()

    def _serve(self, answers):
        for answer in answers:
            peer, _ = self.listener.accept()
            with peer:
                received = b""
                while b"\r\n\r\n" not in received:
                    received += peer.recv(65536)
                self.heads.append(received.split(b"\r\n\r\n")[0])
                self.times.append(time.monotonic())
                peer.sendall(answer)


def answer(code: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {code} x", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


BUSY = b'{"status":"busy","code":503,"message":"full","id":"1","retry_after_ms":700}'


def test_a_busy_server_is_asked_again_when_it_says():
    server = Scripted(answer(503, BUSY), answer(200, b"x"))
    assert imgsrv.Client(server.address).resize(b"i").data == b"x"
    assert server.times[1] - server.times[0] >= 0.69


def test_retries_end():
    server = Scripted(answer(503, BUSY.replace(b"700", b"1")), answer(429, BUSY.replace(b"700", b"1")))
    with pytest.raises(imgsrv.Busy) as caught:
        imgsrv.Client(server.address, retries=1, backoff=0.001).resize(b"i")
    assert (caught.value.code, caught.value.retry_after_ms) == (429, 1)


def test_a_lost_answer_is_asked_for_again_but_a_task_is_not():
    server = Scripted(b"", b"HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nhalf", answer(200, b"x"))
    assert imgsrv.Client(server.address, backoff=0.001).resize(b"i").data == b"x"
    server = Scripted(b"", answer(202, b'{"task_id":"1"}'))
    with pytest.raises(imgsrv.Broken):
        imgsrv.Client(server.address, backoff=0.001).submit(b"i")


def test_chunks_and_a_body_up_to_the_end_are_read():
    chunked = b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    server = Scripted(chunked, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 x\r\n\r\nabcde")
    client = imgsrv.Client(server.address)
    assert client.resize(b"i").data == b"abcde"
    client.close()
    assert client.resize(b"i").data == b"abcde"


def test_a_kept_connection_that_the_server_closed_is_replaced():
    keep = b"HTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\nx"  # the server closes all the same
    server = Scripted(keep, keep)
    client = imgsrv.Client(server.address, retries=0)
    assert [client.resize(b"i").data for _ in range(2)] == [b"x", b"x"]


def test_the_wrong_port_and_a_dead_server_are_told_apart(server):
    with pytest.raises(imgsrv.Broken):
        imgsrv.Client(server.tcp, retries=0, timeout=10).resize(b"i")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(imgsrv.Unreachable):
        imgsrv.Client(f"127.0.0.1:{port}", retries=0).resize(b"i")
    assert not imgsrv.Client(f"127.0.0.1:{port}", retries=0).health()
    for wrong in ("ftp://host", "http://host/path", ""):
        with pytest.raises(ValueError):
            imgsrv.Client(wrong)


def test_no_line_break_gets_into_a_request(server):
    with pytest.raises(ValueError):
        imgsrv.Client(server.http, token="a\r\nX: y").health()


def test_a_forked_process_opens_connections_of_its_own(client, photo):
    client.resize(photo, width=8)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if client.resize(photo, width=9).width == 9 else 1
        finally:
            os._exit(code)
    mine = [client.resize(photo, width=8).width for _ in range(5)]
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 and mine == [8] * 5


def test_every_option_of_the_server_is_an_argument(client):
    response = client._run(client._calls._send("GET", "/options.json"))
    told = json.loads(response.body)
    names = {option["name"] for option in (told["options"] if isinstance(told, dict) else told)}
    known = set(imgsrv.Options.__annotations__)
    assert names <= known, names - known
