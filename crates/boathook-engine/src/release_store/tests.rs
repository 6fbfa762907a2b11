//! The store against a cluster in memory: what is found, what is refused, what is never overwritten.

use boathook_core::release::Status;
use boathook_core::release::companion::CompanionRecord;
use serde_json::json;

use super::*;
use crate::testing::FakeCluster;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn record(namespace: &str, name: &str, version: u32) -> Record {
    let mut record = Record { name: name.into(), namespace: namespace.into(), version, ..Record::default() };
    record.info.status = Status::Deployed;
    record
}

async fn create(store: &ReleaseStore<'_>, namespace: &str, name: &str, version: u32) -> Stored {
    store.create(record(namespace, name, version), BTreeMap::new(), NOW).await.unwrap()
}

#[tokio::test]
async fn history_is_by_number_and_not_by_text() {
    let cluster = FakeCluster::new();
    let store = ReleaseStore::new(&cluster);
    for version in [10, 2, 1, 9] {
        create(&store, "prod", "web", version).await;
    }
    create(&store, "prod", "other", 99).await;
    create(&store, "dev", "web", 50).await;
    let listing = store.history("prod", "web").await.unwrap();
    let versions: Vec<u32> = listing.releases.iter().map(|stored| stored.record.version).collect();
    assert_eq!(versions, [1, 2, 9, 10]);
    assert_eq!(store.last("prod", "web").await.unwrap().unwrap().record.version, 10);
    assert_eq!(store.last("prod", "none").await.unwrap(), None);
}

#[tokio::test]
async fn list_is_of_a_namespace_or_of_all() {
    let cluster = FakeCluster::new();
    let store = ReleaseStore::new(&cluster);
    create(&store, "prod", "web", 1).await;
    create(&store, "dev", "web", 1).await;
    assert_eq!(store.list(Some("dev")).await.unwrap().releases.len(), 1);
    let all = store.list(None).await.unwrap();
    let places: Vec<&str> = all.releases.iter().map(|stored| stored.record.namespace.as_str()).collect();
    assert_eq!(places, ["dev", "prod"]);
}

#[tokio::test]
async fn an_unreadable_record_is_left_out_but_named() {
    let cluster = FakeCluster::new();
    let store = ReleaseStore::new(&cluster);
    create(&store, "prod", "web", 1).await;
    cluster.put(json!({"apiVersion": "v1", "kind": "Secret", "data": {"release": "!"},
        "metadata": {"name": "sh.helm.release.v1.web.v2", "namespace": "prod", "labels": {"owner": "helm", "name": "web"}}}));
    let listing = store.list(None).await.unwrap();
    assert_eq!(listing.releases.len(), 1);
    assert_eq!(listing.unreadable.len(), 1);
    assert_eq!(listing.unreadable[0].to_string(), "Secret sh.helm.release.v1.web.v2 is not base64");
}

#[tokio::test]
async fn a_revision_is_made_once() {
    let cluster = FakeCluster::new();
    let store = ReleaseStore::new(&cluster);
    create(&store, "prod", "web", 1).await;
    let again = store.create(record("prod", "web", 1), BTreeMap::new(), NOW).await;
    assert!(matches!(again, Err(StoreError::AlreadyExists)), "{again:?}");
    assert!(matches!(store.get("prod", "web", 2).await, Err(StoreError::NotFound)));
}

#[tokio::test]
async fn a_stale_writer_is_refused() {
    let cluster = FakeCluster::new();
    let store = ReleaseStore::new(&cluster);
    let mut mine = create(&store, "prod", "web", 1).await;
    let mut theirs = store.get("prod", "web", 1).await.unwrap();
    theirs.record.info.status = Status::Failed;
    store.update(&mut theirs, NOW).await.unwrap();
    mine.record.info.status = Status::Superseded;
    let refused = store.update(&mut mine, NOW).await;
    assert!(matches!(refused, Err(StoreError::Conflict { revision: 1, .. })), "{refused:?}");
    assert_eq!(store.get("prod", "web", 1).await.unwrap().record.info.status, Status::Failed);
    store.update(&mut theirs, NOW).await.unwrap();
}

#[tokio::test]
async fn labels_of_the_user_survive_an_update() {
    let cluster = FakeCluster::new();
    let store = ReleaseStore::new(&cluster);
    let labels = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
    store.create(record("prod", "web", 1), labels.clone(), NOW).await.unwrap();
    let mut stored = store.get("prod", "web", 1).await.unwrap();
    store.update(&mut stored, NOW).await.unwrap();
    assert_eq!(store.get("prod", "web", 1).await.unwrap().labels, labels);
}

fn companion(operation: &str) -> CompanionRecord {
    CompanionRecord {
        name: "web".into(),
        namespace: "prod".into(),
        version: 1,
        operation: operation.into(),
        ..CompanionRecord::default()
    }
}

#[tokio::test]
async fn our_own_record_of_a_release_that_is_gone_is_replaced() {
    let cluster = FakeCluster::new();
    let store = ReleaseStore::new(&cluster);
    let mut first = create(&store, "prod", "web", 1).await;
    first.companion = Some(companion("one"));
    store.write_companion(&mut first, NOW).await.unwrap();
    assert_eq!(store.get("prod", "web", 1).await.unwrap().companion, first.companion);

    // A plain Helm purged the release, the garbage collector was slow, and the name was used again.
    let place = secret_at("prod", "sh.helm.release.v1.web.v1").unwrap();
    cluster.delete(&place, &crate::cluster::Preconditions::default(), &writing()).await.unwrap();
    let mut second = create(&store, "prod", "web", 1).await;
    assert_eq!(store.get("prod", "web", 1).await.unwrap().companion, None, "not of this release");
    second.companion = Some(companion("two"));
    store.write_companion(&mut second, NOW).await.unwrap();
    let history = store.history("prod", "web").await.unwrap();
    assert_eq!(history.releases[0].companion.as_ref().unwrap().operation, "two");
}
