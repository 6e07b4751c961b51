"""The third-party packages that a Python program would carry, read from the target graph."""

load("@rules_python//python:py_info.bzl", "PyInfo")

def _python_closure_impl(ctx):
    listing = ctx.actions.declare_file(ctx.label.name + ".txt")
    ctx.actions.write(listing, "\n".join(sorted(ctx.attr.program[PyInfo].imports.to_list())) + "\n")
    return [DefaultInfo(files = depset([listing]), runfiles = ctx.runfiles([listing]))]

python_closure = rule(
    implementation = _python_closure_impl,
    doc = "Writes NAME.txt: the import roots of `program`, one a line, repository first.",
    attrs = {"program": attr.label(providers = [PyInfo], mandatory = True)},
)
