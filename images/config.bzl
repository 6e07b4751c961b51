"""What the images are made of: data only."""

# Debian packages of the base; the interpreter's layer has the rest of what tools/debian locks.
BASE_PACKAGES = [
    "base-files",
    "ca-certificates",
    "gcc-12-base",
    "libc6",
    "libcrypt1",
    "libgcc-s1",
    "libssl3",
    "libstdc++6",
    "netbase",
    "tzdata",
    "zlib1g",
]

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

# Nobody reads manuals in a container; licences (copyright files) stay.
LEFT_OUT_OF_DEBIAN = [
    "usr/lib/*/gconv/*",
    "usr/lib/valgrind/*",
    "usr/lib/python3.11/idlelib/*",
    "usr/lib/python3.11/lib2to3/*",
    "usr/lib/python3.11/pydoc_data/*",
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

# Type stubs and sources of compiled modules.
LEFT_OUT_OF_PACKAGES = [
    "*.h",
    "*.pxd",
    "*.pyi",
    "*.pyx",
]

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
