"""A wheel, unpacked by a cacheable action, as a py_library."""

load("@rules_python//python:py_library.bzl", "py_library")

WheelInfo = provider(
    doc = "An unpacked wheel's archive.",
    fields = {"wheel": "the .whl file"},
)

def _wheel_tree_impl(ctx):
    tree = ctx.actions.declare_directory(ctx.attr.folder)
    ctx.actions.run(
        executable = ctx.executable._unpack,
        arguments = [ctx.file.wheel.path, tree.path],
        inputs = [ctx.file.wheel],
        outputs = [tree],
        mnemonic = "UnpackWheel",
        progress_message = "Unpacking %{input}",
    )
    return [
        DefaultInfo(files = depset([tree]), runfiles = ctx.runfiles([tree])),
        WheelInfo(wheel = ctx.file.wheel),
    ]

wheel_tree = rule(
    implementation = _wheel_tree_impl,
    doc = "The site-packages directory of one wheel, with bytecode, without what no program opens.",
    attrs = {
        "folder": attr.string(mandatory = True),
        "wheel": attr.label(allow_single_file = [".whl"], mandatory = True),
        "_unpack": attr.label(default = "//tools/wheels:unpack", cfg = "exec", executable = True),
    },
)

def wheel_library(name, wheel, deps, **kwargs):
    """A py_library over an unpacked wheel.

    Args:
      name: of the library
      wheel: the .whl file
      deps: labels of the wheels it requires
      **kwargs: passed to py_library
    """
    wheel_tree(
        name = name + "_tree",
        folder = "site-packages",
        wheel = wheel,
        **kwargs
    )
    py_library(
        name = name,
        data = [name + "_tree"],
        imports = ["site-packages"],
        deps = deps,
        **kwargs
    )
