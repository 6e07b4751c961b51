"""`@pypi//NAME` for every package of requirements_lock.txt; each wheel is fetched when first needed."""

load(":lock.bzl", "dependencies", "parse_lock")
load(":repositories.bzl", "wheel_hub", "wheel_repository")

# Machine of the target platform -> the CPU constraint that selects it.
MACHINES = {"x86_64": "x86_64", "aarch64": "aarch64"}

def _wheels_impl(module_ctx):
    for module in module_ctx.modules:
        for tag in module.tags.lock:
            packages = parse_lock(module_ctx.read(tag.file))
            requires = dependencies(packages)
            for name, package in packages.items():
                for machine in MACHINES:
                    wheel_repository(
                        name = "{}_{}__{}".format(tag.hub_name, machine, name),
                        package = name,
                        version = package.version,
                        hashes = package.hashes,
                        machine = machine,
                        requires = ["@{}//{}".format(tag.hub_name, required) for required in requires[name]],
                    )
            wheel_hub(
                name = tag.hub_name,
                hub_name = tag.hub_name,
                packages = sorted(packages),
                machines = MACHINES,
            )

wheels = module_extension(
    implementation = _wheels_impl,
    tag_classes = {
        "lock": tag_class(attrs = {
            "hub_name": attr.string(mandatory = True),
            "file": attr.label(mandatory = True),
        }),
    },
)
