"""Linters as tests, and the same linters as commands over the work tree."""

load("@rules_python//python:py_binary.bzl", "py_binary")
load("@rules_python//python:py_test.bzl", "py_test")

_RUN_MODULE = "//tools/python:run_module.py"

def module_test(name, module, args, srcs, deps, **kwargs):
    """A test that passes when `python -m module args` ends with 0.

    Args:
      name: of the target
      module: what is run
      args: its arguments
      srcs: files it reads
      deps: libraries it needs
      **kwargs: passed to py_test
    """
    py_test(
        name = name,
        srcs = [_RUN_MODULE],
        main = _RUN_MODULE,
        args = [module] + args,
        data = srcs + ["//:pyproject.toml"],
        deps = deps,
        **kwargs
    )

def module_command(name, module, args, deps, **kwargs):
    """`bazel run` of `python -m module args` in the work tree.

    Args:
      name: of the target
      module: what is run
      args: its arguments
      deps: libraries it needs
      **kwargs: passed to py_binary
    """
    py_binary(
        name = name,
        srcs = [_RUN_MODULE],
        main = _RUN_MODULE,
        args = [module] + args,
        deps = deps,
        **kwargs
    )
