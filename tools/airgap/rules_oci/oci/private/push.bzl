"""oci_push: `bazel run` sends an image to a registry."""

load(":launch.bzl", "launcher")

def _oci_push_impl(ctx):
    arguments = ["--default-repository", ctx.attr.repository]
    return [launcher(
        ctx,
        ctx.attr._push,
        ctx.file.image,
        arguments + ["--default-tag=" + tag for tag in ctx.attr.remote_tags],
    )]

oci_push = rule(
    implementation = _oci_push_impl,
    doc = "A program that pushes an image or an index: --repository HOST/NAME --tag TAG, as in rules_oci.",
    attrs = {
        "image": attr.label(allow_single_file = True, mandatory = True),
        "remote_tags": attr.string_list(),
        "repository": attr.string(mandatory = True),
        "_push": attr.label(default = "//oci/private:push_program", cfg = "target", executable = True),
    },
    executable = True,
)
