"""oci_load: `bazel run` loads an image into the container engine."""

load("@rules_python//python:py_binary.bzl", "py_binary")

def oci_load(name, image, repo_tags, **kwargs):
    """A program that loads the image, as in rules_oci.

    Args:
      name: of the program
      image: an oci_image
      repo_tags: list of NAME:TAG
      **kwargs: tags, testonly, visibility
    """
    py_binary(
        name = name,
        srcs = [Label("//oci/private:load.py")],
        main = Label("//oci/private:load.py"),
        args = ["--layout", "$(rootpath {})".format(image)] + ["--tag=" + tag for tag in repo_tags],
        data = [image],
        **kwargs
    )
