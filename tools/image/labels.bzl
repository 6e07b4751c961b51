"""Labels of an image, with the revision in them where a release asks for it (--config=release).

Any other build has no revision: equal sources give equal digests, whatever their commit.
"""

_STAMPED = {
    "org.opencontainers.image.revision": "STABLE_REVISION",
    "org.opencontainers.image.source": "STABLE_SOURCE",
}

def _image_labels_impl(ctx):
    labels = ctx.actions.declare_file(ctx.label.name + ".labels.txt")
    fixed = ["{}={}".format(key, value) for key, value in sorted(ctx.attr.labels.items())]
    if not ctx.attr.stamped:
        ctx.actions.write(labels, "\n".join(fixed) + "\n")
    else:
        plain = ctx.actions.declare_file(ctx.label.name + ".plain.txt")
        ctx.actions.write(plain, "\n".join(fixed) + "\n")
        ctx.actions.run_shell(
            inputs = [plain, ctx.info_file],
            outputs = [labels],
            command = "\n".join(
                ['cat "$1" >"$3"'] +
                [
                    'value="$(sed -n "s/^{0} //p" "$2")"; [ -z "$value" ] || echo "{1}=$value" >>"$3"'.format(variable, label)
                    for label, variable in _STAMPED.items()
                ],
            ),
            arguments = [plain.path, ctx.info_file.path, labels.path],
            mnemonic = "ImageLabels",
        )
    return [DefaultInfo(files = depset([labels]))]

image_labels = rule(
    implementation = _image_labels_impl,
    doc = "A file of KEY=VALUE lines, as oci_image takes it for its labels.",
    attrs = {
        "labels": attr.string_dict(),
        "stamped": attr.bool(),
    },
)
