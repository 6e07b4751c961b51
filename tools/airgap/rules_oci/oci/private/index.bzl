"""oci_image_index: one name for an image's builds for several platforms."""

def _oci_image_index_rule_impl(ctx):
    layout = ctx.actions.declare_directory(ctx.label.name)
    digest = ctx.actions.declare_file(ctx.label.name + ".sha256")
    ctx.actions.run(
        executable = ctx.executable._write,
        arguments = ["index", layout.path, digest.path] + [image.path for image in ctx.files.images],
        inputs = ctx.files.images,
        outputs = [layout, digest],
        mnemonic = "OciIndex",
        progress_message = "Writing image index %{label}",
    )
    return [
        DefaultInfo(files = depset([layout]), runfiles = ctx.runfiles([layout])),
        OutputGroupInfo(digest = depset([digest])),
    ]

_oci_image_index = rule(
    implementation = _oci_image_index_rule_impl,
    attrs = {
        "images": attr.label_list(allow_files = True, mandatory = True),
        "_write": attr.label(default = "//oci/private:write_image", cfg = "exec", executable = True),
    },
)

def oci_image_index(name, images, **kwargs):
    """An image layout whose one entry is an index of the images, and `NAME.digest`.

    Args:
      name: of the target
      images: oci_image targets, one a platform
      **kwargs: tags, testonly, visibility
    """
    _oci_image_index(
        name = name,
        images = images,
        **kwargs
    )
    native.filegroup(
        name = name + ".digest",
        srcs = [name],
        output_group = "digest",
        **kwargs
    )
