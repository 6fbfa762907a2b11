//! What an image's name says here, where no image is ever pulled.

/// Images of this host cannot be pulled; all others are there.
const UNPULLABLE: &str = "unpullable.example/";
/// Images without a program of their own: what stands in `args` is the command.
const PLAIN: [&str; 5] = ["alpine", "busybox", "debian", "ubuntu", "bash"];

/// The image cannot be pulled; the text is containerd's.
pub(crate) fn pull_error(image: &str) -> Option<String> {
    image.starts_with(UNPULLABLE).then(|| {
        format!("failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": {image}: not found")
    })
}

/// What runs in a container: the manifest's command, else what the image would run. That is `curl` and `kubectl` for images of
/// these names; an image of which nothing is known runs until it is stopped, as a server does.
pub(crate) fn command_line(image: &str, command: &[String], args: &[String]) -> Vec<String> {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let own = match program(image) {
        _ if !command.is_empty() => command.to_vec(),
        name @ ("curl" | "kubectl") => owned(&[name]),
        name if PLAIN.contains(&name) && !args.is_empty() => Vec::new(),
        // A shell without a terminal, which finds nothing to do.
        name if PLAIN.contains(&name) => owned(&["true"]),
        _ => return owned(&["sleep", "infinity"]),
    };
    own.into_iter().chain(args.iter().cloned()).collect()
}

/// Whether `apk` is expected in the image.
pub(crate) fn is_alpine(image: &str) -> bool {
    program(image) == "alpine"
}

/// The last part of the name, without tag and digest.
fn program(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    let last = name.rsplit('/').next().unwrap_or(name);
    last.split(':').next().unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(image: &str, command: &[&str], args: &[&str]) -> String {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        command_line(image, &owned(command), &owned(args)).join(" ")
    }

    #[test]
    fn the_command_is_the_manifests_or_the_images() {
        assert_eq!(line("nginx", &["sh", "-c"], &["exit 1"]), "sh -c exit 1");
        assert_eq!(line("docker.io/curlimages/curl:8.16.0", &[], &["-f", "x"]), "curl -f x");
        assert_eq!(line("bitnami/kubectl@sha256:0", &[], &["get", "pods"]), "kubectl get pods");
        assert_eq!(line("alpine:3.22", &[], &["echo", "a"]), "echo a");
        assert_eq!(line("localhost:5000/alpine", &[], &[]), "true");
        assert_eq!(line("nginx:1.29", &[], &["-g"]), "sleep infinity");
    }

    #[test]
    fn only_one_host_has_nothing() {
        assert!(
            pull_error("unpullable.example/a:1").is_some_and(|text| text.contains("unpullable.example/a:1"))
        );
        assert_eq!(pull_error("example/unpullable.example/a"), None);
    }
}
