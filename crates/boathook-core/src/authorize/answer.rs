//! What a guest sees of an object that came back: no release records, no `managedFields`, no Secret data that was not
//! granted by name.

use super::kubernetes::KubernetesRequest;
use super::{Grant, never, rule};
use crate::Object;

/// kubectl keeps a copy of the whole object here, data and all.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The object as the guest may see it; `None` if it may not know of it (a release record in a list, or found under
/// an unusual name: then the answer is `not-found`).
///
/// The data of a Secret is left out whole, so that an object which is read and applied again does not overwrite it
/// with placeholders.
pub fn reveal(grant: &Grant, request: &KubernetesRequest, mut object: Object) -> Option<Object> {
    let (group, plural) = (&request.resource.gvk.group, request.resource.plural.as_str());
    if never::is_record(group, plural, &object) {
        return None;
    }
    let metadata = object.metadata_mut();
    metadata.shift_remove("managedFields");
    if request.is_secret() && !rule::secret_data_granted(grant, request) {
        if let Some(serde_json::Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.shift_remove(LAST_APPLIED);
        }
        object.0.shift_remove("data");
        object.0.shift_remove("stringData");
    }
    Some(object)
}
