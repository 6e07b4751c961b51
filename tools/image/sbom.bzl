"""image_sbom: what is in an image, as CycloneDX, from the files that its layers are made of."""

load("//tools/wheels:wheel.bzl", "WheelInfo")

_WheelsInfo = provider(doc = "Of a program's closure.", fields = {"files": "depset of .whl files"})

def _wheels_aspect_impl(target, ctx):
    direct = [target[WheelInfo].wheel] if WheelInfo in target else []
    below = [
        dependency[_WheelsInfo].files
        for name in ("actual", "data", "deps")
        for dependency in _as_list(getattr(ctx.rule.attr, name, None))
        if _WheelsInfo in dependency
    ]
    return [_WheelsInfo(files = depset(direct, transitive = below))]

def _as_list(value):
    if value == None:
        return []
    return value if type(value) == "list" else [value]

_wheels_aspect = aspect(
    implementation = _wheels_aspect_impl,
    attr_aspects = ["actual", "data", "deps"],
)

def _image_sbom_impl(ctx):
    wheels = depset(transitive = [program[_WheelsInfo].files for program in ctx.attr.programs]).to_list()
    specification = ctx.actions.declare_file(ctx.label.name + ".request.json")
    ctx.actions.write(specification, json.encode({
        "architecture": ctx.attr.architecture,
        "debian_lock": ctx.file._debian_lock.path,
        "image": ctx.attr.image,
        "left_out": ctx.attr.left_out,
        "model": ctx.file.model.path if ctx.file.model else None,
        "packages": [file.path for file in ctx.files.packages],
        "version": ctx.attr.version,
        "wheels": [file.path for file in wheels],
        "wheels_lock": ctx.file._wheels_lock.path,
    }))
    sbom = ctx.actions.declare_file(ctx.label.name + ".cdx.json")
    model = [ctx.file.model] if ctx.file.model else []
    ctx.actions.run(
        executable = ctx.executable._sbom,
        arguments = [specification.path, sbom.path],
        inputs = [specification, ctx.file._debian_lock, ctx.file._wheels_lock] + ctx.files.packages + wheels + model,
        outputs = [sbom],
        mnemonic = "ImageSbom",
        progress_message = "Writing the bill of materials %{label}",
    )
    return [DefaultInfo(files = depset([sbom]))]

image_sbom = rule(
    implementation = _image_sbom_impl,
    attrs = {
        "architecture": attr.string(default = "amd64"),
        "image": attr.string(doc = "the image's name", mandatory = True),
        "left_out": attr.string_list(doc = "wheels of the closure that no layer takes"),
        "model": attr.label(allow_single_file = True, doc = "the model's directory"),
        "packages": attr.label_list(allow_files = [".deb"]),
        "programs": attr.label_list(aspects = [_wheels_aspect], doc = "whose wheels are in the image"),
        "version": attr.string(mandatory = True),
        "_debian_lock": attr.label(allow_single_file = True, default = "//tools/debian:packages.lock.json"),
        "_sbom": attr.label(default = "//tools/image:sbom", cfg = "exec", executable = True),
        "_wheels_lock": attr.label(allow_single_file = True, default = "//:requirements_lock.txt"),
    },
)
