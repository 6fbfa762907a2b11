//! The state file: kept between runs, locked, written whole, and never harmed when it cannot be read.

#![allow(clippy::unwrap_used, reason = "tests: shared functions of a test binary are not #[test] themselves")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use boathook_embedded::{Embedded, StateError};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, PostParams};
use serde_json::json;

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    (folder, path)
}

async fn create(embedded: &Embedded, name: &str) -> ConfigMap {
    let maps: Api<ConfigMap> = Api::default_namespaced(embedded.client("default"));
    let map = serde_json::from_value(json!({"metadata": {"name": name}, "data": {"k": "v"}})).unwrap();
    maps.create(&PostParams::default(), &map).await.unwrap()
}

/// Opens a file that must be refused, and checks that it is left as it was.
fn refused(path: &Path, text: &str) -> StateError {
    std::fs::write(path, text).unwrap();
    let error = Embedded::open_within(path, Duration::ZERO).unwrap_err();
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
    error
}

#[tokio::test]
async fn objects_are_there_again() {
    let (_folder, path) = file();
    let first = Embedded::open(&path).unwrap();
    let made = create(&first, "a").await;
    first.close().await.unwrap();
    drop(first);
    let second = Embedded::open(&path).unwrap();
    let maps: Api<ConfigMap> = Api::default_namespaced(second.client("default"));
    assert_eq!(maps.get("a").await.unwrap(), made);
    let next = create(&second, "b").await;
    let number = |map: &ConfigMap| map.metadata.resource_version.clone().unwrap().parse::<u64>().unwrap();
    assert!(number(&next) > number(&made));
    let document: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(document["format"], "boathook-embedded/1");
}

#[tokio::test(start_paused = true)]
async fn a_delay_goes_on_in_the_next_run() {
    let (_folder, path) = file();
    let first = Embedded::open(&path).unwrap();
    let pod = json!({"metadata": {"name": "p", "annotations": {"embedded.boathook.dev/delay": "5s"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}});
    let pods: Api<Pod> = Api::default_namespaced(first.client("default"));
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    first.close().await.unwrap();
    drop(pods);
    // The client's buffer task holds the service until it is polled again.
    tokio::time::sleep(Duration::from_millis(1)).await;
    drop(first);
    let second = Embedded::open(&path).unwrap();
    let pods: Api<Pod> = Api::default_namespaced(second.client("default"));
    let phase = async || pods.get("p").await.unwrap().status.unwrap().phase.unwrap();
    assert_eq!(phase().await, "Running");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(phase().await, "Succeeded");
}

#[tokio::test]
async fn changes_are_saved_without_being_asked() {
    let (_folder, path) = file();
    let embedded = Embedded::open(&path).unwrap();
    create(&embedded, "a").await;
    for _ in 0..200 {
        if std::fs::read_to_string(&path).is_ok_and(|text| text.contains("\"k\":\"v\"")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing was saved");
}

#[test]
fn a_damaged_file_is_left_alone() {
    let (_folder, path) = file();
    for text in ["", "{\"format\":\"boathook-embedded/1\",\"revision\":7,\"obj", "nonsense"] {
        assert!(matches!(refused(&path, text), StateError::Damaged { .. }), "{text}");
    }
    let nameless = "{\"format\":\"boathook-embedded/1\",\"revision\":7,\"objects\":[{\"resource\":\"/configmaps\",\"object\":{}}]}";
    assert!(matches!(refused(&path, nameless), StateError::Damaged { .. }));
}

#[test]
fn a_newer_file_and_a_foreign_file_are_left_alone() {
    let (_folder, path) = file();
    let error = refused(&path, "{\"format\":\"boathook-embedded/2\",\"revision\":7,\"objects\":[]}");
    assert!(
        error
            .to_string()
            .ends_with("has the format boathook-embedded/2, this version reads boathook-embedded/1")
    );
    assert!(matches!(refused(&path, "{\"name\":\"my-package\"}"), StateError::Foreign { .. }));
}

#[test]
fn a_file_that_cannot_be_read_or_made() {
    let (folder, _) = file();
    let error = Embedded::open_within(folder.path(), Duration::ZERO).unwrap_err();
    assert!(matches!(error, StateError::Unreadable { .. }), "{error}");
    let error =
        Embedded::open_within(&folder.path().join("no/such/folder.json"), Duration::ZERO).unwrap_err();
    assert!(matches!(error, StateError::Unreadable { .. }), "{error}");
}

#[test]
fn what_is_no_regular_file_is_not_read_for_ever() {
    let (folder, path) = file();
    let error = Embedded::open_within(Path::new("/dev/zero"), Duration::ZERO).unwrap_err();
    assert!(matches!(error, StateError::Unreadable { .. }), "{error}");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let error = Embedded::open_within(&path, Duration::ZERO).unwrap_err();
    assert!(matches!(error, StateError::Unreadable { .. }), "{error}");
    let large = folder.path().join("large.json");
    std::fs::File::create(&large).unwrap().set_len(300 << 20).unwrap();
    let error = Embedded::open_within(&large, Duration::ZERO).unwrap_err();
    assert!(matches!(error, StateError::Unreadable { .. }), "{error}");
}

#[tokio::test]
async fn a_link_stays_a_link() {
    let (folder, path) = file();
    drop(Embedded::open(&path).unwrap());
    let link = folder.path().join("link.json");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for name in ["a", "b"] {
        // Before the first save the link leads nowhere.
        if !path.exists() {
            assert!(matches!(Embedded::open(&link).unwrap_err(), StateError::Unreadable { .. }));
            let embedded = Embedded::open(&path).unwrap();
            create(&embedded, "first").await;
            embedded.close().await.unwrap();
        }
        let embedded = Embedded::open(&link).unwrap();
        create(&embedded, name).await;
        embedded.close().await.unwrap();
    }
    assert!(link.symlink_metadata().unwrap().is_symlink());
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(["first", "a", "b"].iter().all(|name| text.contains(&format!("\"name\":\"{name}\""))), "{text}");
}

#[test]
fn a_lock_that_is_a_link_is_not_written_through() {
    let (folder, path) = file();
    let victim = folder.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, folder.path().join("state.json.lock")).unwrap();
    assert!(matches!(Embedded::open(&path).unwrap_err(), StateError::Unreadable { .. }));
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn a_second_writer_is_told_who_holds_the_file() {
    let (_folder, path) = file();
    let first = Embedded::open(&path).unwrap();
    let error = Embedded::open_within(&path, Duration::from_millis(50)).unwrap_err();
    let expected = format!("state file {} is in use by process {}", path.display(), std::process::id());
    assert_eq!(error.to_string(), expected);
    drop(first);
    Embedded::open_within(&path, Duration::ZERO).unwrap();
}
