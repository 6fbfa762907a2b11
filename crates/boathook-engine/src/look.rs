//! What is there of many objects, in few requests: a list where several of one kind and namespace are looked at, a read of its
//! own for each where few are, and where listing is not allowed or would read far more than is wanted. Of what a page brings only
//! what the caller keeps stays in memory.

use std::collections::HashMap;
use std::sync::Arc;

use boathook_core::Object;
use boathook_core::names::{Collection, Target};

use crate::at_once::in_order;
use crate::cluster::{Cluster, ClusterError, ClusterErrorKind, ListOptions};

/// Up to here every object of a collection is read by itself.
const FEW: usize = 4;
/// Objects of one page: the size that kubectl uses.
const PAGE: u32 = 500;
/// Objects that a list may bring for each one that is wanted.
const PER_WANTED: usize = 50;

/// What the caller keeps of an object, by its place among the targets; `None`: it is not there.
pub(crate) type Keep<T> = dyn Fn(usize, Option<Object>) -> T + Send + Sync;

/// Looks at all targets; answers in their order.
pub(crate) async fn look<T: Send + 'static>(
    cluster: &Arc<dyn Cluster>,
    targets: &[Target],
    keep: Arc<Keep<T>>,
) -> Vec<Result<T, ClusterError>> {
    let mut collections: HashMap<Collection, Vec<(usize, Target)>> = HashMap::new();
    for (index, target) in targets.iter().enumerate() {
        let collection =
            Collection { resource: target.resource.clone(), namespace: target.namespace.clone() };
        collections.entry(collection).or_default().push((index, target.clone()));
    }
    let (many, few): (Vec<_>, Vec<_>) = collections.into_iter().partition(|(_, wanted)| wanted.len() > FEW);
    let lists = many.into_iter().map(|(collection, wanted)| {
        let (cluster, keep) = (cluster.clone(), keep.clone());
        async move { list(cluster.as_ref(), &collection, wanted, keep.as_ref()).await }
    });
    let mut found = Vec::with_capacity(targets.len());
    let mut single: Vec<(usize, Target)> = few.into_iter().flat_map(|(_, wanted)| wanted).collect();
    for (listed, rest) in in_order(lists.collect()).await {
        found.extend(listed);
        single.extend(rest);
    }
    let reads = single.into_iter().map(|(index, target)| {
        let (cluster, keep) = (cluster.clone(), keep.clone());
        async move {
            let answer = match cluster.get(&target).await {
                Ok(object) => Ok(keep(index, Some(object))),
                Err(error) if error.is_not_found() => Ok(keep(index, None)),
                Err(error) => Err(error),
            };
            (index, answer)
        }
    });
    found.extend(in_order(reads.collect()).await);
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, answer)| answer).collect()
}

type Found<T> = Vec<(usize, Result<T, ClusterError>)>;

/// Reads a collection page by page. What is left over has to be read by itself.
async fn list<T>(
    cluster: &dyn Cluster,
    collection: &Collection,
    wanted: Vec<(usize, Target)>,
    keep: &Keep<T>,
) -> (Found<T>, Vec<(usize, Target)>) {
    let most = PAGE as usize + wanted.len() * PER_WANTED;
    let mut rest: HashMap<String, Vec<(usize, Target)>> = HashMap::new();
    for (index, target) in wanted {
        rest.entry(target.name.to_string()).or_default().push((index, target));
    }
    let mut found = Vec::new();
    let mut seen = 0;
    let mut options = ListOptions { limit: PAGE, ..ListOptions::default() };
    let error = loop {
        let page = match cluster.list(collection, &options).await {
            Ok(page) => page,
            Err(error) => break Some(error),
        };
        seen += page.items.len();
        for object in page.items {
            for (index, _) in rest.remove(object.name()).into_iter().flatten() {
                found.push((index, Ok(keep(index, Some(object.clone())))));
            }
        }
        options.continue_token = page.continue_token;
        if rest.is_empty() {
            return (found, Vec::new());
        }
        if options.continue_token.is_none() {
            break None;
        }
        if seen >= most {
            return (found, rest.into_values().flatten().collect());
        }
    };
    let rest = rest.into_values().flatten();
    match error {
        None => found.extend(rest.map(|(index, _)| (index, Ok(keep(index, None))))),
        // Who may read an object need not be allowed to list all of them; a list that changed too much can be begun again.
        Some(error) if matches!(error.kind, ClusterErrorKind::Forbidden | ClusterErrorKind::Expired) => {
            return (found, rest.collect());
        }
        Some(error) => found.extend(rest.map(|(index, _)| (index, Err(error.clone())))),
    }
    (found, Vec::new())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use test_case::test_case;

    use super::*;
    use crate::testing::plans::config_map;
    use crate::testing::{FakeCluster, target};

    /// Which of the targets are there, and with which calls that was found out.
    async fn seen(fake: Arc<FakeCluster>, names: &[String]) -> (Vec<Result<bool, String>>, Vec<String>) {
        let targets: Vec<Target> = names.iter().map(|name| target("ConfigMap", "prod", name)).collect();
        let cluster: Arc<dyn Cluster> = fake.clone();
        let answers = look(&cluster, &targets, Arc::new(|_, object| object.is_some())).await;
        let told = |answer: Result<bool, ClusterError>| answer.map_err(|error| error.message);
        (answers.into_iter().map(told).collect(), fake.calls())
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("n{number:03}")).collect()
    }

    #[test_case(1, "get", 1)]
    #[test_case(4, "get", 4)]
    #[test_case(5, "list", 3; "five, two to a page")]
    #[test_case(200, "list", 100; "two hundred, two to a page")]
    #[tokio::test(start_paused = true)]
    async fn many_are_listed_and_few_are_read(count: usize, word: &str, calls: usize) {
        let fake = Arc::new(FakeCluster::new());
        names(count).iter().skip(1).for_each(|name| drop(fake.put(config_map(name))));
        fake.put(config_map("zz"));
        let (answers, made) = seen(fake, &names(count)).await;
        let expected: Vec<_> = (0..count).map(|number| Ok(number != 0)).collect();
        assert_eq!(answers, expected);
        assert_eq!(made.len(), calls, "{made:?}");
        assert!(made.iter().all(|call| call.starts_with(word)), "{made:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_not_list_reads_one_by_one() {
        let fake = Arc::new(FakeCluster::new());
        fake.put(config_map("n001"));
        fake.fail("list", ClusterErrorKind::Forbidden, "may not list");
        let (answers, made) = seen(fake, &names(5)).await;
        assert_eq!(answers, [Ok(false), Ok(true), Ok(false), Ok(false), Ok(false)]);
        assert_eq!(made.len(), 6, "{made:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_fails_is_the_answer_for_all() {
        let fake = Arc::new(FakeCluster::new());
        fake.fail("list", ClusterErrorKind::Unreachable, "gone");
        let (answers, made) = seen(fake, &names(5)).await;
        assert_eq!(answers, vec![Err("gone".to_owned()); 5]);
        assert_eq!(made.len(), 1, "{made:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_full_of_others_is_not_read_to_its_end() {
        let fake = Arc::new(FakeCluster::new());
        (0..2_000).for_each(|number| drop(fake.put(config_map(&format!("a{number:04}")))));
        fake.put(config_map("n004"));
        let (answers, made) = seen(fake, &names(5)).await;
        assert_eq!(answers, [Ok(false), Ok(false), Ok(false), Ok(false), Ok(true)]);
        let reads = made.iter().filter(|call| call.starts_with("get")).count();
        assert_eq!((reads, made.len()), (5, 375 + 5));
    }
}
