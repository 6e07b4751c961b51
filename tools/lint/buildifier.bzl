"""@buildifier: the formatter and linter of BUILD files, where it can be had.

It comes in an npm package, which bazelw has the machine's own npm fetch (tools/lint/buildifier.sh)
and names in EXPLANATION_BUILDIFIER. Without one `buildifier` is a script that says so, and what
needs the real one is incompatible: //... passes on a machine without npm.
"""

_BUILD = """\
filegroup(
    name = "buildifier",
    srcs = ["{file}"],
    visibility = ["//visibility:public"],
)
"""

_DEFS = """\
\"\"\"Whether @buildifier//:buildifier is the real one.\"\"\"

# For target_compatible_with.
NEEDS_BUILDIFIER = {constraints}
"""

_LEFT_OUT = "BUILD files are neither formatted nor linted: {}."

def _why_left_out(tarball, machine):
    if not tarball:
        return "buildifier is in an npm package, and ./bazelw found no npm that fetches it"
    if not machine:
        return "buildifier's npm package is for Linux on amd64 and arm64 here"
    return None

def _buildifier_impl(repository_ctx):
    tarball = repository_ctx.getenv("EXPLANATION_BUILDIFIER", "")
    machine = {"aarch64": "arm64", "amd64": "amd64", "arm64": "arm64", "x86_64": "amd64"}.get(repository_ctx.os.arch)
    if repository_ctx.os.name != "linux":
        machine = None
    reason = _why_left_out(tarball, machine)
    if reason:
        message = _LEFT_OUT.format(reason)

        # buildifier: disable=print
        print(message)
        file, constraints = "left_out.sh", ["@platforms//:incompatible"]
        repository_ctx.file(file, "#!/bin/sh\necho '{}' >&2\n".format(message))
    else:
        _package, integrity = repository_ctx.read(repository_ctx.attr.lock).strip().split(" ")
        repository_ctx.download_and_extract(
            url = "file://" + tarball.replace(" ", "%20"),
            integrity = integrity,
            type = "tar.gz",
            output = "package",
            stripPrefix = "package",
        )
        file, constraints = "package/buildifier-linux_" + machine, []
    repository_ctx.file("BUILD.bazel", _BUILD.format(file = file))
    repository_ctx.file("defs.bzl", _DEFS.format(constraints = repr(constraints)))

buildifier_repository = repository_rule(
    implementation = _buildifier_impl,
    attrs = {
        "lock": attr.label(doc = "npm package and its integrity", mandatory = True),
    },
    environ = ["EXPLANATION_BUILDIFIER"],
)
