//! What is there of the objects that an operation applies, and whether it is so already: then nothing is sent. So an upgrade
//! that changes nothing costs a few lists, and what somebody else changed meanwhile is still seen and put right.

use std::sync::Arc;

use boathook_core::Object;
use boathook_core::apply_effect::{ApplyEffect, apply_effect};
use boathook_core::managed_fields;
use boathook_core::names::Target;
use boathook_core::release::ApplyMethod;
use boathook_core::schema::Type;

use super::change::Hand;
use crate::FIELD_MANAGER;
use crate::begin::Prepared;
use crate::cluster::ClusterError;
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

impl Hand {
    /// Looks at the objects of a batch.
    pub(super) async fn look(&self, batch: &[Prepared<'_>]) -> Vec<Result<Live, ClusterError>> {
        let located: Vec<Arc<Located>> = batch.iter().map(|object| object.located.clone()).collect();
        let targets: Vec<Target> = located.iter().map(|located| located.target.clone()).collect();
        let hand = self.clone();
        let keep = move |index: usize, live: Option<Object>| match live {
            None => Live::Missing,
            Some(live) if hand.is_applied(&located[index], &live) => {
                Live::AsApplied(live.uid().map(str::to_owned))
            }
            Some(live) => Live::Other(live),
        };
        look(&self.cluster, &targets, Arc::new(keep)).await
    }

    /// Whether a server-side apply would change nothing. Of custom kinds only the server knows.
    fn is_applied(&self, located: &Located, live: &Object) -> bool {
        let settled = self.method == ApplyMethod::ServerSide
            && !(self.migrate && managed_fields::migrate(live, FIELD_MANAGER).is_some());
        settled
            && Type::built_in(&located.target.resource.gvk).is_some_and(|kind| {
                apply_effect(&located.object, live, FIELD_MANAGER, &kind) == ApplyEffect::Unchanged
            })
    }
}
