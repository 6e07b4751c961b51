"""oci_load: `bazel run` loads an image into the container engine."""

load("@rules_python//python:py_binary.bzl", "py_binary")

def _load_main_impl(ctx):
    arguments = ["--layout", ctx.file.image.short_path] + ["--tag=" + tag for tag in ctx.attr.repo_tags]
    ctx.actions.write(ctx.outputs.main, "\n".join([
        "import sys",
        "",
        "from oci.private.load import main",
        "",
        "sys.exit(main({} + sys.argv[1:]))".format(repr(arguments)),
        "",
    ]))

_load_main = rule(
    implementation = _load_main_impl,
    attrs = {
        "image": attr.label(allow_single_file = True, mandatory = True),
        "main": attr.output(mandatory = True),
        "repo_tags": attr.string_list(mandatory = True),
    },
)

def oci_load(name, image, repo_tags, **kwargs):
    """A program that loads the image, as in rules_oci; it needs no arguments.

    Args:
      name: of the program
      image: an oci_image
      repo_tags: list of NAME:TAG
      **kwargs: tags, testonly, visibility
    """
    _load_main(
        name = name + "_main",
        image = image,
        main = name + "_main.py",
        repo_tags = repo_tags,
        **kwargs
    )
    py_binary(
        name = name,
        srcs = [name + "_main.py"],
        main = name + "_main.py",
        data = [image],
        deps = [Label("//oci/private:load")],
        **kwargs
    )
