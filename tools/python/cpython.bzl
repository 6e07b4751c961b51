"""The one CPython of build, tests and images: unpacked from locked Debian packages."""

load("//tools/debian:packages.bzl", "fetch_package", "unpack_package")

# Parts of the packages that no program here opens; they would only cost sandbox set-up time.
_LEFT_OUT = [
    "etc",
    "usr/lib/valgrind",
    "usr/lib/python3.11/idlelib",
    "usr/lib/python3.11/lib2to3",
    "usr/lib/python3.11/pydoc_data",
    "usr/share/applications",
    "usr/share/bug",
    "usr/share/doc",
    "usr/share/doc-base",
    "usr/share/gcc",
    "usr/share/lintian",
    "usr/share/man",
    "usr/share/menu",
    "usr/share/pixmaps",
    "usr/share/zoneinfo/posix",
    "usr/share/zoneinfo/right",
]

_TRIPLE = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
_LOADER = {"amd64": "ld-linux-x86-64.so.2", "arm64": "ld-linux-aarch64.so.1"}

# Started through the locked loader with the locked libraries: the same bits on every host, and
# neither PYTHONHOME nor LD_LIBRARY_PATH that child processes would inherit.
_PYTHON = """#!/bin/sh
self=$(readlink -f "$0")
root=${{self%/usr/bin/python3}}
exec "$root/lib/{triple}/{loader}" --argv0 "$self" \\
  --library-path "$root/lib/{triple}:$root/usr/lib/{triple}" "$root/usr/bin/python3.11" "$@"
"""

def _cpython_impl(repository_ctx):
    lock = json.decode(repository_ctx.read(repository_ctx.attr.lock))
    parts = json.decode(repository_ctx.read(repository_ctx.attr.packages))["interpreter"]
    architecture = repository_ctx.attr.architecture
    for package in lock["packages"][architecture]:
        if package["name"] not in parts:
            continue
        deb = package["name"] + ".deb"
        fetch_package(repository_ctx, package, lock["release"], deb)
        unpack_package(repository_ctx, deb, "root")
    for path in _LEFT_OUT:
        repository_ctx.delete("root/" + path)
    repository_ctx.file(
        "root/usr/bin/python3",
        _PYTHON.format(triple = _TRIPLE[architecture], loader = _LOADER[architecture]),
        executable = True,
    )
    repository_ctx.template("BUILD.bazel", repository_ctx.attr._build)

    # The packages carry no bytecode; without it every process would spend half a second compiling.
    if repository_ctx.attr.precompile:
        result = repository_ctx.execute([
            "root/usr/bin/python3",
            # Else what compileall itself imports keeps bytecode with the clock in it, and no two
            # machines have the same inputs for any action.
            "-B",
            "-m",
            "compileall",
            "-q",
            "-j",
            "0",
            "--invalidation-mode",
            "unchecked-hash",
            "root/usr/lib/python3.11",
        ])
        if result.return_code:
            fail("compiling the standard library failed: " + result.stdout + result.stderr)

cpython = repository_rule(
    implementation = _cpython_impl,
    doc = "CPython and the libraries it links to, below `root/`, with `root/usr/bin/python3` to start it.",
    attrs = {
        "architecture": attr.string(doc = "Debian architecture", mandatory = True),
        "lock": attr.label(doc = "packages.lock.json", mandatory = True),
        "packages": attr.label(doc = "packages.json", mandatory = True),
        "precompile": attr.bool(doc = "Compile the standard library; needs a host of the same architecture"),
        "_build": attr.label(default = "//tools/python:cpython.BUILD"),
    },
)

def _interpreter_impl(module_ctx):
    for architecture in ("amd64", "arm64"):
        cpython(
            name = "cpython_" + architecture,
            architecture = architecture,
            lock = "//tools/debian:packages.lock.json",
            packages = "//tools/debian:packages.json",
            precompile = architecture == {"aarch64": "arm64", "arm64": "arm64"}.get(module_ctx.os.arch, "amd64"),
        )

interpreter = module_extension(
    implementation = _interpreter_impl,
    doc = "Makes @cpython_amd64 and @cpython_arm64.",
)
