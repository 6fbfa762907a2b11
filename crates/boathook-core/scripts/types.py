"""Writes src/schema/types.txt: the fields of all kinds that Kubernetes has built in, and how their lists merge.

usage: types.py PATH_OF/k8s.io/client-go@VERSION PATH_OF/k8s.io/api@VERSION PATH_OF/k8s.io/apimachinery@VERSION > src/schema/types.txt

Fields and the merging of server-side apply come from the merge schema of client-go, what strategic merge patch does
otherwise from the struct tags of k8s.io/api. The format is told in the head of types.txt. Needs PyYAML.
"""

import pathlib
import re
import sys

import yaml

client_go, api, machinery = map(pathlib.Path, sys.argv[1:])
PREFIXES = ("io.k8s.api.", "io.k8s.apimachinery.pkg.apis.", "io.k8s.apimachinery.pkg.")


def short(name):
    """core.v1.Pod"""
    for prefix in PREFIXES:
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


# The merge schema of client-go has no CustomResourceDefinition: this is its struct in k8s.io/apiextensions-apiserver, as far
# down as it merges.
DEFINITION = """\
apiextensions.v1.CustomResourceDefinition apiVersion=s kind=s metadata=@meta.v1.ObjectMeta spec=@apiextensions.v1.CustomResourceDefinitionSpec status=@apiextensions.v1.CustomResourceDefinitionStatus
apiextensions.v1.CustomResourceConversion strategy=s webhook=@apiextensions.v1.WebhookConversion
apiextensions.v1.CustomResourceDefinitionNames categories=[*s kind=s listKind=s plural=s shortNames=[*s singular=s
apiextensions.v1.CustomResourceDefinitionSpec conversion=@apiextensions.v1.CustomResourceConversion group=s names=@apiextensions.v1.CustomResourceDefinitionNames preserveUnknownFields=b scope=s versions=[*?
apiextensions.v1.CustomResourceDefinitionStatus acceptedNames=@apiextensions.v1.CustomResourceDefinitionNames conditions=[type;@meta.v1.Condition%replace observedGeneration=n storedVersions=[*s
apiextensions.v1.WebhookClientConfig caBundle=s service=@admissionregistration.v1.ServiceReference url=s
apiextensions.v1.WebhookConversion clientConfig=@apiextensions.v1.WebhookClientConfig conversionReviewVersions=[*s
"""


def go_structs():
    """Per struct its fields: JSON name, Go type, patch strategies, merge key."""
    structs = {}
    for root in (api, machinery / "pkg/apis"):
        for file in sorted(root.rglob("types*.go")):
            group, version = file.parts[-3:-1]
            fields = None
            for line in file.read_text().splitlines():
                if start := re.match(r"type (\w+) struct \{", line):
                    fields = structs.setdefault(f"{group}.{version}.{start[1]}", [])
                elif line.startswith("}"):
                    fields = None
                elif fields is not None and (field := re.match(r"\s+(?:\w+\s+)?([\w.*\[\]]+)\s+`(.*json:.*)`", line)):
                    tag = lambda key: (re.search(rf'{key}:"([^"]*)"', field[2]) or ["", ""])[1]
                    name = tag("json").split(",")[0]
                    fields.append((name, field[1], tag("patchStrategy").split(","), tag("patchMergeKey")))
    return structs


STRUCTS = go_structs()


def tags(name):
    """Per field of a struct its patch strategies and merge key; embedded structs belong to it."""
    found = {}
    for field, kind, strategies, key in STRUCTS.get(name, []):
        if not field:
            package = "core.v1" if kind.startswith("v1.") else ".".join(name.split(".")[:2])
            found.update(tags(f"{package}.{kind.lstrip('*').split('.')[-1]}"))
        else:
            found[field] = ([one for one in strategies if one], key)
    return found


def expression(kind, todo):
    """A TYPE, without its strategy."""
    if "namedType" in kind:
        name = kind["namedType"]
        if name.startswith("__untyped"):
            return {"__untyped_atomic_": "?*", "__untyped_deduced_": "?"}[name]
        todo.append(name)
        return ("*" if kind.get("elementRelationship") == "atomic" else "") + "@" + short(name)
    if "scalar" in kind:
        return {"string": "s", "numeric": "n", "boolean": "b", "untyped": "?"}[kind["scalar"]]
    if "list" in kind:
        part = kind["list"]
        element = expression(part["elementType"], todo)
        if part.get("elementRelationship", "associative") == "atomic":
            return "[*" + element
        return f"[{','.join(part['keys'])};{element}" if part.get("keys") else "[=" + element
    part = kind["map"]
    assert "fields" not in part, part
    return "{" + ("*" if part.get("elementRelationship") == "atomic" else "") + expression(part["elementType"], todo)


def strategy(kind, strategies, key):
    """What strategic merge patch does, where it does not follow from how apply merges the field."""
    retain = "retainKeys" in strategies
    if "list" in kind:
        part = kind["list"]
        associative = part.get("elementRelationship", "associative") != "atomic"
        usual = part.get("keys", [""])[0] if associative else None
        real = key if "merge" in strategies else None
        if usual == real:
            return "%retain" if retain else ""
        assert not retain, kind
        return "%replace" if real is None else f"%merge:{real}"
    assert "merge" not in strategies, kind
    return "%retain" if retain else "%replace" if "replace" in strategies else ""


source = (client_go / "applyconfigurations/internal/internal.go").read_text()
start = source.index("typed.YAMLObject(`") + len("typed.YAMLObject(`")
types = {one["name"]: one for one in yaml.safe_load(source[start : source.rindex("`)")])["types"]}
names = lambda one: {field["name"] for field in one.get("map", {}).get("fields", [])}
todo = [name for name, one in types.items() if {"apiVersion", "kind", "metadata"} <= names(one)]
written = {}
while todo:
    name = todo.pop()
    if name in written:
        continue
    one = types[name]
    part = one.get("map", {})
    if "fields" in part:
        atomic = "*" if part.get("elementRelationship") == "atomic" or "elementType" in part else ""
        tagged = tags(short(name))
        words = [
            f"{field['name']}={expression(field['type'], todo)}{strategy(field['type'], *tagged.get(field['name'], ([], '')))}"
            for field in part["fields"]
        ]
        written[name] = " ".join([short(name) + atomic, *words])
    elif "elementType" in part:
        # A type without declared fields, such as RawExtension and FieldsV1.
        written[name] = f"{short(name)} ={'?*' if part.get('elementRelationship') == 'atomic' else '?'}"
    else:
        written[name] = f"{short(name)} ={expression({key: value for key, value in one.items() if key != 'name'}, todo)}"

version = client_go.name.split("@")[1]
print("# Fields of the kinds that Kubernetes has built in: one type a line, `name[*] field=TYPE …`, or `name =TYPE` for an alias.")
print("# TYPE: s text, n number, b flag, ? deduced from the value, ?* anything with one owner, @name a type of this table, {T map,")
print("# {*T map with one owner, [*T atomic list, [=T set, [k1,k2;T list whose items are found by keys. A star after the name: one owner.")
print("# That is how server-side apply merges. Strategic merge patch merges a list by its first key, a set item by item, replaces an")
print("# atomic list, and merges maps; where it does not, TYPE ends in %replace, %merge:KEY, or %retain (fields left out go: $retainKeys).")
print(f"# Derived by scripts/types.py from k8s.io/client-go and k8s.io/api {version} (Apache-2.0).")
print("\n".join(sorted([*written.values(), *DEFINITION.splitlines()])))
