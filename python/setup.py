"""Builds the driver's shared library with cargo and puts it into the package.

`ADBC_DRIVER_DATABRICKS_LIBRARY` names a library that is there already, for those who build it elsewhere.
"""

import os
import pathlib
import shutil
import subprocess
import sys

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

PACKAGE = "adbc_driver_databricks"
CHECKOUT = pathlib.Path(__file__).resolve().parent.parent


def library() -> pathlib.Path:
    """The shared library, built if need be."""
    if prebuilt := os.environ.get("ADBC_DRIVER_DATABRICKS_LIBRARY"):
        return pathlib.Path(prebuilt)
    if not (CHECKOUT / "crates" / "adbc-driver-databricks").is_dir():
        sys.exit(
            f"{CHECKOUT} is no checkout of adbc-databricks: install from one (pip install ./python), "
            "or set ADBC_DRIVER_DATABRICKS_LIBRARY to a built libadbc_driver_databricks"
        )
    cargo = os.environ.get("CARGO") or shutil.which("cargo")
    if cargo is None:
        sys.exit("cargo was not found: install Rust (https://rustup.rs) to build the driver")
    build = [cargo, "build", "--locked", "--profile", "wheel", "--package", "adbc-driver-databricks", "--lib"]
    subprocess.run(build, cwd=CHECKOUT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or CHECKOUT / "target")
    name = {"darwin": f"lib{PACKAGE}.dylib", "win32": f"{PACKAGE}.dll"}.get(sys.platform, f"lib{PACKAGE}.so")
    return target / "wheel" / name


class BuildWithDriver(build_py):
    """Adds the library to the package. It has the same name on every platform, as in Apache Arrow's wheels."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            package = pathlib.Path(__file__).resolve().parent / "src" / PACKAGE
        else:
            package = pathlib.Path(self.build_lib) / PACKAGE
        self.copy_file(str(library()), str(package / f"lib{PACKAGE}.so"))


class WithLibrary(Distribution):
    """The library makes the package one for a platform, so that it lies where packages with compiled parts do."""

    def has_ext_modules(self) -> bool:
        return True


class PlatformWheel(bdist_wheel):
    """The library is for one platform, and for any Python."""

    def get_tag(self) -> tuple[str, str, str]:
        _, _, platform = super().get_tag()
        return "py3", "none", platform


setup(distclass=WithLibrary, cmdclass={"build_py": BuildWithDriver, "bdist_wheel": PlatformWheel})
