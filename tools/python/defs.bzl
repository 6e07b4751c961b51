"""Python rules of this repository: the one place that names rules_python's load paths."""

load("@rules_python//python:py_binary.bzl", _py_binary = "py_binary")
load("@rules_python//python:py_library.bzl", _py_library = "py_library")
load("@rules_python//python:py_test.bzl", _py_test = "py_test")

py_binary = _py_binary
py_library = _py_library
py_test = _py_test

def pytest_test(name, src, deps = [], data = [], args = [], conftests = [], **kwargs):
    """A test file run by pytest under the locked interpreter.

    Args:
      name: of the target
      src: the test file
      deps: libraries it imports
      data: files it reads
      args: further arguments for pytest
      conftests: conftest.py files above it
      **kwargs: passed to py_test
    """
    _py_test(
        name = name,
        srcs = [src, "//tools/python:pytest_main.py"] + conftests,
        main = "//tools/python:pytest_main.py",
        args = ["$(rootpath {})".format(src)] + args,
        data = data + ["//:pyproject.toml"],
        deps = deps + [
            "@pypi//pytest",
            "@pypi//pytest-asyncio",
        ],
        **kwargs
    )
