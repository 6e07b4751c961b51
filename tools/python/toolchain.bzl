"""The locked CPython as a Python toolchain."""

load("@build_lane//:lane.bzl", "PY_RUNTIME_ATTRIBUTES")
load("@rules_python//python:py_runtime.bzl", "py_runtime")
load("@rules_python//python:py_runtime_pair.bzl", "py_runtime_pair")

def locked_python_toolchain(name, cpu, architecture):
    """Declares the toolchain of one CPU.

    Args:
      name: of the toolchain
      cpu: name of the constraint under @platforms//cpu
      architecture: Debian's name of the same
    """
    py_runtime(
        name = "runtime_" + cpu,
        files = ["@cpython_{}//:files".format(architecture)],
        interpreter = "@cpython_{}//:root/usr/bin/python3".format(architecture),
        python_version = "PY3",
        **PY_RUNTIME_ATTRIBUTES
    )
    py_runtime_pair(
        name = "runtime_pair_" + cpu,
        py3_runtime = ":runtime_" + cpu,
    )
    native.toolchain(
        name = name,
        target_compatible_with = [
            "@platforms//os:linux",
            "@platforms//cpu:" + cpu,
        ],
        toolchain = ":runtime_pair_" + cpu,
        toolchain_type = "@rules_python//python:toolchain_type",
    )
