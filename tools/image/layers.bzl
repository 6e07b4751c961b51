"""Layers of the images: Debian packages, third-party packages, a program's own source, folders.

Each action has only its own layer's files as inputs, so that an edit in src makes one layer anew.
"""

load("@rules_python//python:py_info.bzl", "PyInfo")

# Where the interpreter of Debian's packages looks for what is installed beside it.
SITE_PACKAGES = "/usr/local/lib/python3.11/dist-packages"
SOURCE = "/app"

def _write_layer(ctx, inputs, **parts):
    specification = ctx.actions.declare_file(ctx.label.name + ".layer.json")
    ctx.actions.write(specification, json.encode({
        "compile": [],
        "compression": ctx.attr.compression,
        "files": [],
        "kept": [],
        "left_out": [],
        "links": {},
        "loader_cache": None,
        "packages": [],
        "strip": False,
        "texts": {},
        "trees": [],
    } | parts))
    layer = ctx.actions.declare_file(ctx.label.name + ".tar.gz")
    ctx.actions.run(
        executable = ctx.executable._layer,
        arguments = [specification.path, layer.path],
        inputs = [specification] + inputs,
        outputs = [layer],
        mnemonic = "ImageLayer",
        progress_message = "Writing image layer %{label}",
    )
    return [DefaultInfo(files = depset([layer]))]

_TOOL = {
    "compression": attr.int(
        default = 6,
        doc = "libdeflate's level, 1 to 12; docs/performance.md has what each costs",
    ),
    "_layer": attr.label(default = "//tools/image:layer", cfg = "exec", executable = True),
}

def _debian_layer_impl(ctx):
    return _write_layer(
        ctx,
        inputs = depset(ctx.files.packages + ctx.files.loader_cache_packages).to_list(),
        packages = [file.path for file in ctx.files.packages],
        texts = {name: json.decode(value) for name, value in ctx.attr.texts.items()},
        left_out = ctx.attr.left_out,
        links = ctx.attr.links,
        loader_cache = {
            "architecture": ctx.attr.architecture,
            "packages": [file.path for file in ctx.files.loader_cache_packages],
        } if ctx.files.loader_cache_packages else None,
        **{"compile": ctx.attr.compiled}
    )

_debian_layer = rule(
    implementation = _debian_layer_impl,
    attrs = {
        "architecture": attr.string(default = "amd64"),
        "compiled": attr.string_list(),
        "left_out": attr.string_list(),
        "links": attr.string_dict(doc = "path -> what the symbolic link says"),
        "loader_cache_packages": attr.label_list(allow_files = [".deb"]),
        "packages": attr.label_list(allow_files = [".deb"]),
        "texts": attr.string_dict(),
    } | _TOOL,
)

def debian_layer(name, texts = {}, **kwargs):
    """A layer of Debian packages and of small files of our own.

    Args:
      name: of the target, NAME.tar.gz is its output
      texts: path -> (content, octal mode, owner); a path that ends with a slash is a folder
      **kwargs: packages (.deb files), architecture (amd64, arm64), left_out (patterns of paths),
        links (path -> target), compiled (folders whose Python sources get bytecode), loader_cache_packages (those whose
        libraries /etc/ld.so.cache names)
    """
    _debian_layer(
        name = name,
        texts = {path: json.encode(list(value)) for path, value in texts.items()},
        **kwargs
    )

def _for_platform_impl(settings, attr):
    platforms = "//command_line_option:platforms"
    return {platforms: [str(attr.platform)] if attr.platform else settings[platforms]}

_for_platform = transition(
    implementation = _for_platform_impl,
    inputs = ["//command_line_option:platforms"],
    outputs = ["//command_line_option:platforms"],
)

def _wheel_trees(program):
    files = program[DefaultInfo].default_runfiles.files.to_list()
    return [file for file in files if file.is_directory and file.basename == "site-packages"]

def _third_party_layer_impl(ctx):
    below = {file: True for program in ctx.attr.without for file in _wheel_trees(program)}
    trees = [file for file in _wheel_trees(ctx.attr.program[0]) if file not in below]
    return _write_layer(
        ctx,
        inputs = trees,
        trees = sorted([[file.path, SITE_PACKAGES] for file in trees]),
        left_out = ctx.attr.left_out,
        kept = ctx.attr.kept,
        strip = True,
    )

third_party_layer = rule(
    implementation = _third_party_layer_impl,
    doc = "The third-party packages of a program's closure, in one real site-packages directory.",
    attrs = {
        "kept": attr.string_list(doc = "patterns of paths that stay though left_out names them"),
        "left_out": attr.string_list(doc = "patterns of paths that no program opens"),
        "platform": attr.label(doc = "what the packages are for, where not what is built for"),
        "program": attr.label(cfg = _for_platform, mandatory = True, providers = [PyInfo]),
        "without": attr.label_list(cfg = _for_platform, doc = "programs whose packages lie in a layer below", providers = [PyInfo]),
        "_allowlist_function_transition": attr.label(default = "@bazel_tools//tools/allowlists/function_transition_allowlist"),
    } | _TOOL,
)

def _own_sources(targets):
    return {
        file: True
        for target in targets
        for file in target[DefaultInfo].default_runfiles.files.to_list()
        if file.short_path.startswith("src/") and not file.is_directory and file.is_source
    }

def _application_layer_impl(ctx):
    below = _own_sources(ctx.attr.without)
    files = [file for file in _own_sources(ctx.attr.programs) if file not in below]
    return _write_layer(
        ctx,
        inputs = files,
        files = sorted([[file.path, SOURCE + file.short_path.removeprefix("src")] for file in files]),
        **{"compile": [SOURCE]}
    )

application_layer = rule(
    implementation = _application_layer_impl,
    doc = "This repository's own source in the closure of programs or libraries.",
    attrs = {
        "programs": attr.label_list(mandatory = True, providers = [PyInfo]),
        "without": attr.label_list(doc = "those whose source lies in a layer below", providers = [PyInfo]),
    } | _TOOL,
)

def _file_layer_impl(ctx):
    destinations = ctx.attr.files.items()
    return _write_layer(
        ctx,
        inputs = ctx.files.files,
        files = sorted([[target[DefaultInfo].files.to_list()[0].path, path] for target, path in destinations]),
    )

file_layer = rule(
    implementation = _file_layer_impl,
    doc = "Single files, each with its path in the image.",
    attrs = {"files": attr.label_keyed_string_dict(allow_files = True, mandatory = True)} | _TOOL,
)

def _folder_layer_impl(ctx):
    return _write_layer(
        ctx,
        inputs = [ctx.file.folder],
        trees = [[ctx.file.folder.path, ctx.attr.destination]],
    )

folder_layer = rule(
    implementation = _folder_layer_impl,
    doc = "A folder that an action made, at a place in the image.",
    attrs = {
        "destination": attr.string(mandatory = True),
        "folder": attr.label(allow_single_file = True, mandatory = True),
    } | _TOOL,
)
