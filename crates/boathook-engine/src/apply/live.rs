//! What is there of the objects that an operation applies, and whether it is so already: then nothing is sent. So an upgrade
//! that changes nothing costs a few lists, and what somebody else changed meanwhile is still seen and put right.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use boathook_core::apply_effect::{ApplyEffect, apply_effect};
use boathook_core::managed_fields;
use boathook_core::names::{Name, Resource, Target};
use boathook_core::release::ApplyMethod;
use boathook_core::schema::Type;
use boathook_core::{Gvk, Object};

use super::change::Hand;
use crate::FIELD_MANAGER;
use crate::begin::Prepared;
use crate::cluster::ClusterError;
use crate::hook_runner::CRD;
use crate::locate::Located;
use crate::look::look;

/// What is there of an object.
pub(super) enum Live {
    /// Nothing.
    Missing,
    /// What would be applied, and applied by us; its UID.
    AsApplied(Option<String>),
    /// Something that may have to change.
    Other(Object),
}

/// From this number of objects on it pays to ask for the definition of their kind.
const SEVERAL: usize = 2;

impl Hand {
    /// Looks at the objects of a batch.
    pub(super) async fn look(&self, batch: &[Prepared<'_>]) -> Vec<Result<Live, ClusterError>> {
        let located: Vec<Arc<Located>> = batch.iter().map(|object| object.located.clone()).collect();
        let targets: Vec<Target> = located.iter().map(|located| located.target.clone()).collect();
        let hand = self.clone();
        let types = self.types(&targets).await;
        let keep = move |index: usize, live: Option<Object>| match live {
            None => Live::Missing,
            Some(live) if hand.is_applied(&located[index], &live, &types) => {
                Live::AsApplied(live.uid().map(str::to_owned))
            }
            Some(live) => Live::Other(live),
        };
        look(&self.cluster, &targets, Arc::new(keep)).await
    }

    /// Whether a server-side apply would change nothing.
    fn is_applied(&self, located: &Located, live: &Object, types: &HashMap<Gvk, Type>) -> bool {
        self.method == ApplyMethod::ServerSide
            && !(self.migrate && managed_fields::migrate(live, FIELD_MANAGER).is_some())
            && types.get(&located.target.resource.gvk).is_some_and(|kind| {
                apply_effect(&located.object, live, FIELD_MANAGER, kind) == ApplyEffect::Unchanged
            })
    }

    /// The types of the kinds of a batch, as far as they are known.
    async fn types(&self, targets: &[Target]) -> HashMap<Gvk, Type> {
        let mut types = HashMap::new();
        if self.method == ApplyMethod::ClientSide {
            return types;
        }
        let kinds: HashSet<&Resource> = targets.iter().map(|target| &target.resource).collect();
        for resource in kinds {
            let kind = match Type::built_in(&resource.gvk) {
                None if targets.len() >= SEVERAL => self.custom_type(resource).await,
                built_in => built_in,
            };
            types.extend(kind.map(|kind| (resource.gvk.clone(), kind)));
        }
        types
    }

    /// The type of a custom kind, by its definition. Who may not read that sends every object.
    async fn custom_type(&self, resource: &Resource) -> Option<Type> {
        let definitions = self.cluster.resolve(&Gvk::new("apiextensions.k8s.io/v1", CRD)).await.ok()?;
        let name = Name::new(&format!("{}.{}", resource.plural, resource.gvk.group)).ok()?;
        let target = Target { resource: definitions, namespace: None, name };
        let definition = self.cluster.get(&target).await.ok()?;
        let versions = definition.get(&["spec", "versions"])?.as_array()?;
        let version = versions.iter().find(|version| version["name"] == resource.gvk.version)?;
        Some(Type::custom(&version["schema"]["openAPIV3Schema"]))
    }
}
