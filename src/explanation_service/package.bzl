"""One library a package of the service."""

load("//tools/python:defs.bzl", "py_library")

def service_package(name, deps = [], srcs = None, imports = ["../.."], **kwargs):
    """A py_library of the folder's files and the filegroup `sources` that the linters read.

    Args:
      name: the package's name, as its folder is called
      deps: what it imports
      srcs: files of the library, where not all of the folder's
      imports: the way from the folder to src, other than for a folder right below the service
      **kwargs: passed to py_library
    """
    native.filegroup(
        name = "sources",
        srcs = native.glob(["**/*.py"]),
        visibility = ["//visibility:public"],
    )
    py_library(
        name = name,
        srcs = native.glob(["**/*.py"]) if srcs == None else srcs,
        imports = imports,
        visibility = ["//visibility:public"],
        deps = ["//src/explanation_service"] + deps,
        **kwargs
    )
