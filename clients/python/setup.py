"""Tags the wheel for this platform where the program lies in src/imgsrv/bin; pyproject.toml has all else."""

from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel


class Wheel(bdist_wheel):
    def finalize_options(self):
        super().finalize_options()
        if Path("src/imgsrv/bin/imgsrv").exists():
            self.root_is_pure = False

    def get_tag(self):
        python, abi, platform = super().get_tag()
        return ("py3", "none", platform)  # a program does not care which Python starts it


setup(cmdclass={"bdist_wheel": Wheel})
