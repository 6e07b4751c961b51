"""Public surface, as in rules_oci 2.3: https://github.com/bazel-contrib/rules_oci"""

load("//oci/private:image.bzl", _oci_image = "oci_image")
load("//oci/private:load.bzl", _oci_load = "oci_load")

oci_image = _oci_image
oci_load = _oci_load
