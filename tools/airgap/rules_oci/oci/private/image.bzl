"""oci_image: an OCI image layout from a base and tars."""

def _describe(ctx, position, tar):
    description = ctx.actions.declare_file("{}.layer{}.json".format(ctx.label.name, position))
    ctx.actions.run(
        executable = ctx.executable._write,
        arguments = ["describe", tar.path, description.path],
        inputs = [tar],
        outputs = [description],
        mnemonic = "OciLayer",
        progress_message = "Describing layer %{input}",
    )
    return description

def _oci_image_rule_impl(ctx):
    if ctx.attr.base and (ctx.attr.architecture or ctx.attr.os or ctx.attr.variant):
        fail("{}: os, architecture and variant are those of the base".format(ctx.label))
    if not ctx.attr.base and not (ctx.attr.architecture and ctx.attr.os):
        fail("{}: an image without a base needs os and architecture".format(ctx.label))
    descriptions = [_describe(ctx, position, tar) for position, tar in enumerate(ctx.files.tars)]
    layout = ctx.actions.declare_directory(ctx.label.name)
    digest = ctx.actions.declare_file(ctx.label.name + ".sha256")
    request = ctx.actions.declare_file(ctx.label.name + ".request.json")
    base = ctx.file.base
    ctx.actions.write(request, json.encode({
        "annotations": ctx.attr.annotations,
        "architecture": ctx.attr.architecture,
        "base": base.path if base else None,
        "config": {
            "Cmd": ctx.attr.cmd,
            "Entrypoint": ctx.attr.entrypoint,
            "Env": ["{}={}".format(key, value) for key, value in ctx.attr.env.items()],
            "ExposedPorts": {port: {} for port in ctx.attr.exposed_ports},
            "User": ctx.attr.user,
            "WorkingDir": ctx.attr.workdir,
        },
        "labels": [file.path for file in ctx.files.labels],
        "created_by": "bazel build " + str(ctx.label),
        "layers": [[tar.path, description.path] for tar, description in zip(ctx.files.tars, descriptions)],
        "os": ctx.attr.os,
        "variant": ctx.attr.variant,
    }))
    ctx.actions.run(
        executable = ctx.executable._write,
        arguments = [request.path, layout.path, digest.path],
        inputs = [request] + ctx.files.tars + ctx.files.labels + descriptions + ([base] if base else []),
        outputs = [layout, digest],
        mnemonic = "OciImage",
        progress_message = "Writing image %{label}",
    )
    return [
        DefaultInfo(files = depset([layout]), runfiles = ctx.runfiles([layout])),
        OutputGroupInfo(digest = depset([digest])),
    ]

_oci_image = rule(
    implementation = _oci_image_rule_impl,
    attrs = {
        "annotations": attr.string_dict(),
        "architecture": attr.string(),
        "base": attr.label(allow_single_file = True),
        "cmd": attr.string_list(),
        "entrypoint": attr.string_list(),
        "env": attr.string_dict(),
        "exposed_ports": attr.string_list(),
        "labels": attr.label(allow_single_file = True),
        "os": attr.string(),
        "tars": attr.label_list(allow_files = [".tar", ".tar.gz", ".tgz"]),
        "user": attr.string(),
        "variant": attr.string(),
        "workdir": attr.string(),
        "_write": attr.label(default = "//oci/private:write_image", cfg = "exec", executable = True),
    },
)

def _label_file_impl(ctx):
    labels = ctx.actions.declare_file(ctx.label.name + ".txt")
    ctx.actions.write(labels, "".join(["{}={}\n".format(key, value) for key, value in ctx.attr.labels.items()]))
    return [DefaultInfo(files = depset([labels]))]

_label_file = rule(
    implementation = _label_file_impl,
    attrs = {"labels": attr.string_dict()},
)

def oci_image(name, labels = None, **kwargs):
    """An image as an OCI image layout directory, and `NAME.digest`, a file with its digest.

    Args:
      name: of the target
      labels: a dictionary, or a file of KEY=VALUE lines
      **kwargs: base, tars, entrypoint, cmd, env, user, workdir, annotations,
        exposed_ports, os, architecture, variant; tags, testonly, visibility
    """
    common = {key: value for key, value in kwargs.items() if key in ("tags", "testonly", "visibility")}
    if type(labels) == "dict":
        _label_file(
            name = "_{}_labels".format(name),
            labels = labels,
            **common
        )
        labels = "_{}_labels".format(name)
    _oci_image(
        name = name,
        labels = labels,
        **kwargs
    )
    native.filegroup(
        name = name + ".digest",
        srcs = [name],
        output_group = "digest",
        **common
    )
