"""oci_load: `bazel run` loads an image into the container engine."""

load(":launch.bzl", "launcher")

def _oci_load_impl(ctx):
    tags = ["--tag=" + tag for tag in ctx.attr.repo_tags]

    # For `docker load` and its kin; made only where it is asked for.
    tarball = ctx.actions.declare_file(ctx.label.name + "_tarball/tarball.tar")
    ctx.actions.run(
        executable = ctx.executable._archive,
        arguments = ["--layout", ctx.file.image.path, "--output", tarball.path] + tags,
        inputs = [ctx.file.image],
        outputs = [tarball],
        mnemonic = "OciTarball",
        progress_message = "Writing archive %{label}",
    )
    return [
        launcher(ctx, ctx.attr._load, ctx.file.image, tags),
        OutputGroupInfo(tarball = depset([tarball])),
    ]

oci_load = rule(
    implementation = _oci_load_impl,
    doc = "A program that loads the image, as in rules_oci, and the output group `tarball`.",
    attrs = {
        "image": attr.label(allow_single_file = True, mandatory = True),
        "repo_tags": attr.string_list(mandatory = True),
        "_archive": attr.label(default = "//oci/private:load_program", cfg = "exec", executable = True),
        "_load": attr.label(default = "//oci/private:load_program", cfg = "target", executable = True),
    },
    executable = True,
)
