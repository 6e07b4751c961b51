"""One test target a file, so that an edit runs again only what it touches."""

load("//tools/python:defs.bzl", "pytest_test")

def pytest_files(srcs, deps, **kwargs):
    """Declares a pytest_test for each file, named after it.

    Args:
      srcs: test files
      deps: libraries that they import
      **kwargs: passed to pytest_test
    """
    native.filegroup(
        name = "sources",
        srcs = native.glob(["*.py"]),
        visibility = ["//visibility:public"],
    )
    for src in srcs:
        pytest_test(
            name = src.split("/")[-1].removesuffix(".py"),
            src = src,
            deps = deps,
            **kwargs
        )

def unit_tests(deps, **kwargs):
    """The unit tests of a folder: one target a test_*.py, its other files are conftests.

    Args:
      deps: libraries that the tests import
      **kwargs: passed to pytest_files
    """
    pytest_files(
        size = "small",
        srcs = native.glob(["test_*.py"]),
        conftests = native.glob(
            ["*.py"],
            exclude = ["test_*.py"],
            allow_empty = True,
        ),
        deps = deps,
        **kwargs
    )
