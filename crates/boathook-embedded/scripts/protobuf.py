"""Writes src/schema/protobuf.txt from the generated.proto files of k8s.io/api and k8s.io/apimachinery.

usage: protobuf.py PATH_OF/k8s.io/api@VERSION PATH_OF/k8s.io/apimachinery@VERSION ../boathook-core/src/schema/types.txt src/resource.rs

The format is told in the head of protobuf.txt. Only messages for kinds of resource.rs, and for what is asked but not stored, are
written.
"""

import pathlib
import re
import sys

api, machinery, table, served = sys.argv[1:]
known = {}
for line in open(table):
    if line.startswith("#"):
        continue
    words = line.split()
    known[words[0].rstrip("*")] = [word.split("=")[0] for word in words[1:]]
served = set(re.findall(r'"(\w+\.v\w+\.\w+)"', pathlib.Path(served).read_text()))


def short(name, package):
    """core.v1.Pod, as types.txt names it."""
    if name.startswith("."):
        name = name[1:]
    else:
        name = f"{package}.{name}"
    for prefix in ("k8s.io.api.", "k8s.io.apimachinery.pkg.apis.", "k8s.io.apimachinery.pkg."):
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


SCALARS = {"string": "s", "bytes": "y", "bool": "b", "int32": "v", "int64": "v", "uint32": "v", "uint64": "v", "double": "d"}
SPECIAL = {
    "meta.v1.Time": "T",
    "meta.v1.MicroTime": "T",
    "api.resource.Quantity": "q",
    "util.intstr.IntOrString": "i",
    "runtime.RawExtension": "r",
    "meta.v1.FieldsV1": "r",
}
messages = {}
for root in (api, machinery):
    for file in sorted(pathlib.Path(root).rglob("generated.proto")):
        text = re.sub(r"//.*", "", file.read_text())
        package = re.search(r"package ([\w.]+);", text).group(1)
        for name, body in re.findall(r"message (\w+) \{(.*?)\n\}", text, re.S):
            fields = []
            for repeated, kind, field, number in re.findall(
                r"(optional|repeated)?\s*(map<\s*string,\s*[\w.]+>|[\w.]+)\s+(\w+)\s*=\s*(\d+)", body
            ):
                mapped = re.match(r"map<\s*string,\s*([\w.]+)>", kind)
                fields.append((field, int(number), repeated == "repeated", mapped and mapped.group(1), kind))
            messages[short("." + f"{package}.{name}", package)] = (package, fields)


def expression(kind, package, todo):
    if kind in SCALARS:
        return SCALARS[kind]
    name = short(kind, package)
    if name in SPECIAL:
        return SPECIAL[name]
    todo.append(name)
    return "@" + name


REVIEWS = ["SelfSubjectAccessReview", "SelfSubjectRulesReview"]
todo = [name for name in known if name in messages and name in served]
todo += ["meta.v1.DeleteOptions", "authentication.v1.SelfSubjectReview", *(f"authorization.v1.{name}" for name in REVIEWS)]
written = {}
while todo:
    name = todo.pop()
    if name in written or name not in messages:
        continue
    package, fields = messages[name]
    words = []
    for field, number, repeated, mapped, kind in fields:
        text = expression(mapped or kind, package, todo)
        # A message that JSON has no name for is inlined there.
        inline = text.startswith("@") and name in known and field not in known[name] and not repeated and not mapped
        prefix = "[" if repeated else "{" if mapped else "^" if inline else ""
        words.append(f"{number}={'' if inline else field}:{prefix}{text}")
    written[name] = f"{name} {' '.join(words)}"
print("# Protobuf messages of the kinds that the embedded API serves: `name NUMBER=field:TYPE …`, a line each.")
print("# TYPE: s text, y bytes, b flag, v varint, d double, T time, q quantity, i int or string, r raw JSON, @name message;")
print("# before it [ for a repeated field, { for a map with text keys, ^ for a message whose fields JSON has in its parent.")
print("# Derived by scripts/protobuf.py from k8s.io/api and k8s.io/apimachinery v0.36.1 (Apache-2.0).")
print("\n".join(written[name] for name in sorted(written)))
