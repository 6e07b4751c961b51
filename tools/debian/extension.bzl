"""The locked Debian packages as .deb files: @debian_amd64 and @debian_arm64 for image layers, @debian_tests."""

load(":packages.bzl", "fetch_package")

_IMAGES = ["image_base", "interpreter", "services"]

def _debian_packages_impl(repository_ctx):
    lock = json.decode(repository_ctx.read(repository_ctx.attr.lock))
    groups = json.decode(repository_ctx.read(repository_ctx.attr.packages))
    wanted = [name for group in repository_ctx.attr.groups for name in groups[group]]
    names = []
    for package in lock["packages"][repository_ctx.attr.architecture]:
        if package["name"] not in wanted:
            continue
        names.append(package["name"] + ".deb")
        fetch_package(repository_ctx, package, lock["release"], names[-1])
    repository_ctx.file("BUILD.bazel", """\
package(default_visibility = ["//visibility:public"])

exports_files({names})

filegroup(
    name = "packages",
    srcs = {names},
)
""".format(names = repr(names)))

debian_packages = repository_rule(
    implementation = _debian_packages_impl,
    attrs = {
        "architecture": attr.string(mandatory = True),
        "groups": attr.string_list(doc = "of packages.json", mandatory = True),
        "lock": attr.label(doc = "packages.lock.json", mandatory = True),
        "packages": attr.label(doc = "packages.json", mandatory = True),
    },
)

def _debian_impl(_module_ctx):
    for name, architecture, groups in [
        ("debian_amd64", "amd64", _IMAGES),
        ("debian_arm64", "arm64", _IMAGES),
        ("debian_tests", "amd64", ["tests"]),
    ]:
        debian_packages(
            name = name,
            architecture = architecture,
            groups = groups,
            lock = "//tools/debian:packages.lock.json",
            packages = "//tools/debian:packages.json",
        )

debian = module_extension(implementation = _debian_impl)
