"""What the images are made of: data only."""

# Debian packages of the base; the interpreter's layer has the rest of what tools/debian locks.
BASE_PACKAGES = [
    "base-files",
    "ca-certificates",
    "gcc-12-base",
    "libc-bin",
    "libc6",
    "libcrypt1",
    "libgcc-s1",
    "libssl3",
    "libstdc++6",
    "netbase",
    "tzdata",
    "zlib1g",
]

# Under /busybox in the *_debug images.
DEBUG_PACKAGES = ["busybox-static"]

INTERPRETER_PACKAGES = [
    "libbz2-1.0",
    "libcom-err2",
    "libdb5.3",
    "libexpat1",
    "libffi8",
    "libgssapi-krb5-2",
    "libk5crypto3",
    "libkeyutils1",
    "libkrb5-3",
    "libkrb5support0",
    "liblzma5",
    "libncursesw6",
    "libnsl2",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libreadline8",
    "libsqlite3-0",
    "libtinfo6",
    "libtirpc3",
    "libuuid1",
    "media-types",
    "python3.11",
    "python3.11-minimal",
]

# Nobody reads manuals in a container; licences (copyright files) stay. Of libc-bin only ldconfig is
# wanted: ctypes.util.find_library asks it.
LEFT_OUT_OF_DEBIAN = [
    # Debugging aids of libc, and its vector functions, which no library here asks for.
    "lib/*/libc_malloc_debug.so*",
    "lib/*/libmemusage.so*",
    "lib/*/libmvec.so*",
    "lib/*/libpcprofile.so*",
    "lib/*/libthread_db.so*",
    "etc/ld.so.conf",
    "usr/bin/getconf",
    "usr/bin/getent",
    "usr/bin/iconv",
    "usr/bin/ld.so",
    "usr/bin/ldd",
    "usr/bin/locale",
    "usr/bin/localedef",
    "usr/bin/pldd",
    "usr/bin/tzselect",
    "usr/bin/zdump",
    "usr/lib/locale/*",
    "usr/share/libc-bin/*",
    "usr/lib/*/gconv/*",
    "usr/lib/valgrind/*",
    "usr/lib/python3.11/idlelib/*",
    "usr/lib/python3.11/lib2to3/*",
    "usr/lib/python3.11/pydoc_data/*",
    "usr/lib/python3.11/lib-dynload/_test*",
    "usr/lib/python3.11/lib-dynload/_xx*",
    "usr/lib/python3.11/test/*",
    "usr/lib/python3.11/turtle.py",
    "usr/bin/pdb3.11",
    "usr/bin/pydoc3.11",
    "usr/bin/pygettext3.11",
    "usr/sbin/*",
    "etc/ca-certificates*",
    "etc/ld.so.conf.d/*",
    "etc/update-motd.d/*",
    "usr/share/base-files/*",
    "usr/share/applications/*",
    "usr/share/bug/*",
    "usr/share/doc-base/*",
    "usr/share/doc/*/[!c]*",
    "usr/share/doc/*/changelog*",
    "usr/share/gcc/*",
    "usr/share/lintian/*",
    "usr/share/man/*",
    "usr/share/menu/*",
    "usr/share/pixmaps/*",
    "usr/share/zoneinfo/posix/*",
    "usr/share/zoneinfo/right/*",
]

# What no program of ours opens: type stubs, sources of compiled modules, the packages' own tests,
# C headers and build tools.
LEFT_OUT_OF_PACKAGES = [
    "*.a",
    "*.c",
    "*.cpp",
    "*.h",
    "*.proto",
    "*.pxd",
    "*.pyi",
    "*.pyx",
    # Hashes of the files as they were in the wheel; there is no pip to ask for them.
    "*.dist-info/RECORD",
    "*/tests/*",
    "*/grpc/_cython/_credentials/*",
    "*/numpy/_core/_*_tests.*.so",
    "*/numpy/_core/_simd.*",
    "*/numpy/distutils/*",
    "*/sklearn/datasets/*",
    "*/sympy/*/benchmarks/*",
    "*/torch/bin/[!t]*",
    "*/torch/bin/test_*",
    "*/torch/include/*",
    "*/torch/share/*",
    "*/torch/testing/_internal/*",
    # Models are read from a folder; downloading them falls back to plain HTTP (LEFT_OUT_WHEELS).
    "*/hf_xet*",
    # What the files of each architecture are generated from.
    "*/transformers/models/*/modular_*",
    # Of the architectures that embed no text the configurations stay: others import them.
    "*/transformers/models/*/*_processing_*",
    "*/transformers/models/*/*feature_extraction_*",
    "*/transformers/models/*/modeling_*",
]

# Of which nothing at all is in the images.
LEFT_OUT_WHEELS = ["hf-xet"]

# torch imports these itself; a text encoder may be any of the architectures.
KEPT_OF_PACKAGES = [
    "*/torch/testing/_internal/*__init__.*",
    "*/torch/testing/_internal/*common_dtype.*",
    "*/torch/testing/_internal/*fake_pg.*",
    "*/torch/testing/_internal/*logging_tensor.*",
] + [
    "*/transformers/models/{}/*".format(architecture)
    for architecture in [
        "albert",
        "auto",
        "bert",
        "camembert",
        "deberta",
        "deberta_v2",
        "distilbert",
        "electra",
        "embedding_gemma2",
        "ernie",
        "eurobert",
        "gemma3",
        "gte",
        "jina_embeddings_v3",
        "llama",
        "mistral",
        "modernbert",
        "mpnet",
        "mt5",
        "nomic_bert",
        "qwen2",
        "qwen3",
        "roberta",
        "t5",
        "xlm_roberta",
        "xlm_roberta_xl",
    ]
]

# Compression of the layers that every client of the API pulls: 4 % less than the default, for 10 s.
SMALLEST = 10

# As in pyproject.toml; a test holds all places to it (tests/build/test_version.py).
VERSION = "0.1.0"

NONROOT = 65532

# path -> (content, mode, owner)
BASE_FILES = {
    "/etc/group": ("root:x:0:\ntty:x:5:\nnonroot:x:{}:\n".format(NONROOT), "0644", 0),
    "/etc/nsswitch.conf": (
        "passwd: files\ngroup: files\nhosts: files dns\nnetworks: files\nservices: files\nprotocols: files\n",
        "0644",
        0,
    ),
    "/etc/passwd": (
        "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:{0}:{0}:nonroot:/home/nonroot:/sbin/nologin\n".format(NONROOT),
        "0644",
        0,
    ),
    "/home/nonroot/": ("", "0700", NONROOT),
    "/root/": ("", "0700", 0),
    "/tmp/": ("", "1777", 0),
}

BASE_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": "/app",
    "PYTHONSAFEPATH": "1",
    "PYTHONUNBUFFERED": "1",
    "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
}
