"""The Python of the README runs as it stands, from top to bottom."""

import re
from pathlib import Path

from conftest import picture, program


def test_readme(server, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMGSRV_PROGRAM", program())
    Path("photo.jpg").write_bytes(picture(1600, 1200))
    text = (Path(__file__).parents[1] / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 4
    names: dict = {"__name__": "readme"}
    for block in blocks:
        exec(block.replace("127.0.0.1:8080", server.http), names)
    assert "800 600" in capsys.readouterr().out
    assert names["done"].status == "done" and names["photo"].width == 800
